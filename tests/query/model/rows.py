"""Rows: entries with columns that were added, or what an aggregation made."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from logstream.core.entry import Entry
from logstream.core.timestamps import parse_ns
from logstream.query.names import FIELDS_PREFIX, Path, subject_of
from tests.query.model.values import V, text

OWN = ("timestamp", "source", "level", "message")
Span = tuple[int, int]
"""[from, to), in nanoseconds."""


class World(msgspec.Struct, frozen=True):
    """What a query is asked about."""

    entries: Sequence[Entry]
    span: Span
    """Of the whole query."""
    sampled: Callable[[int], frozenset[int]]
    """The ids of the entries that `sample n` takes: any, but as many as it should."""
    shift_ns: int = 0
    """How much earlier times in filters are meant."""
    bound: Span | None = None
    """Of what asks for no times of its own."""


def newest_first(entries: Sequence[Entry]) -> list[Entry]:
    return sorted(
        entries, key=lambda one: (parse_ns(one.timestamp), one.id or 0), reverse=True
    )


def within(span: Span, own: tuple[int | None, int | None]) -> Span:
    begin, end = own
    return (
        span[0] if begin is None else max(span[0], begin),
        span[1] if end is None else min(span[1], end),
    )


class Rows:
    """Rows, in order.

    Args:
        world: What they come from.
        asked: The rows of another query, for `in (…)`.
        span: [from, to) that they lie in.
        is_open: They are entries: any name means something.
        gone: Names of entries that are there no more.
        keys: What they were grouped by; None: they were not.
        step_ns: What the buckets of time among these are multiples of.
    """

    def __init__(
        self,
        rows: "Iterable[Row]",
        *,
        world: World,
        asked: Callable[[Any], "Rows"],
        span: Span,
        is_open: bool,
        gone: frozenset[str] = frozenset(),
        keys: tuple[str, ...] | None = None,
        step_ns: int = 1,
    ) -> None:
        self.world = world
        self.asked = asked
        self.span = span
        self.is_open = is_open
        self.gone = gone
        self.keys = keys
        self.step_ns = step_ns
        self.rows = [Row(self, row.entry, row.columns, row.fields) for row in rows]

    def __iter__(self) -> "Iterator[Row]":
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def own(self, name: str) -> str:
        """`fields.a` is `a`, where there are entries."""
        short = name.removeprefix(FIELDS_PREFIX)
        return short if self.is_open and short not in OWN else name

    def of(
        self,
        rows: "Iterable[Row]",
        *,
        gone: frozenset[str] | None = None,
        keys: tuple[str, ...] | None = None,
    ) -> "Rows":
        """Other rows of the same kind."""
        return Rows(
            rows,
            world=self.world,
            asked=self.asked,
            span=self.span,
            is_open=self.is_open,
            gone=self.gone if gone is None else gone,
            keys=self.keys if keys is None else keys,
            step_ns=self.step_ns,
        )

    def made(
        self,
        rows: "Iterable[dict[str, V]]",
        *,
        keys: Iterable[str] | None = None,
        step_ns: int = 1,
    ) -> "Rows":
        """Rows that are no entries."""
        return Rows(
            [Row(self, None, columns) for columns in rows],
            world=self.world,
            asked=self.asked,
            span=self.world.span,
            is_open=False,
            keys=None if keys is None else tuple(keys),
            step_ns=step_ns,
        )

    def only(self, names: Sequence[tuple[str, str]]) -> "Rows":
        """These columns, under new names. The rows are entries still."""
        found = [
            Row(self, row.entry, {new: row[old] for old, new in names}, row.fields)
            for row in self
        ]
        keys = self.keys
        if keys is not None:
            keys = tuple(new for old, new in names if old in keys)
        return Rows(
            found,
            world=self.world,
            asked=self.asked,
            span=self.span,
            is_open=False,
            keys=keys,
            step_ns=self.step_ns,
        )

    def shown(self) -> list[dict[str, Any]]:
        return [row.shown() for row in self]


class Row:
    """Of an entry, or not.

    Args:
        columns: That were made, or added.
        fields: Of the entry, where some were added; None: its own.
    """

    def __init__(
        self,
        rows: Rows,
        entry: Entry | None,
        columns: dict[str, V],
        fields: dict[str, Any] | None = None,
    ) -> None:
        self.rows = rows
        self.entry = entry
        self.columns = columns
        self.fields = fields
        if fields is None:
            self.fields = (entry.fields or {}) if entry is not None else {}

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
        fields = self.fields or {}
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
        return Row(self.rows, self.entry, self.columns | added, self.fields)

    def with_fields(self, added: dict[str, Any]) -> "Row":
        """More of them, deep into objects; what is null is none."""
        merged = _merged(self.fields, added)
        return Row(self.rows, self.entry, self.columns, merged)

    def without(self, names: Sequence[str]) -> "Row":
        kept = {key: one for key, one in self.columns.items() if key not in names}
        return Row(self.rows, self.entry, kept, self.fields)

    def shown(self) -> dict[str, Any]:
        """As JSON has it."""
        if not self.rows.is_open:
            return {name: _out(one) for name, one in self.columns.items()}
        assert self.entry is not None
        gone = self.rows.gone
        fields = dict(self.fields or {})
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


def _merged(one: Any, other: Any) -> Any:
    if not isinstance(other, dict):
        return other
    found = dict(one) if isinstance(one, dict) else {}
    for key, value in other.items():
        if value is not None:
            found[key] = _merged(found.get(key), value)
    return found


def _without(one: Any, way: Sequence[str]) -> Any:
    if not isinstance(one, dict) or way[0] not in one:
        return one
    if len(way) == 1:
        return {key: value for key, value in one.items() if key != way[0]}
    return {**one, way[0]: _without(one[way[0]], way[1:])}


def _out(value: V) -> Any:
    return text(value) if value[0] == "time" else value[1]
