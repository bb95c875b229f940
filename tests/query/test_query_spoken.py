"""Many words joined by OR: one look at each message, with the same answer."""

import random
from typing import Any

import pytest

from logstream.core.entry import Entry
from logstream.query.filter import compile_filter

MESSAGES = [
    "Error: disk full",
    "terrorist",
    "stderr closed",
    "an a.b and a b",
    "x_error error_x",
    "ÜBER alles",
    "50* off (all)",
    "",
    "timeouts",
    "é",
]


def _entries() -> list[Entry]:
    return [
        Entry(
            id=at,
            timestamp="2026-01-01T00:00:00Z",
            source="web",
            level="info",
            message=message,
            fields={"n": at},
        )
        for at, message in enumerate(MESSAGES)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "error OR full OR alles OR zzz",
        "*err OR error* OR *out* OR über OR n:7",
        '"50* off" OR "(all)" OR "a.b" OR disk OR -a',
        "n:1 OR n:2 OR err OR stderr OR n:3 OR x_error OR é OR t?meouts OR *",
        "-(error OR full OR alles OR zzz)",
        "(a OR b OR c OR disk OR er*r) -(full OR x OR y OR z OR err*)",
    ],
)
def test_many_words_find_what_each_of_them_finds(store: Any, text: str) -> None:
    made = compile_filter(text)
    entries = _entries()
    store.hold(entries)
    found = store.finds(made.sql)
    assert found == [made.matches(one) for one in entries]
    assert True in found
    assert store.finds(made.fast_sql) == found


def test_a_thousand_words_are_few_tests() -> None:
    words = [f"word{at}" for at in range(1_000)]
    made = compile_filter(" OR ".join(words))
    assert made.sql.text.count("regexp_matches") == 1
    assert "contains" not in made.sql.text
    # What is long is cut, so that a regular expression stays one that is quick.
    chars = random.Random(1)
    long = ["".join(chars.choices("abcdefä", k=45)) for _ in range(900)]
    made = compile_filter(" OR ".join(long))
    assert 5 <= made.sql.text.count("regexp_matches") <= 10
    assert all(len(one.encode()) < 12_000 for one in made.sql.params)
