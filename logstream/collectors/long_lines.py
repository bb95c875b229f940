"""Lines as text: what is not UTF-8 in them, and how those that are too long are cut."""

import msgspec

ESCAPED_BYTES = 6
"""The most that JSON makes of one byte."""
_REPLACED = "\ufffd"


def parts_of(raw: bytes, limit: int) -> list[tuple[str, int]]:
    """A line as text, in parts whose JSON keeps to the limit.

    Beside each: how often it has U+FFFD in place of bytes that are not UTF-8.
    """
    found: list[tuple[str, int]] = []
    start = 0
    while start < len(raw) or not found:
        count = limit
        while True:
            end = cut(raw, start, start + count)
            text = raw[start:end].decode(errors="replace")
            if (end - start) * ESCAPED_BYTES <= limit:
                break
            if len(msgspec.json.encode(text)) <= limit + 2:
                break
            count = (end - start) // 2
        broken = text.count(_REPLACED)
        if broken:
            broken -= raw.count(_REPLACED.encode(), start, end)
        found.append((text, broken))
        start = end
    return found


def cut(raw: bytes, start: int, end: int) -> int:
    """`end`, or up to three bytes before it, so that no character is cut in two."""
    if end >= len(raw):
        return len(raw)
    for at in range(end, max(start, end - 4), -1):
        if raw[at] & 0xC0 != 0x80:
            return at
    return end
