"""Entries of two days, for tests of pipes."""

from typing import Any

DAY = 1_767_225_600_000_000_000
"""2026-01-01, in nanoseconds."""
MINUTE = 60 * 10**9


def at(minute: int) -> str:
    day, hour = divmod(minute, 1440)
    return f"2026-01-{day + 1:02d}T{hour // 60:02d}:{hour % 60:02d}:00Z"


def entry(minute: int, source: str, level: str, message: str, **fields: Any) -> Any:
    return {
        "timestamp": at(minute),
        "source": source,
        "level": level,
        "message": message,
        "fields": fields,
    }


ENTRIES = [
    entry(0, "web", "info", "GET /a 200 in 10ms", host="h1", took=10),
    entry(1, "web", "error", "GET /b 500 in 90ms", host="h1", took=90),
    entry(2, "web", "info", "GET /a 200 in 30ms", host="h2", took=30),
    entry(7, "auth", "warn", "login failed user=ann from 10.0.0.1", user="ann"),
    entry(8, "auth", "info", "login user=bob from 10.0.0.2", user="bob"),
    entry(16, "kv", "info", '{"op": "put", "n": 3, "o": {"k": [1]}}'),
    entry(17, "kv", "info", 'op=get msg="a \\"b\\" c" n=4 o=', host="h1"),
    entry(1440, "db", "error", "slow query 0xdeadbeef", took=700),
    entry(1441, "db", "info", "query 0xcafe0123", user="ann"),
]
