"""Lengths of time and sizes: `250ms`, `3h2m`, `10MB`, and how they are read in values.

A value with a unit says itself what it is. A plain number is of the unit that the
field's name ends in (`took_ms`, `durationMs`, `body_kb`), and otherwise seconds or
bytes. All is in 64-bit floats, added up in one order, so that SQL and Python agree.
"""

import re
from typing import Final, Literal

import msgspec

from logstream.query.numbers import number_of_text

Kind = Literal["duration", "size"]

_SECONDS: Final = {
    "w": 604800.0,
    "d": 86400.0,
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "ns": 1e-9,
}
_BYTES: Final = {
    "b": 1.0,
    **{f"{p}b": 1000.0 ** (n + 1) for n, p in enumerate("kmgtpe")},
    **{f"{p}ib": 1024.0 ** (n + 1) for n, p in enumerate("kmgtpe")},
}
UNITS: Final[dict[Kind, dict[str, float]]] = {"duration": _SECONDS, "size": _BYTES}

_NUMBER: Final = r"([0-9]{1,18}(?:\.[0-9]{1,18})?)"
_SPELT: Final = {"us": "(?:us|\u00b5s|\u03bcs)"}
DURATION: Final = "-?" + "".join(
    f"(?:{_NUMBER}{_SPELT.get(unit, unit)})?" for unit in _SECONDS
)
"""For RE2 and Python: each unit once, the largest first."""
ONE_DURATION: Final = (
    rf"-?{_NUMBER}(?:{'|'.join(_SPELT.get(unit, unit) for unit in _SECONDS)})"
)
ENDINGS: Final = {
    **{unit: _SECONDS[unit] for unit in ("ms", "us", "ns")},
    **dict.fromkeys(("\u00b5s", "\u03bcs"), 1e-6),
    **{unit: _SECONDS[unit] for unit in ("s", "m", "h", "d", "w")},
}
"""Of a text with one unit, longer ones first."""
UNIT_LETTERS: Final = "wdhmsun\u00b5\u03bc"
SIZE: Final = r"(-?[0-9]{1,18}(?:\.[0-9]{1,18})?) ?([kKmMgGtTpPeE]?i?[bB])"
_DURATION = re.compile(DURATION)
_SIZE = re.compile(SIZE)

_NAMED: Final[dict[Kind, tuple[tuple[str, float], ...]]] = {
    "duration": (
        (r"_(ns|nanos|nanoseconds)|[a-z]N(s|anos|anoseconds)", 1e-9),
        (r"_(us|micros|microseconds)|[a-z](Us|Micros|Microseconds)", 1e-6),
        (r"_(ms|msec|millis|milliseconds)|[a-z](Ms|Msec|Millis|Milliseconds)", 1e-3),
        (r"_(min|mins|minutes)|[a-z](Min|Mins|Minutes)", 60.0),
        (r"_(hours)|[a-z](Hours)", 3600.0),
        (r"_(days)|[a-z](Days)", 86400.0),
    ),
    "size": tuple(
        (rf"_{unit}|[a-z]{unit[0].upper()}{unit[1:]}|[a-z]{unit[:-1].upper()}B", scale)
        for unit, scale in _BYTES.items()
        if unit != "b"
    ),
}


_COUNTED = re.compile(r"(?:(?:^|_)(?:bytes|seconds|secs)|[a-z](?:Bytes|Seconds)|_s)$")


class Quantity(msgspec.Struct, frozen=True):
    kind: Kind
    value: float
    """Seconds, or bytes."""


def quantity_of(text: str) -> Quantity | None:
    """What a text with a unit says; None: it is none."""
    if (seconds := _seconds(text)) is not None:
        return Quantity("duration", seconds)
    found = _SIZE.fullmatch(text)
    if found is None or found[2].lower() not in _BYTES:
        return None
    return Quantity("size", float(found[1]) * _BYTES[found[2].lower()])


def in_value(text: str, kind: Kind, scale: float) -> float | None:
    """The quantity that a field's value, as text, says.

    Args:
        scale: Of a plain number.
    """
    number = number_of_text(text)
    if number is not None:
        return number * scale
    found = quantity_of(text)
    return found.value if found is not None and found.kind == kind else None


def scale_of(name: str, kind: Kind) -> float:
    """What a plain number in a field of this name counts, in seconds or bytes."""
    for ending, scale in _NAMED[kind]:
        if re.search(f"(?:{ending})$", name):
            return scale
    return 1.0


def is_of_numbers(name: str, kind: Kind) -> bool:
    """Whether a field of this name is one of plain numbers, as far as one can tell."""
    return scale_of(name, kind) != 1.0 or _COUNTED.search(name) is not None


def _seconds(text: str) -> float | None:
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    total = 0.0
    for part, scale in zip(found.groups(), _SECONDS.values(), strict=True):
        total += float(part or 0) * scale
    return -total if text.startswith("-") else total
