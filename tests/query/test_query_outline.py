"""The syntax tree as data: each node and what it is made of, whatever the query is."""

import msgspec
import pytest

from logstream.query.outline import outline
from logstream.query.pipes.registry import PIPES
from logstream.query.query import parse_query
from tests.query.test_pipes_docs import BEHIND, examples
from tests.query.test_query_docs import rows


def test_a_filter_is_shown_as_it_was_read() -> None:
    text = 'level:>=error (disk* OR NOT a.b:[1 TO *] c:in(x, "y z"))'
    level = {"node": "compare", "field": "level", "operator": ">=", "value": "error"}
    low = {"node": "bound", "value": "1", "inclusive": True}
    missing = {"node": "not", "inner": {"node": "range", "field": "a.b", "low": low}}
    listed = {"node": "in", "field": "c", "values": ["x", "y z"]}
    both = {"node": "and", "terms": [missing, listed]}
    either = {"node": "or", "terms": [{"node": "says", "glob": "disk*"}, both]}
    assert outline(parse_query(text)) == {
        "node": "query",
        "filter": {"node": "and", "terms": [level, either]},
        "pipes": [],
    }


def test_pipes_are_shown_one_after_the_other() -> None:
    text = "* | stats count() if (a:b) as n by x | where n > 1"
    text += " | join by (x) (* | fields x, y)"
    stats, where, join = outline(parse_query(text))["pipes"]
    condition = {"node": "match", "field": "a", "glob": "b"}
    counted = {
        "node": "aggregate",
        "function": "count",
        "condition": condition,
        "name": "n",
    }
    name = {"node": "name", "name": "x"}
    key = {"node": "group_key", "value": name}
    assert stats == {
        "node": "stats",
        "aggregates": [counted | {"condition": condition}],
        "keys": [key],
    }
    assert where["test"] == {
        "node": "operation",
        "sign": ">",
        "left": {"node": "name", "name": "n"},
        "right": {"node": "number", "value": 1.0},
    }
    assert join["query"]["pipes"] == [
        {"node": "fields", "names": [["x", "x"], ["y", "y"]]}
    ]


FILTERS = [query for query, _, _ in rows()]
PIPED = [
    f"* | {BEHIND.get(one.split(maxsplit=1)[0], '')}{one}" for one in examples("Pipe")
]


@pytest.mark.parametrize("text", [*FILTERS, *PIPED])
def test_every_query_has_a_tree_that_json_can_hold(text: str) -> None:
    query = parse_query(text)
    found = outline(query)
    assert msgspec.json.decode(msgspec.json.encode(found)) == found
    assert len(found["pipes"]) == len(query.pipes)


def test_deep_queries_have_a_tree_too() -> None:
    deep = "-(" * 90 + "a OR b c" + ")" * 90
    msgspec.json.encode(outline(parse_query(deep)))
    deep = "* | where " + "(a or b and not c = d + " * 20 + "c" + ")" * 20
    msgspec.json.encode(outline(parse_query(deep)))
    assert len(PIPES) > 20
