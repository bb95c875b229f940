"""Text of senders, made safe to show on a terminal.

A log message may hold escape sequences that clear the screen, change the title or
forge other lines. Control characters, and those that reorder what a reader sees, are
written as their escapes instead.
"""

import re

_UNSAFE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
)
_IN_CELL = re.compile(f"[{_UNSAFE}\ud800-\udfff]")
_IN_LINE = re.compile(f"[\t\n{_UNSAFE}\ud800-\udfff]")
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def for_cell(text: str) -> str:
    """Keeps line ends and tabs, which a table's cell can hold."""
    return _IN_CELL.sub(_escape, text).replace("\t", "    ")


def for_line(text: str) -> str:
    """Stays on one line, whatever the text holds."""
    return _IN_LINE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if short := _SHORT.get(character):
        return short
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
