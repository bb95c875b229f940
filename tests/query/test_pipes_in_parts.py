"""Of many days, groupings are made of those of some days each. What comes of it is what
one statement over all of them gives.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, note, reject
from hypothesis import strategies as st

from logstream.core.errors import BadRequest, QuerySyntaxError
from logstream.query.query import parse_query
from logstream.storage import choosing
from tests.query.model.pipelines import pipelines
from tests.query.model.queries import Drawn
from tests.query.pipes_store import Asked
from tests.query.test_pipes_properties import same

DAYS = 7
VALUES: tuple[dict[str, Any], ...] = (
    {"n": 1, "t": "a", "m": True, "o": {"k": "a"}},
    {"n": 2.5, "t": "ab", "m": 3, "o": {"k": None}},
    {"n": -3, "t": "", "m": "x"},
    {"n": None, "t": None},
    {"n": 10**17, "t": "5", "m": [1, "a"], "x": {}},
    {"n": 0, "t": "nan", "m": "1e400", "o": 7},
    {},
)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """Days of 11 entries each; one of them has another set of values each day."""
    drawn = [
        Drawn(
            second=place * 700 + day,
            source="web" if (place * day) % 3 else "auth",
            level="error" if place % (day + 1) == 1 else "info",
            message=f"GET /{place % 4} {day}",
            fields=VALUES[(place * (day + 1)) % len(VALUES)] if place else VALUES[day],
        ).entry(day, day * 100 + place)
        for day in range(DAYS)
        for place in range(11)
    ]
    entries = [msgspec.to_builtins(one) for one in drawn]
    made = Asked(tmp_path_factory.mktemp("parts"), entries)
    yield made
    made.close()


def both(ask: Asked, text: str, days: int) -> tuple[list[Any], list[Any]]:
    """What one statement gives, and what so many days at a time do."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(choosing, "CHUNK", days)
        found = ask(text)
    return ask(text), found


AGGREGATES = (
    "count(), count(n), count(m), count_if(n > 1), count() if (level:error)",
    "sum(n), avg(n), min(n), max(n), sum(t), avg(m)",
    "min(timestamp), max(timestamp), min(message), max(source), min(m), max(m)",
    "first(t), last(t), first(o), last(n), first(timestamp) if (t:*), last(x)",
    "values(t), values(n), values(timestamp), values(source) if (n:>1), values(x)",
    "rate(), rate(n), rate() if (source:web), rate(timestamp - timestamp)",
    "uniq(t), count(), sum(n), values(m), last(t)",
    "avg(n), uniq(t, n), rate()",
    "uniq(m, t) if (source:web), max(n)",
    "uniq_approx(n), min(message)",
    "uniq(timestamp) if (n:>1)",
    "stddev(n), stddev(t), stddev(m) if (source:web), stddev(timestamp - timestamp)",
    "stddev(n + 1000), stddev(n + 100000000000000001), stddev(x), count()",
    "stddev(n), uniq(t)",
    "sum(length(message)), avg(n * 2), min(timestamp - timestamp), avg(n) if (n:>99)",
)
KEYS = (
    *("", " by source", " by t", " by m, level", " by bucket(timestamp, 1d)", " by x"),
    *(" by bucket(timestamp, 1h), source", " by range(n, 2)", " by length(message)"),
)
MORE = (
    "* | stats count() by source | sort by source desc | head 1",
    "* | stats count() as c, sum(n) as s by t | where c > 2 | stats sum(s), count()",
    "* | where n > 0 | eval d = n * 2 | stats sum(d), count() by level",
    'n:* | extract "GET /<way> <rest>" from message | stats count() by way, rest',
    "* | drop t | stats count() by t, source",
    "* | fields source, n | stats sum(n) by source",
    "* | sort by n | stats count() by level",
    "* | sample 2 | stats count() by level",
    "* | top 3 t",
    "* | top m, source",
    "* | rare 2 level, t",
    "level:nowhere | top t",
    "level:nowhere | stats count(), sum(n), first(t), values(t), rate()",
    "level:nowhere | stats count() by t",
    "* | timechart 1d count(), sum(n), avg(n) by t limit 2",
    "* | timechart 12h count(), median(n) by level",
    "level:error | timechart 1d rate(n), max(n)",
    "* | timechart 1d count() as c | anomalies of c",
    "* | stats count() by level | join by (level) (n:>0 | stats sum(n) by level)",
    "* | where t in (n:>1 | fields t) | stats count() by t",
    "* | where t in (* | top 1 t | fields t) | stats count() by t",
    "timestamp:>=2026-11-21 timestamp:<2026-11-24 | stats count() by t | compare 1d",
)


@pytest.mark.parametrize("days", [1, 3])
@pytest.mark.parametrize(
    "text", [*(f"* | stats {a}{k}" for a in AGGREGATES for k in KEYS), *MORE]
)
def test_parts_give_what_the_whole_gives(ask: Asked, text: str, days: int) -> None:
    whole, found = both(ask, text, days)
    assert same(found, whole)
    assert [list(map(type, row.values())) for row in found] == [
        list(map(type, row.values())) for row in whole
    ]


@given(pipelines(), st.integers(1, 4))
def test_any_query_gives_the_same_in_parts(ask: Asked, text: str, days: int) -> None:
    note(text)
    try:
        whole, found = both(ask, text, days)
    except (BadRequest, QuerySyntaxError):
        reject()
    assert same(found, whole), f"{found}\nwhole: {whole}"


@pytest.mark.parametrize(
    ("text", "in_parts"),
    [
        ("* | stats count() by source", [True]),
        ("* | where n > 1 | eval m = n + 1 | stats avg(m), first(t)", [True]),
        ("* | timechart 1h count() by level", [True]),
        ("* | top t | where count > 1", [True]),
        ("* | stats count() by t | join by (t) (* | stats sum(n) by t)", [True, True]),
        ("* | stats count() by t | compare 1d", [True, True]),
        ("* | stats count(), uniq(t)", [True]),
        ("* | stats uniq(n), uniq(t)", []),
        ("* | stats median(n) by source", []),
        ("* | stats stddev(n), avg(n) by source", [True]),
        ("* | stats stddev(n), uniq(t)", []),
        ("* | head 100 | stats count() by t", []),
        ("* | dedup 2 t | stats count() by t", []),
        ("* | where t in (n:>1 | fields t) | stats count() by t", []),
        ("* | where t in (* | top 1 t | fields t) | stats count() by t", [True]),
        ("* | join by (t) (* | stats sum(n) as s by t) | stats count() by s", [True]),
        ("* | fields n | anomalies of n | stats count() by is_anomaly", []),
        ("* | stats count() by t | stats count()", [True]),
    ],
)
def test_which_groupings_can_be_made_of_parts(text: str, in_parts: list[bool]) -> None:
    plan = parse_query(text).plan()
    assert [one.parts is not None for one in plan.groupings] == in_parts
