"""Grouping: rows aggregated by keys, in a form that can be read some days at a time.

Where each row stands for itself, and each aggregate can be made of those over some of
the rows, storage may aggregate some days, let go of them, and merge at the end.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from logstream.core.plan import Parts
from logstream.core.sql import Sql
from logstream.query.fragments import of
from logstream.query.values import Typed

if TYPE_CHECKING:
    from logstream.query.tables import Table

MERGED_COUNT = "coalesce(sum({0}), 0)::BIGINT"
_SPREAD = (
    "list_reduce(list(struct_pack(n := {0}::DOUBLE, a := {1}, s := {2} * {0})) "
    "FILTER (WHERE {0} > 0), lambda x, y: struct_pack(n := x.n + y.n, "
    "a := x.a + (y.a - x.a) * (y.n / (x.n + y.n)), "
    "s := x.s + y.s + CASE WHEN abs(y.a - x.a) <= 1e-15 * abs(x.a) THEN 0 "
    "ELSE (y.a - x.a) * (y.a - x.a) * (x.n * y.n / (x.n + y.n)) END))"
)
"""Of parts, of which number, mean and variance are known, the same of all: the sum of
squares is that from the mean (Chan, Golub and LeVeque), which loses no digits. Means
that differ by their last digits only are one."""
MERGED_DEVIATION = (
    f"list_transform([{_SPREAD}], lambda p: sqrt(p.s / nullif(p.n - 1, 0)))[1]"
)
"""Of a sample."""
_READ = re.compile(r"\b[sg][0-9]+\b")
_OTHER_ROWS = re.compile(r"\bOVER\b")


def grouped(
    table: "Table",
    keys: Sequence[tuple[str, Sql]],
    results: Sequence[tuple[str, Typed]],
    having: Typed | None = None,
) -> Sql:
    """A relation of the groups: the keys, then what was aggregated, by these names.

    Args:
        having: Which groups stay; may use the names of the keys.
    """
    columns = [*keys, *((name, value.sql) for name, value in results)]
    whole = _select(columns, table.relation, len(keys), having.sql if having else None)
    parts = _parts(table, keys, results, having)
    if parts is None or table.scan is None:
        return of("({})", whole)
    return Sql(table.builder.group(table.scan.name, whole, parts))


def names_read(sql: Sql) -> list[str]:
    """Of scans and groupings, each as often as it is read."""
    return _READ.findall(sql.text)


def _parts(
    table: "Table",
    keys: Sequence[tuple[str, Sql]],
    results: Sequence[tuple[str, Typed]],
    having: Typed | None,
) -> Parts | None:
    if table.scan is None or not table.is_by_row:
        return None
    by: list[tuple[str, Sql]] = []
    partial: list[tuple[str, Sql]] = []
    merged: list[Sql] = []
    listed = False
    for value in (*(value for _, value in results), *([having] if having else [])):
        made = value.merged
        if made is None or (made.by and by):
            return None  # grouped by the values of two, there may be as many as rows
        listed = listed or made.is_listed
        named = [(table.builder.alias(), one) for one in (*made.by, *made.parts)]
        by += named[: len(made.by)]
        partial += named[len(made.by) :]
        merged.append(Sql(made.template.format(*(name for name, _ in named))))
    if listed and by:
        return None  # a list of each value
    final = [(name, Sql(name)) for name, _ in keys]
    final += [(name, sql) for (name, _), sql in zip(results, merged, strict=False)]
    each = _select([*keys, *by, *partial], table.relation, len(keys) + len(by))
    if {*names_read(each)} != {table.scan.name} or _OTHER_ROWS.search(each.text):
        return None
    name = table.builder.alias()
    last = merged[-1] if having else None
    return Parts(
        name=name, each=each, merged=_select(final, Sql(name), len(keys), last)
    )


def _select(
    columns: Sequence[tuple[str, Sql]],
    relation: Sql,
    keys: int,
    having: Sql | None = None,
) -> Sql:
    parts = [of(f"{{}} AS {name}", sql) for name, sql in columns]
    text = f"SELECT {', '.join('{}' for _ in parts)} FROM {{}}"
    if keys:
        text += f" GROUP BY {', '.join(str(at + 1) for at in range(keys))}"
    if having is None:
        return of(text, *parts, relation)
    return of(f"{text} HAVING {{}}", *parts, relation, having)
