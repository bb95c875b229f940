"""Pieces of SQL put together: text and parameters stay in step."""

from collections.abc import Sequence
from typing import Any

from logstream.core.sql import Sql

FALSE = Sql("FALSE")


def of(template: str, *parts: Any) -> Sql:
    """Fill `{}` with the SQL among `parts`; the rest are values of `?`, in order."""
    texts: list[str] = []
    params: list[Any] = []
    for part in parts:
        if isinstance(part, Sql):
            texts.append(part.text)
            params += part.params
        else:
            params.append(part)
    return Sql(template.format(*texts), tuple(params))


def join(joiner: str, parts: Sequence[Sql]) -> Sql:
    """Each part in parentheses."""
    text = joiner.join(f"({part.text})" for part in parts)
    return Sql(text, tuple(value for part in parts for value in part.params))
