"""The tree that `--explain` prints."""

from logstream.cli.syntax_tree import drawn
from logstream.query.outline import outline
from logstream.query.query import parse_query

TEXT = (
    "level:>=error (timeout OR -x:a*) | stats count() as n by source | rename n as m "
    "| eval a = -m | head 5"
)
TREE = """\
query
├─ filter: and
│  ├─ compare level >= error
│  └─ or
│     ├─ says timeout
│     └─ not
│        └─ inner: match x a*
├─ stats
│  ├─ aggregate count n
│  └─ group_key
│     └─ value: name source
├─ rename names=n as m
├─ eval
│  └─ a: negative
│     └─ inner: name m
└─ head rows=5"""


def test_a_tree_is_drawn() -> None:
    assert "\n".join(drawn(outline(parse_query(TEXT)))) == TREE
