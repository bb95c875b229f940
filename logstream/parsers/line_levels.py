"""Where a line of text carries its level.

In places where programs write one: right after the time (process ids, thread names
and loggers may stand between), in brackets there, at the beginning of a line without
a time, or as `level=`. A word such as "error" in a sentence says nothing of the
line's own level.
"""

import re

from logstream.core.levels import LEVEL_BY_NAME

_NAMES = (
    "trace|trc|verbose|finest|finer|debug[1-5]?|dbg|information|info|inf|notice|note"
    "|warning|warn|wrn|error|err|severe|fatal|ftl|critical|crit|alert|emergency|emerg"
    "|panic"
)
_SHOUTED = f"{_NAMES}|fine|log".upper()
_PLAIN = "trace|debug|info|warn|warning|error|err|critical|crit|fatal"

_LEVEL = (
    rf"[\[(<][ ]{{0,2}}(?:[\w.-]{{1,32}}:)?((?i:{_NAMES}))[ ]{{0,2}}[\])>]"
    rf"|((?:{_SHOUTED}))(?![\w.=/-])"
    rf"|((?i:{_NAMES})|LOG):"
)
_SKIPPED = (
    r"(?>\d{1,12}(?=[\s|,\]:])"
    r"|\[[^\[\]]{0,100}\]|\([^()]{0,100}\)"
    r"|[A-Za-z_$][\w$]{0,63}(?:[.:/][\w$*-]{1,63}){1,8}"
    r"|[\w.$-]{1,64}(?=[ ][-|][ ]))"
)
_GAP = r"[\s|:,-]*+"

_AFTER_TIME = re.compile(
    rf"[\])>\"']{{0,2}}{_GAP}"
    rf"(?:(?:{_SKIPPED}{_GAP}){{0,5}}?(?:{_LEVEL})|({_PLAIN})(?=\s))"
)
_AT_START = re.compile(rf"(?:{_SKIPPED}{_GAP}){{0,3}}?(?:{_LEVEL})")
_KEYED = re.compile(
    r"(?:^|[\s,{;|])(?:(?:level|lvl|severity)=[\"']?"
    r"|\"(?:level|lvl|severity)\"\s?:\s?\")([A-Za-z]{1,13})\b",
    re.IGNORECASE,
)


def level_after_time(head: str, end: int) -> str | None:
    """Args: end: where the time ended."""
    return _named(_AFTER_TIME.match(head, end))


def level_at_start(head: str) -> str | None:
    return _named(_AT_START.match(head))


def level_in_pair(head: str) -> str | None:
    """As in `level=warn` or `"level":"warn"`."""
    lowered = head.lower()
    if "level" in lowered or "lvl" in lowered or "severity" in lowered:
        return _named(_KEYED.search(head))
    return None


def level_of_letter(letter: str) -> str | None:
    """The one-letter levels of Android and klog; Android's `S`, silent, is none."""
    return LEVEL_BY_NAME.get(letter.lower())


def _named(found: re.Match[str] | None) -> str | None:
    if found is None or found.lastindex is None:
        return None
    word = found[found.lastindex].lower()
    if word == "note":
        return "info"
    return LEVEL_BY_NAME.get(word) or LEVEL_BY_NAME.get(word.rstrip("12345"))
