"""What a read selects, and the SQL of it over the days that it may touch."""

from collections.abc import Sequence

import msgspec

from logstream.core.doubts import has_doubts
from logstream.core.needs import Need
from logstream.core.sql import TRUE, Sql
from logstream.storage.partition import Partition

COLUMNS = ("timestamp", "source", "level", "message", "id")
_SELECTED = "id, timestamp, source, level, message, fields"


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Entries that satisfy `where`, of the instants in [from_ns, to_ns)."""

    where: Sql = TRUE
    fast: Sql | None = None
    """The same condition in a form that DuckDB pushes down into shredded columns, but
    that some values make fail (an object with keys that differ in case only): it is
    tried first, and `where` is run when it fails. It may be NULL for FALSE."""
    more: bool = False
    """What is read of the entries has doubts (see `core.doubts`); `fast` may too."""
    needs: Need | None = None
    """What every match must hold, for a skip index; None: nothing is known."""
    from_ns: int | None = None
    to_ns: int | None = None

    @property
    def asks(self) -> bool:
        """Whether a day may make it quicker, by what it knows of its entries."""
        return self.more or (self.fast is not None and has_doubts(self.fast))


class Where(msgspec.Struct, frozen=True):
    """A condition in the forms in which days are read."""

    usual: Sql
    together: Sql
    """Of days whose fields are together, not in columns: nothing is pushed down there,
    and the form that never fails is the quicker one."""


def where_of(selection: Selection, *, fast: bool) -> Where:
    """The condition of a selection.

    Args:
        fast: Whether the usual form is the fast one; see `Selection.fast`.
    """
    safe = condition(selection)
    return Where(condition(selection, fast=True) if fast else safe, safe)


def condition(selection: Selection, *, fast: bool = False) -> Sql:
    """A boolean expression over the columns."""
    where = selection.fast if fast and selection.fast is not None else selection.where
    parts = [f"({where.text})"]
    params: list[object] = [*where.params]
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
    selects = [f"SELECT {_SELECTED} FROM {p.name}.entries" for p in partitions]
    return f"({' UNION ALL '.join(selects)})"


def value_of(name: str, *, fast: bool = False) -> Sql:
    """A column, or the text of a field by its dotted name: nested, or with a dot in its
    key. `fields.id` is the field, `id` the column.

    Args:
        fast: In the form that is pushed down, and fails where `Selection.fast` does.
    """
    if name in COLUMNS:
        return Sql(name)
    name = name.removeprefix("fields.")
    head, _, rest = name.partition(".")
    whole = _text_of("fields", name, fast=fast)
    if not rest:
        return whole
    parts = rest.split(".")
    inside = Sql("variant_extract(fields, ?)", (head,))
    for part in parts[:-1]:
        inside = Sql(f"variant_extract({inside.text}, ?)", (*inside.params, part))
    nested = _text_of(inside.text, parts[-1], fast=fast)
    return Sql(
        f"coalesce(CASE WHEN variant_exists(fields, ?) THEN {nested.text} END, "
        f"{whole.text})",
        (head, *inside.params, *nested.params, *whole.params),
    )


def _text_of(variant: str, key: str, *, fast: bool) -> Sql:
    if fast:
        return Sql(f"CAST(variant_extract({variant}, ?) AS VARCHAR)", (key,))
    return Sql(f"variant_extract_string({variant}, ?)", (key,))
