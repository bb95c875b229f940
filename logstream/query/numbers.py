"""Numbers: what counts as one, and how a value of a field reads as text.

The store keeps a JSON number as a 64-bit integer where it is one, and as a double
otherwise. All that is said here is what DuckDB does with such a value, in Python; a
test holds the two together.
"""

import math
import re
import sys
from collections.abc import Collection
from typing import Any

LARGEST = sys.float_info.max

_BLANK = r"[ \t\n\r\f\v]*"
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_CAST = re.compile(
    rf"{_BLANK}\+?(-?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})"
    rf"(?:[eE][+-]?{_DIGITS})?){_BLANK}"
)
_JSON = re.compile(r"-?(0|[1-9][0-9]*)(?:\.([0-9]+))?([eE][+-]?[0-9]+)?")
_MIN_INT, _MAX_INT = -(2**63), 2**64 - 1
EXACT = 2**53
"""From here on, one double stands for several integers."""
_NOT_FINITE = ("inf", "-inf", "nan")
"""Texts that doubles may have besides."""


def number_of_text(text: str) -> float | None:
    """The finite number that a text is; None when it is none.

    Just what `TRY_CAST(text AS DOUBLE)` takes, less NaN and the infinities: blanks
    around it, a `+`, leading zeros and `_` between digits are allowed.
    """
    found = _CAST.fullmatch(text)
    if found is None:
        return None
    number = float(found[1].replace("_", ""))
    return number if math.isfinite(number) else None


def number_of(value: Any) -> float | None:
    """The number in a field: a JSON number, or a text that is one. Not a bool."""
    if isinstance(value, str):
        return number_of_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = _double(value)
    return number if math.isfinite(number) else None


def text_of(value: Any) -> str | None:
    """A field's value as text; None for null, an object or an array."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and _MIN_INT <= value <= _MAX_INT:
        return str(value)
    return repr(_double(value)) if isinstance(value, int | float) else None


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def spellings(text: str) -> tuple[str, ...]:
    """The texts that a value may have for `field:text` to match it.

    `500` also finds the number 500.0, `5e2` both; `1.10` finds only a text `1.10`,
    since it is as likely a version as a number, and no JSON number reads so.
    """
    found = _JSON.fullmatch(text)
    number = float(text) if found else math.inf
    if found is None or not math.isfinite(number):
        return (text,)
    fraction, exponent = found[2] or "", found[3]
    if fraction.strip("0") and fraction.endswith("0") and not exponent:
        return (text,)
    if number == 0:
        return tuple(dict.fromkeys((text, "0", "0.0", "-0.0")))
    if fraction.strip("0") or exponent or len(found[1]) > 20:
        whole = int(number) if number.is_integer() else None
    else:
        whole = int(text.partition(".")[0])
    others = []
    if whole is not None and _MIN_INT <= whole <= _MAX_INT:
        others.append(str(whole))
        if float(whole) == whole:
            others.append(repr(number))
    else:
        others.append(repr(number))
    return tuple(dict.fromkeys((text, *others)))


def numbers_alone(texts: Collection[str]) -> tuple[float, ...]:
    """The numbers whose texts are among these: a number is one of them where its text
    is one of the texts, and only there. Of none, or where that does not hold, `()`.
    """
    found = []
    for text in texts:
        if text in _NOT_FINITE:
            return ()
        number = float(text) if _JSON.fullmatch(text) else None
        if number is None:
            continue
        own = {repr(number)}
        if number.is_integer():
            own |= {str(int(number)), *(("0.0", "-0.0") if number == 0 else ())}
        if abs(number) >= EXACT or (text in own and not own <= {*texts}):
            return ()
        if text in own:
            found.append(number)
    return tuple(sorted({*found}))
