"""Which entries a read is about: times, levels, sources and a filter, as one `Sql`."""

from collections.abc import Sequence

import msgspec

from logstream.config.settings import QueryConfig
from logstream.core.errors import BadRequest
from logstream.core.levels import LEVELS, level_of
from logstream.core.needs import Need, Value, all_of, any_of
from logstream.core.relative_time import FORMS, parse_time
from logstream.core.sql import TRUE, Sql
from logstream.core.timestamps import TimestampError, format_ns, now_ns, parse_ns
from logstream.pipeline.engine import Engine
from logstream.storage.selection import Selection

MAX_SORT_FIELD_CHARS = 512

TIMEOUT_HELP = (
    "Seconds that it may take, `query.timeout_s` if missing, up to "
    "`query.max_timeout_s`."
)

Instant = str | int | float | None
"""As a caller gives it; None and an empty text mean: no bound."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A range of time, from (inclusive) to (exclusive), in nanoseconds."""

    from_ns: int | None
    to_ns: int | None

    @property
    def begins(self) -> str | None:
        return None if self.from_ns is None else format_ns(self.from_ns)

    @property
    def ends(self) -> str | None:
        return None if self.to_ns is None else format_ns(self.to_ns)


def span_of(begin: Instant, end: Instant) -> Span:
    """Both ends, with one `now` for both.

    Raises:
        BadRequest: one is no time, or the range ends before it begins.
    """
    now = now_ns()
    span = Span(from_ns=_instant(begin, "from", now), to_ns=_instant(end, "to", now))
    begins, ends = span.from_ns, span.to_ns
    if begins is not None and ends is not None and begins > ends:
        raise BadRequest(
            f"'from' ({span.begins}) lies after 'to' ({span.ends}): swap them."
        )
    return span


def select(
    engine: Engine,
    span: Span,
    *,
    text: str = "",
    levels: Sequence[str] = (),
    sources: Sequence[str] = (),
) -> Selection:
    """Entries that meet all of it. Each of `levels` and `sources` is one of several.

    Raises:
        QuerySyntaxError: the text does not parse.
        BadRequest: a level is none.
    """
    parts: list[Sql] = []
    needs: list[Need | None] = []
    fast: Sql | None = None
    begin, end = span.from_ns, span.to_ns
    if levels:
        known = [_level(name) for name in levels]
        parts.append(_one_of("level", known))
        needs.append(any_of([Value("level", name) for name in known]))
    if sources:
        parts.append(_one_of("source", sources))
        needs.append(any_of([Value("source", name) for name in sources]))
    if text.strip():
        query = engine.compile_filter(text)
        fast = _all_of([*parts, query.where_sql])
        parts.append(query.sql)
        needs.append(query.needs)
        begin = max(query.span[0] or 0, begin or 0) or None
        ends = [one for one in (query.span[1], end) if one is not None]
        end = min(ends) if ends else None
    return Selection(
        where=_all_of(parts), fast=fast, needs=all_of(needs), from_ns=begin, to_ns=end
    )


def limit_of(
    asked: int | None, *, default: int, largest: int, key: str = "query.max_limit"
) -> int:
    """How many entries at most.

    Raises:
        BadRequest: below 1 or above the largest, which the config key sets.
    """
    if asked is None:
        return default
    if not 1 <= asked <= largest:
        raise BadRequest(
            f"'limit' is {asked}; it can be 1 to {largest} ({key}). "
            "Page on with the cursor."
        )
    return asked


def timeout_of(asked: float | None, config: QueryConfig) -> float | None:
    """How long it may take; None: `query.timeout_s`.

    Raises:
        BadRequest: not above 0, or above `query.max_timeout_s`.
    """
    if asked is None:
        return None
    if not 0 < asked <= config.max_timeout_s:
        raise BadRequest(
            f"'timeout_s' is {asked:g}; it can be above 0 up to "
            f"{config.max_timeout_s:g} (query.max_timeout_s)."
        )
    return asked


def sort_field(name: str) -> str:
    """What to sort or group by: a column or a field's dotted name.

    Raises:
        BadRequest: empty, or too long to be one.
    """
    if not 0 < len(name) <= MAX_SORT_FIELD_CHARS:
        raise BadRequest(
            "Sort and group by timestamp, source, level, message or the name of a "
            f"field, of up to {MAX_SORT_FIELD_CHARS} characters."
        )
    return name


def _instant(value: Instant, name: str, now: int) -> int | None:
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str):
            return parse_time(value, now_ns=now)
        return parse_ns(value)
    except TimestampError as error:
        reason = f"{value!r} {error}. A time is {FORMS}"
        text = str(error) if isinstance(value, str) else f"{reason}."
        raise BadRequest(f"'{name}': {text}") from None


def _level(name: str) -> str:
    found = level_of(name)
    if found is None or not name.strip():
        raise BadRequest(
            f"{name[:60]!r} is no level: send {', '.join(LEVELS)}, "
            "one of their usual names, or a word of your own."
        )
    return found


def _one_of(column: str, values: Sequence[str]) -> Sql:
    marks = ", ".join("?" * len(values))
    return Sql(f"{column} IN ({marks})", tuple(values))


def _all_of(parts: list[Sql]) -> Sql:
    if not parts:
        return TRUE
    if len(parts) == 1:
        return parts[0]
    return Sql(
        " AND ".join(f"({part.text})" for part in parts),
        tuple(value for part in parts for value in part.params),
    )
