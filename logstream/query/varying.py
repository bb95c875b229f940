"""What varies in texts of one kind, by how it looks: numbers, times, addresses.

`from 10.0.0.7 in 12ms` becomes `from <ip> in <duration>`. The order counts: what is in
front takes what would be a part of another. All of it costs 3 us a text, so it is asked
of one text of those that differ in digits alone, which `shape` finds for 0.3 us:
400 000 generated entries have 128 000 different messages, and these 268 shapes.
"""

from typing import Final

from logstream.core.sql import Sql
from logstream.query.fragments import of

_HEX = "[0-9a-fA-F]"
_NUMBER = r"\d+(?:\.\d+)?"
_IP = r"\d{1,3}(?:\.\d{1,3}){3}"
_MIXED = "[0-9]+[a-fA-F]|[a-fA-F]+[0-9]"
_MICRO = "\u00b5"
_METHOD = "GET|POST|PUT|DELETE|HEAD|PATCH|OPTIONS|CONNECT|TRACE"
_WEEKDAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = r"\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z\b| ?(?:UTC|GMT)\b| ?[+-]\d\d:?\d\d\b)?"
_DATE = r"(?:\d{4}[-/]\d\d[-/]\d\d|\d\d[-/]\d\d[-/]\d{4})"
_SPOKEN = (
    rf"(?:{_WEEKDAY},? +)?(?:{_MONTH} +\d{{1,2}},?|\d\d?[ /-]{_MONTH})"
    rf"(?:[ /-]+\d{{4}}\b)?(?:[ :,]+{_CLOCK})?"
)
_QUOTE = "\x01"
"""In place of those around a request, which is no string that varies as one."""

VARYING: Final = (
    (
        rf'"({_METHOD}) [^" ]*( HTTP/[0-9.]+)?"',
        rf"{_QUOTE}\1 <path>\2{_QUOTE}",
    ),
    (r'"(?:[^"\\]|\\.)*"', "<str>"),
    (
        rf"/?\b{_IP}(?::\d+|\.[A-Za-z][\w.-]*)?\b(?:,{_IP}\b)*",
        "<ip>",
    ),
    (rf"\b({_METHOD}) /( |$)", r"\1 <path>\2"),
    (r"\b[a-z][a-z0-9+.-]*://[^\s,;\"'<>\])}]+", "<url>"),
    (r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b", "<email>"),
    (
        r"(?:\b[A-Za-z]:|\B)(?:[/\\][\w.$%@~+-]+)+[/\\]?(?:\?[^\s\"']*)?",
        "<path>",
    ),
    (rf"\b{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}\b", "<uuid>"),
    (
        (
            rf"\b(?:\d\d[-/]\d\d[-/]\d\d {_CLOCK}|{_DATE}(?:[T ]{_CLOCK})?)\b|"
            rf"\b{_SPOKEN}(?: +\d{{4}}\b)?|\b{_CLOCK}\b"
        ),
        "<time>",
    ),
    (r"\b[A-Za-z][\w-]*(?:\.[\w-]+)+:\d+\b", "<host>"),
    (rf"\b{_NUMBER} ?(?:[kKMGTP]i?[bB]|B)\b", "<size>"),
    (rf"\b(?:{_NUMBER}(?:ns|us|{_MICRO}s|ms|s|m|h))+\b", "<duration>"),
    (rf"\b(?:0[xX]{_HEX}+|(?:{_MIXED}){_HEX}{{4,}}|[a-fA-F]{{8,}})\b", "<hex>"),
    (r"(^|[^\w.]|_)-?\d+(?:[.,]\d+)*", r"\1<num>"),
    (r"\d+(?:[.,]\d+)*", "<num>"),
    (_QUOTE, '"'),
)
"""Patterns, and what is put in place of what they match; in this order."""


MOST_CHARS = 4_000
"""Of a text are looked at: 14 patterns over lines of 100 KB take 14 ms each."""


def shape(text: Sql) -> Sql:
    """A text with the same digit in place of each."""
    short = (
        f"CASE WHEN length({{}}) > {MOST_CHARS} "
        f"THEN left({{}}, {MOST_CHARS}) || '\u2026' ELSE {{}} END"
    )
    return of(f"translate({short}, '123456789', '000000000')", text, text, text)


def masked(text: Sql) -> Sql:
    """A shape with names for what varies."""
    for pattern, name in VARYING:
        parts = Sql("?", (pattern,)), Sql("?", (name,))
        text = of("regexp_replace({}, {}, {}, 'g')", text, *parts)
    return text
