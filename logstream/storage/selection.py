"""What a read selects, and the SQL of it over the days that it may touch."""

from collections.abc import Sequence

import msgspec

from logstream.core.sql import TRUE, Sql
from logstream.storage.partition import Partition

COLUMNS = ("timestamp", "source", "level", "message", "id")
_SELECTED = "id, timestamp, source, level, message, fields"


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Entries that satisfy `where`, of the instants in [from_ns, to_ns)."""

    where: Sql = TRUE
    from_ns: int | None = None
    to_ns: int | None = None


def condition(selection: Selection) -> Sql:
    """A boolean expression over the columns."""
    parts = [f"({selection.where.text})"]
    params: list[object] = [*selection.where.params]
    if selection.from_ns is not None:
        parts.append("timestamp >= make_timestamp_ns(?)")
        params.append(selection.from_ns)
    if selection.to_ns is not None:
        parts.append("timestamp < make_timestamp_ns(?)")
        params.append(selection.to_ns)
    return Sql(" AND ".join(parts), tuple(params))


def union(partitions: Sequence[Partition]) -> str:
    """One relation over some days; their names are ours, made of the date."""
    if not partitions:
        return (
            "(SELECT 0::BIGINT AS id, now()::TIMESTAMP_NS AS timestamp, '' AS source, "
            "'' AS level, '' AS message, NULL::VARIANT AS fields WHERE FALSE)"
        )
    selects = (f"SELECT {_SELECTED} FROM {p.name}.entries" for p in partitions)
    return f"({' UNION ALL '.join(selects)})"


def value_of(name: str) -> Sql:
    """A column, or a field by its dotted name: nested, or with a dot in its key."""
    if name in COLUMNS:
        return Sql(name)
    whole = Sql("variant_extract(fields, ?)", (name,))
    head, *rest = name.split(".")
    if not rest:
        return whole
    text, params = "variant_extract(fields, ?)", [head]
    for part in rest:
        text = f"variant_extract({text}, ?)"
        params.append(part)
    return Sql(f"coalesce({text}, {whole.text})", (*params, *whole.params))
