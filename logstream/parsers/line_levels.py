"""Where a line of text carries its level.

In places where programs write one: right after the time (process ids, thread names
and loggers may stand between), in brackets there, at the beginning of a line without
a time, or as `level=`. A word such as "error" in a sentence says nothing of the
line's own level.
"""

import re

from logstream.core.levels import LEVEL_BY_NAME, LEVEL_BY_NUMBER

_NAMES = (
    "trace|trc|verbose|finest|finer|debug[1-5]?|dbg|information|info|inf|notice|note"
    "|warning|warn|wrn|error|err|severe|fatal|ftl|critical|crit|alert|emergency|emerg"
    "|panic"
)
_SHOUTED = f"{_NAMES}|fine|log".upper()
_PLAIN = "trace|debug|info|warn|warning|error|err|critical|crit|fatal"

_CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_LEVEL = (
    rf"[\[(<][ ]{{0,2}}(?:[\w.-]{{1,32}}:|[^\[\]()<>/]{{1,60}}/|{_CLOCK} )?"
    rf"((?i:{_NAMES}))[ ]{{0,2}}[\])>]"
    rf"|((?:{_SHOUTED}))(?![\w.=/-])"
    rf"|((?i:{_NAMES})|LOG):"
    rf"|[\w-]{{1,32}}\.({_SHOUTED}):"
    r"|%[A-Z][A-Z0-9_-]{1,32}-([0-7])-\w{1,64}:"
    r"|PHP (?:(Fatal) error|(?:Parse )?((?i:error|warning|notice))):"
)
_SKIPPED = (
    r"(?>\d{1,12}(?=[\s|,\]:])"
    r"|#\d{1,12}\]?|std(?:out|err) [FP](?= )"
    r"|\[[^\[\]]{0,100}\]|\([^()]{0,100}\)"
    r"|[\w./$-]{1,64}\[[\w:]{1,24}\]:?(?=\s)"
    r"|[A-Za-z_$][\w$]{0,63}(?:[.:/][\w$*-]{1,63}){1,8}"
    r"|[\w.$-]{1,64}(?=[ ][-|][ ]))"
)
_GAP = r"[\s|:,\]-]*+"

_AFTER_TIME = re.compile(
    rf"[\])>\"']{{0,2}}{_GAP}"
    rf"(?:(?:{_SKIPPED}{_GAP}){{0,5}}?(?:{_LEVEL})|({_PLAIN})(?=\s)"
    rf"|((?i:{_NAMES}))(?=[ ]{{2}}|\t)|([DIWEFC])\d?(?=[ ](?:\|[ ]|[A-Z]{{3}})))"
)
_AT_START = re.compile(
    rf"(?:\[?{_CLOCK}\]?{_GAP})?(?:{_SKIPPED}{_GAP}){{0,3}}?(?:{_LEVEL})"
    r"|\[([DIWEC]) \d\d:\d\d:\d\d"
    r"|([VDIWEF])/[^\s(]{1,64}+ {0,20}\( {0,20}\d{1,10}\):"
)
_BEFORE_TIME = re.compile(rf"[\[(<]?((?i:{_NAMES}))\b|\[([DIWEC]) |([DIWEF]), ")
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


def level_before_time(head: str) -> str | None:
    """Of a line with one word before its time."""
    return _named(_BEFORE_TIME.match(head))


def level_in_pair(head: str) -> str | None:
    """As in `level=warn` or `"level":"warn"`."""
    lowered = head.lower()
    if "level" in lowered or "lvl" in lowered or "severity" in lowered:
        return _named(_KEYED.search(head))
    return None


def level_of_name(name: str) -> str | None:
    """Letters, as of Android and klog, are names, too; Android's `S` is none."""
    return LEVEL_BY_NAME.get(name.lower())


def _named(found: re.Match[str] | None) -> str | None:
    if found is None or found.lastindex is None:
        return None
    word = found[found.lastindex].lower()
    if word.isdigit():
        return LEVEL_BY_NUMBER[int(word)]
    if word == "note":
        return "info"
    return LEVEL_BY_NAME.get(word) or LEVEL_BY_NAME.get(word.rstrip("12345"))
