"""JSON objects as log records: which of their keys mean time, level, message, source.

Programs disagree about the names. Each role has a list of names, the best first; the
first whose value can play the role does, and every other key stays a field under its
own name. Names are compared without regard to case.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from logstream.core.levels import LEVEL_BY_NAME, level_of
from logstream.core.timestamps import TimestampError, canonical, now_ns
from logstream.parsers.line_times import LineTimes, whole_time
from logstream.plugins.contracts import Line

NAMES: Mapping[str, tuple[str, ...]] = {
    "timestamp": (
        *("timestamp", "@timestamp", "time", "ts", "datetime", "date", "@t", "t"),
    ),
    "level": (
        *("level", "severity", "lvl", "loglevel", "log.level", "log_level"),
        *("levelname", "severity_text", "@l", "priority"),
    ),
    "message": ("message", "msg", "log", "text", "@m", "event"),
    "source": ("source", "service", "service.name", "app", "application"),
}
"""Role → the names it goes by."""

MAX_DEPTH = 64
_PLANS = 1024
_VALUE = msgspec.json.Decoder()

Plan = tuple[tuple[str, ...], ...]
"""For each role of `NAMES`, in that order: the keys of a record that may play it."""


class RecordReader:
    """Makes lines of records; remembers which keys play which role. One per stream."""

    def __init__(self, now: Callable[[], int] = now_ns) -> None:
        self._times = LineTimes(now)
        self._plans: dict[tuple[str, ...], Plan] = {}

    def start_batch(self) -> None:
        self._times.start_batch()

    def line(self, record: dict[str, Any], text: str) -> Line:
        """Args: text: the record as it was written, its message if it has no other."""
        keys = tuple(record)
        plan = self._plans.get(keys)
        if plan is None:
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            plan = self._plans[keys] = _plan(keys)
        times, levels, messages, sources = plan
        timestamp = self._timestamp(record, times) if times else None
        level = _level(record, levels) if levels else None
        message = _text(record, messages) if messages else None
        source = _text(record, sources) if sources else None
        return Line(
            timestamp=timestamp,
            level=level,
            source=source,
            message=text if message is None else message,
            fields=_with_inner_fields(record),
        )

    def _timestamp(self, record: dict[str, Any], keys: tuple[str, ...]) -> str | None:
        for key in keys:
            if (found := self._instant(record[key])) is not None:
                del record[key]
                return found
        return None

    def _instant(self, value: Any) -> str | None:
        if isinstance(value, str):
            return whole_time(value, self._times)
        # A small number is a count or a duration, not a time in 1970.
        if isinstance(value, int | float) and value >= 100_000_000:
            try:
                # As text, a float keeps the digits it was written with.
                return canonical(repr(value))
            except TimestampError:
                return None
        return None


def decode_record(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object that a text is, or None: not one, or nested too deep."""
    try:
        record = _VALUE.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None
    if not isinstance(record, dict):
        return None
    # Counting brackets bounds the depth from above and costs far less than walking.
    brackets = (
        text.count("{") + text.count("[")
        if isinstance(text, str)
        else text.count(b"{") + text.count(b"[")
    )
    if brackets > MAX_DEPTH and _too_deep(record):
        return None
    return record


def _too_deep(record: dict[str, Any]) -> bool:
    level: list[Any] = [record]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for value in level:
            members = value.values() if isinstance(value, dict) else value
            inner.extend(v for v in members if isinstance(v, dict | list))
        if not inner:
            return False
        level = inner
    return True


def _plan(keys: tuple[str, ...]) -> Plan:
    lowered = {key.lower(): key for key in reversed(keys)}
    return tuple(
        tuple(lowered[name] for name in names if name in lowered)
        for names in NAMES.values()
    )


def _level(record: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = record[key]
        found = level_of(value)
        if found is None or (isinstance(value, str) and not value.strip()):
            continue
        if key.lower() == "priority" and not _is_severity(value):
            continue
        del record[key]
        return found
    return None


def _is_severity(value: Any) -> bool:
    """`priority` also names urgencies (`high`), which are no levels."""
    return isinstance(value, int) or value.lower() in LEVEL_BY_NAME or value.isdigit()


def _text(record: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = record[key]
        if isinstance(value, str) and value:
            del record[key]
            return value
    return None


def _with_inner_fields(record: dict[str, Any]) -> dict[str, Any]:
    inner = record.get("fields")
    if not isinstance(inner, dict):
        return record
    del record["fields"]
    return {**record, **inner} if record else inner
