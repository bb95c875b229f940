"""What is at the edge of what can be stored or said: nothing fails, and errors are in
the words of the query.
"""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from logstream.core.errors import BadRequest, QuerySyntaxError
from logstream.query.query import compile_query

FIRST, LAST = "1678-01-01T00:00:00Z", "2262-04-11T00:00:00Z"


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = Path(__file__).with_name("pipes_store.py")
    spec = importlib.util.spec_from_file_location("pipes_store", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    entries = [
        {
            "timestamp": time,
            "source": "web",
            "level": "info",
            "message": "hello 5",
            "fields": {"n": 3, "t": "abc", "big": 2**63},
        }
        for time in (FIRST, "2026-02-03T04:05:06Z", LAST)
    ]
    made = module.Asked(tmp_path_factory.mktemp("store"), entries)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("eval r = substr(t, 1e18)", ""),
        ("eval r = substr(t, 2, 1e300)", "bc"),
        ("eval r = substr(t, 1, big)", "abc"),
        ("eval r = substr(t, -1e19)", "abc"),
        ("eval r = substr(t, 1, -big)", ""),
        ("eval r = year(timestamp)", 2262),
        ("eval r = month(timestamp) + 1", 5.0),
        ("eval r = weekday(timestamp)", 5),
        ("eval r = hour(message)", None),
        ('eval r = format_time(timestamp, "%d.%-m.%Y %%")', "11.4.2262 %"),
        ('eval r = duration("infinity")', None),
        ('eval r = duration("1e400")', None),
        ("stats count() as r by bucket(timestamp, 5200w) as b | fields r", 1),
        ("stats min(timestamp) as r", FIRST),
        ("stats rate() as r", pytest.approx(3 / 18_438_192_000, rel=1e-3)),
        ("stats max(timestamp) as a, min(timestamp) as b | eval r = a - b", 1.844e10),
        ("transaction by source maxpause 1d | stats count() as r", 3),
        ("transaction by source | fields duration as r", 1.844e10),
        ("patterns | fields count as r", 3),
    ],
)
def test_nothing_fails(ask: Any, text: str, value: object) -> None:
    found = ask(f"* | {text} | fields r | head 1")[0]["r"]
    if isinstance(value, float) and value > 1e9:
        value = pytest.approx(value, rel=1e-3)
    assert found == value
    assert type(found) is type(value) or not isinstance(value, int | str)


@pytest.mark.parametrize("text", ["%Q", "at %", "%-", "%%%é", "%-Y"])
def test_a_format_of_time_that_is_none_is_shown(text: str) -> None:
    with pytest.raises(QuerySyntaxError, match="in a format of time") as error:
        compile_query(f'* | eval t = format_time(timestamp, "{text}")')
    assert error.value.offset == 13


def test_too_many_rows_of_time_are_said_plainly(ask: Any) -> None:
    with pytest.raises(BadRequest) as error:
        ask("* | timechart count()")
    assert str(error.value) == (
        "timechart makes at most 10000 rows of time: ask for a longer span or a "
        "shorter range."
    )


@pytest.mark.parametrize(
    ("years", "rows"), [(1, 53), (3, 79), (27, 55), (100, 21), (460, 93)]
)
def test_a_chart_of_years_has_few_rows(ask: Any, years: int, rows: int) -> None:
    begin = -(200 * 365 * 86_400 * 10**9)
    end = begin + years * 365 * 86_400 * 10**9
    found = ask("* | timechart count() as n", from_ns=begin, to_ns=end)
    assert abs(len(found) - rows) <= 2
