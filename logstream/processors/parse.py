"""`parse`: JSON, or what a pattern finds, in the message (or a field) to fields.

A text that is not in the format is no error: the entry stays as it is. Text from
outside is never trusted with the time or the shape of the work: JSON deeper than
`MAX_DEPTH` is left alone, and a pattern that can take exponential time is refused
(see `backtracking`).
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from logstream.config.nearest import did_you_mean
from logstream.core.entry import Entry
from logstream.core.errors import ConfigError
from logstream.core.levels import level_of
from logstream.core.timestamps import TimestampError, canonical
from logstream.plugins.contracts import BuildContext, Options
from logstream.processors.backtracking import may_explode
from logstream.processors.field_paths import (
    COLUMNS,
    MISSING,
    Draft,
    FieldPath,
)

MAX_DEPTH = 64
"""Of JSON inside a message. Brackets in its strings count, which errs on the safe side
for texts that hold very many of them."""

MAX_CHARS = 16_384
"""Longer texts are left alone by a pattern: `.*` in front makes a search quadratic."""


class ParseOptions(Options, frozen=True, kw_only=True):
    from_: str = msgspec.field(default="message", name="from")
    """What is parsed: `message`, `source`, or a field that holds text."""

    format: Literal["json", "regex"] = "json"
    """`json` takes one JSON object; `regex` takes `pattern`."""

    pattern: str | None = None
    """A Python regular expression with named groups, `(?P<status>\\d+)`, found
    anywhere in the text (`^` and `$` pin it). Each group becomes a field."""

    into: str = ""
    """The field, dotted at will, that gets what was found as an object. Empty: it goes
    to the top of the fields."""

    overwrite: bool = False
    """Whether fields that are there are replaced."""

    promote: dict[Literal["timestamp", "source", "level", "message"], str] = (
        msgspec.field(default_factory=dict)
    )
    """Part of the entry: the key or group it is taken from, such as `timestamp: ts`.
    What cannot be one (a level that is a list) stays a field."""

    types: dict[str, Literal["int", "float", "bool"]] = msgspec.field(
        default_factory=dict
    )
    """Key or group: what its text is turned into. What is not one stays text."""


Extract = Callable[[str], dict[str, Any] | None]


class ParseProcessor:
    """Without state between batches."""

    def __init__(self, options: ParseOptions, extract: Extract) -> None:
        name = options.from_
        self._from = name if name in COLUMNS else FieldPath(name)
        self._extract = extract
        self._into = FieldPath(options.into) if options.into else None
        self._overwrite = options.overwrite
        self._promote = [(key, part) for part, key in options.promote.items()]
        self._convert = [(key, _CONVERT[kind]) for key, kind in options.types.items()]

    def process(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        return [self._parse(entry) for entry in batch]

    def _parse(self, entry: Entry) -> Entry:
        place = self._from
        if isinstance(place, str):
            text = getattr(entry, place)
        else:
            text = place.read(entry.fields)
            if not isinstance(text, str):
                return entry
        found = self._extract(text)
        if found is None:
            return entry
        for key, convert in self._convert:
            if isinstance(value := found.get(key), str):
                found[key] = convert(value)
        draft = Draft(entry)
        for key, part in self._promote:
            if key in found and (value := _part(part, found[key])) is not None:
                draft.columns[part] = value
                del found[key]
        return draft.finish() if self._merge(draft.fields, found) else entry

    def _merge(self, fields: dict[str, Any], found: dict[str, Any]) -> bool:
        """Into `fields`, which is changed; False when `into` is taken."""
        if self._into is None:
            fields.update(_join(fields, found, overwrite=self._overwrite))
            return True
        there = self._into.read(fields)
        if isinstance(there, dict):
            found = _join(there, found, overwrite=self._overwrite)
        elif there is not MISSING and not self._overwrite:
            return False
        return self._into.put(fields, found)


def _join(
    there: Mapping[str, Any], found: dict[str, Any], *, overwrite: bool
) -> dict[str, Any]:
    return {**there, **found} if overwrite else {**found, **there}


def _part(part: str, value: Any) -> str | None:
    """The value as that part of an entry; None: it cannot be."""
    if part == "level":
        return level_of(value)
    if part != "timestamp":
        return value if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return canonical(value)
    except TimestampError:
        return None


_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def _int(text: str) -> int | str:
    return int(text) if _WHOLE.fullmatch(text) else text


def _float(text: str) -> float | str:
    if not _DECIMAL.fullmatch(text):
        return text
    number = float(text)
    return number if math.isfinite(number) else text


def _bool(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text.lower(), text)


_CONVERT: dict[str, Callable[[str], Any]] = {
    "int": _int,
    "float": _float,
    "bool": _bool,
}


_decode = msgspec.json.Decoder(dict[str, Any]).decode


def _extract_json(text: str) -> dict[str, Any] | None:
    if not text.startswith("{") and not text.lstrip().startswith("{"):
        return None
    opened = text.count("{") + text.count("[")
    if opened > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        return None
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return None


def _depth(text: str) -> int:
    depth = deepest = 0
    for mark in re.findall(r"[][{}]", text):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _extract_regex(pattern: re.Pattern[str]) -> Extract:
    search = pattern.search

    def extract(text: str) -> dict[str, Any] | None:
        found = search(text) if len(text) <= MAX_CHARS else None
        if found is None:
            return None
        groups = found.groupdict()
        if None in groups.values():
            return {name: value for name, value in groups.items() if value is not None}
        return groups

    return extract


def build_parse(options: ParseOptions, context: BuildContext) -> ParseProcessor:
    """Raises ConfigError: the pattern, or keys that do not go together."""
    if options.format == "json":
        if options.pattern is not None:
            raise ConfigError("pattern goes with format: regex")
        return ParseProcessor(options, _extract_json)
    if options.pattern is None:
        raise ConfigError("format: regex needs a pattern")
    pattern = _compile(options.pattern)
    for key, names in (("promote", options.promote.values()), ("types", options.types)):
        for name in names:
            if name not in pattern.groupindex:
                hint = did_you_mean(name, pattern.groupindex)
                raise ConfigError(f"{key}: the pattern has no group '{name}'{hint}")
    return ParseProcessor(options, _extract_regex(pattern))


def _compile(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(f"pattern: is no regular expression: {error}") from None
    if not pattern.groupindex:
        raise ConfigError(
            "pattern: has no named group, so nothing would come of it: "
            r"write (?P<status>\d+) instead of (\d+)"
        )
    if may_explode(text):
        raise ConfigError(
            "pattern: it repeats a part that itself repeats, which can take for "
            "ever on a text that nearly matches. Write the inner repeat with `++` or "
            "`*+` (it then gives nothing back), or put a separator between the two."
        )
    return pattern
