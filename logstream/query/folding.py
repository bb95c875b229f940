"""Case folding: the one that DuckDB's `lower()` does, also in Python.

Messages are compared without regard to case, in SQL and in Python, and both must say
the same. DuckDB maps code point by code point (Unicode 14); `str.lower` also looks at
neighbours (a final sigma), makes two characters of `İ`, and learns new letters with
each Python. A test compares every code point there is.
"""

import re

_LATER = re.compile(
    "[\u1c89\ua7cb\ua7cc\ua7ce\ua7d2\ua7d4\ua7da\ua7dc"
    "\U00010d50-\U00010d65\U00016ea0-\U00016eb8]"
)
"""Capital letters that came to Unicode after 14: a newer Python would fold them."""


_SIGMA = "\N{GREEK SMALL LETTER SIGMA}"


def fold(text: str) -> str:
    """`text` in lower case, one character for one character."""
    if text.isascii():
        return text.lower()
    text = text.replace("İ", "i").replace("\N{GREEK CAPITAL LETTER SIGMA}", _SIGMA)
    if _LATER.search(text):
        return "".join(c if _LATER.match(c) else c.lower() for c in text)
    return text.lower()
