"""Levels: six that have an order, the names others give them, and any other word.

Numbers are told by magnitude: 0 to 7 are syslog severities (RFC 5424 §6.2.1), 10 to
60 in tens are what pino and bunyan write.
"""

import re

LEVELS = ("trace", "debug", "info", "warn", "error", "fatal")
"""From least to most severe."""

DEFAULT_LEVEL = "info"

_NAMES: dict[str, tuple[str, ...]] = {
    "trace": ("trace", "trc", "verbose", "finest", "finer", "silly", "t", "v"),
    "debug": ("debug", "dbg", "fine", "d", "debug1", "debug2", "debug3"),
    "info": (
        *("info", "inf", "information", "informational", "notice", "i", "n"),
        *("success", "log", "config"),
    ),
    "warn": ("warn", "warning", "wrn", "w"),
    "error": ("error", "err", "severe", "failure", "e"),
    "fatal": (
        *("fatal", "ftl", "critical", "crit", "alert", "emerg", "emergency"),
        *("panic", "f", "c", "wtf"),
    ),
}

LEVEL_BY_NAME: dict[str, str] = {
    name: level for level, names in _NAMES.items() for name in names
}
"""Lower-case name → level."""

LEVEL_BY_NUMBER: dict[int, str] = {
    **dict(enumerate(("fatal",) * 3 + ("error", "warn", "info", "info", "debug"))),
    **{10 * (rank + 1): level for rank, level in enumerate(LEVELS)},
}

_WORD = re.compile(r"[a-z][a-z0-9_.-]{0,31}")


def level_of(value: object) -> str | None:
    """The level that a sender's value means; None when it means none.

    Args:
        value: A name in any case, a word of the sender's own (kept, in lower case),
            or a number, also as digits.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return LEVEL_BY_NUMBER.get(value)
    if not isinstance(value, str):
        return None
    name = value.strip().lower()
    if not name:
        return DEFAULT_LEVEL
    if known := LEVEL_BY_NAME.get(name):
        return known
    if name.isascii() and name.isdigit() and len(name) <= 2:
        return LEVEL_BY_NUMBER.get(int(name))
    return name if _WORD.fullmatch(name) else None
