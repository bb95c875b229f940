"""Pieces of SQL put together: text and parameters stay in step."""

from collections.abc import Sequence
from typing import Any

from logstream.core.sql import Sql
from logstream.query.nodes import Bound

FALSE = Sql("FALSE")


def of(template: str, *parts: Any) -> Sql:
    """Fill `{}` with the SQL among `parts`; the rest are values of `?`, in order."""
    texts: list[str] = []
    params: list[Any] = []
    for part in parts:
        if type(part) is Sql:
            texts.append(part.text)
            if part.params:
                params += part.params
        else:
            params.append(part)
    return Sql(template.format(*texts), tuple(params))


def join(joiner: str, parts: Sequence[Sql]) -> Sql:
    """Each part in parentheses."""
    text = joiner.join(f"({part.text})" for part in parts)
    return Sql(text, tuple(value for part in parts for value in part.params))


def text_between(text: Sql, low: Bound | None, high: Bound | None) -> Sql:
    """By code points; every engine says it so. At least one end is given."""
    ends = []
    if low is not None:
        ends.append(of(f"{{}} {'>=' if low.inclusive else '>'} ?", text, low.value))
    if high is not None:
        ends.append(of(f"{{}} {'<=' if high.inclusive else '<'} ?", text, high.value))
    return join(" AND ", ends)
