"""Rows: entries with columns that were added, or what an aggregation made."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from logstream.core.entry import Entry
from logstream.core.timestamps import parse_ns
from logstream.query.names import FIELDS_PREFIX, Path, subject_of
from tests.query.model.values import V, text

OWN = ("timestamp", "source", "level", "message")


class Rows:
    """Rows, in order.

    Args:
        asked: The rows of another query, for `in (…)`.
        span: [from, to) of the whole query, in nanoseconds.
        is_open: They are entries: any name means something.
        gone: Names of entries that are there no more.
    """

    def __init__(
        self,
        rows: "Iterable[Row]",
        *,
        asked: Callable[[Any], "Rows"],
        span: tuple[int, int],
        is_open: bool,
        gone: frozenset[str] = frozenset(),
    ) -> None:
        self.asked = asked
        self.span = span
        self.is_open = is_open
        self.gone = gone
        self.rows = [Row(self, row.entry, row.columns) for row in rows]

    def __iter__(self) -> "Iterator[Row]":
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def own(self, name: str) -> str:
        """`fields.a` is `a`, where there are entries."""
        short = name.removeprefix(FIELDS_PREFIX)
        return short if self.is_open and short not in OWN else name

    def of(
        self, rows: "Iterable[Row]", *, gone: frozenset[str] | None = None
    ) -> "Rows":
        """Other rows of the same kind."""
        return Rows(
            rows,
            asked=self.asked,
            span=self.span,
            is_open=self.is_open,
            gone=self.gone if gone is None else gone,
        )

    def made(self, rows: "Iterable[dict[str, V]]") -> "Rows":
        """Rows that are no entries."""
        found = [Row(self, None, columns) for columns in rows]
        return Rows(found, asked=self.asked, span=self.span, is_open=False)

    def only(self, names: Sequence[tuple[str, str]]) -> "Rows":
        """These columns, under new names. The rows are entries still."""
        found = [
            Row(self, row.entry, {new: row[old] for old, new in names}) for row in self
        ]
        return Rows(found, asked=self.asked, span=self.span, is_open=False)

    def shown(self) -> list[dict[str, Any]]:
        return [row.shown() for row in self]


class Row:
    def __init__(self, rows: Rows, entry: Entry | None, columns: dict[str, V]) -> None:
        self.rows = rows
        self.entry = entry
        self.columns = columns

    def __getitem__(self, name: str) -> V:
        """What a name means."""
        name = self.rows.own(name)
        if name in self.columns:
            return self.columns[name]
        if name in self.rows.gone:
            return ("text", None)
        assert self.rows.is_open
        assert self.entry is not None
        if name == "timestamp":
            return ("time", parse_ns(self.entry.timestamp))
        if name in OWN:
            return ("text", getattr(self.entry, name))
        path = subject_of(name)
        assert isinstance(path, Path)
        return ("field", self._found(path))

    def _found(self, path: Path) -> Any:
        """The first way that leads to a value, through columns that were added."""
        assert self.entry is not None
        fields = self.entry.fields or {}
        *ways, flat = path.ways
        for way in ways:
            for cut in range(1, len(way)):
                name = ".".join(way[:cut])
                if name in self.columns:
                    kind, one = self.columns[name]
                    found = _at(one, way[cut:]) if kind == "field" else None
                    return fields.get(flat[0]) if found is None else found
                if name in self.rows.gone:
                    return fields.get(flat[0])
            if (found := _at(fields, way)) is not None:
                return found
        return fields.get(flat[0])

    def among(self, query: object) -> Sequence[str | None]:
        return [
            text(next(iter(row.columns.values()))) for row in self.rows.asked(query)
        ]

    def place(self) -> tuple[int, int]:
        """In the order of entries."""
        assert self.entry is not None
        return parse_ns(self.entry.timestamp), self.entry.id or 0

    def with_columns(self, added: dict[str, V]) -> "Row":
        return Row(self.rows, self.entry, self.columns | added)

    def without(self, names: Sequence[str]) -> "Row":
        kept = {key: one for key, one in self.columns.items() if key not in names}
        return Row(self.rows, self.entry, kept)

    def shown(self) -> dict[str, Any]:
        """As JSON has it."""
        if not self.rows.is_open:
            return {name: _out(one) for name, one in self.columns.items()}
        assert self.entry is not None
        gone = self.rows.gone
        fields = dict(self.entry.fields or {})
        for name in gone:
            fields = _without(_without(fields, (name,)), name.split("."))
        for name, one in self.columns.items():
            if name not in OWN:
                fields[name] = _out(one)
        own = {name: _out(self[name]) for name in OWN if name not in gone}
        return {**own, "fields": fields}


def _at(one: Any, way: Sequence[str]) -> Any:
    for key in way:
        one = one.get(key) if isinstance(one, dict) else None
    return one


def _without(one: Any, way: Sequence[str]) -> Any:
    if not isinstance(one, dict) or way[0] not in one:
        return one
    if len(way) == 1:
        return {key: value for key, value in one.items() if key != way[0]}
    return {**one, way[0]: _without(one[way[0]], way[1:])}


def _out(value: V) -> Any:
    return text(value) if value[0] == "time" else value[1]
