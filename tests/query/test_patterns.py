"""Templates of texts: by example, against people's own, and against a plain model."""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logstream.core.sql import Sql
from logstream.query.templates import COMPARED, TEMPLATES
from logstream.query.varying import masked, shape
from tests.query.model import templates as model

LOGHUB = Path(__file__).resolve().parents[2].parent / "shared/data/loghub"

NAMES = ["ann", "bob", "cyd", "dee", "eve", "fay"]


Templates = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def templates() -> Iterator[Templates]:
    """Says the template of each text."""
    pattern = masked(shape(Sql("t")))

    def found(texts: Iterable[str], *, compared: int = COMPARED) -> dict[str, str]:
        steps = TEMPLATES.replace(f"LIMIT {COMPARED}", f"LIMIT {compared}")
        db.execute(
            f"WITH RECURSIVE o AS (SELECT unnest(?::VARCHAR[]) AS t), "
            f"p AS MATERIALIZED (SELECT t, {pattern.text} AS pattern FROM o), "
            f"m AS (SELECT pattern, count(*) AS n FROM p GROUP BY pattern), {steps} "
            "SELECT t, name FROM p JOIN named USING (pattern)",
            [list(texts), *pattern.params],
        )
        return dict(db.fetchall())

    with duckdb.connect() as db:
        yield found


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("Connection from 10.0.0.7 closed", "Connection from <ip> closed"),
        ("peer /10.0.0.7:5010 and 10.0.0.8.dsl.example.net", "peer <ip> and <ip>"),
        ("10.0.0.1,10.0.0.2 asked", "<ip> asked"),
        ('"GET /v2/a?b=c HTTP/1.1" 200', '"GET <path> HTTP/<num>" <num>'),
        ("GET / 200 of 1 / 2", "GET <path> <num> of <num> / <num>"),
        ('msg="all is well" n=-5', "msg=<str> n=<num>"),
        ("read https://example.org/a?b=1, done", "read <url>, done"),
        ("from ann.lee@example.org.", "from <email>."),
        (r"open C:\Windows\winsxs\a.dll", "open <path>"),
        ("open /var/log/syslog: gone", "open <path>: gone"),
        ("read/write and 5/6", "read/write and <num>/<num>"),
        ("at Fri Jun 17 20:55:06 2005 it was", "at <time> it was"),
        ("at 2026-01-02T03:04:05.6Z, 17/Jun/2026:20:55:06 +0200", "at <time>, <time>"),
        ("17/06/09 20:11:11 on 17/06/09", "<time> on <num>/<num>/<num>"),
        ("May I do it in May", "May I do it in May"),
        ("took 1h2m3.5s, 12ms, 12 ms", "took <duration>, <duration>, <num> ms"),
        ("freed 5.2 KB of 12MiB, 8 B", "freed <size> of <size>, <size>"),
        ("block blk_-123 of blk_456", "block blk_<num> of blk_<num>"),
        ("0x1f deadbeef 9f4ef63 decade", "<hex> <hex> decade"),
        ("www.example.org:443 close", "<host> close"),
        ("web-12 1,000.5 1-2 v1.2.3", "web-<num> <num> <num>-<num> v<num>"),
        ("a\tb\n  c", "a b c"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_varies_is_named_by_its_looks(
    templates: Templates, text: str, pattern: str
) -> None:
    assert templates([text]) == {text: pattern}


def test_words_that_are_another_one_each_time_are_one(templates: Templates) -> None:
    texts = [f"Invalid user {name} from 10.0.0.{i}" for i, name in enumerate(NAMES)]
    assert set(templates(texts).values()) == {"Invalid user <*> from <ip>"}


def test_few_words_tell_kinds_apart(templates: Templates) -> None:
    texts = [f"VM {state} in the end" for state in ("Started", "Stopped", "Paused")]
    assert templates(texts) == {text: text for text in texts}


def test_behind_a_word_that_names_what_follows_three_are_enough(
    templates: Templates,
) -> None:
    texts = [f"session opened for user {name} again" for name in NAMES[:3]]
    assert set(templates(texts).values()) == {"session opened for user <*> again"}
    two = texts[:2]
    assert templates(two) == {text: text for text in two}


def test_of_a_value_its_name_stays(templates: Templates) -> None:
    texts = [f"login failed by={name} again" for name in NAMES]
    assert set(templates(texts).values()) == {"login failed by=<*> again"}


def test_capitals_are_of_a_list_of_kinds(templates: Templates) -> None:
    texts = [f'"{one} /a HTTP/1.1" {i}' for i, one in enumerate(["GET", "PUT"])]
    states = ["NEW", "READY", "RUNNING", "FAILED", "KILLED", "DONE_OK", "LOST"]
    texts += [f"went from NEW to {one} now" for one in states]
    assert len(set(templates(texts).values())) == 9


def test_the_first_word_tells_kinds_apart_unless_there_are_very_many(
    templates: Templates,
) -> None:
    said = [chr(97 + i) * 4 for i in range(24)]
    few = [f"{one} has been seen again" for one in said[:15]]
    assert len(set(templates(few).values())) == 15
    many = [f"{one} has been seen again" for one in said]
    assert set(templates(many).values()) == {"<*> has been seen again"}


def test_texts_that_have_little_in_common_stay_apart(templates: Templates) -> None:
    texts = [f"{a} {b} {a}{b} now" for a, b in zip(NAMES, reversed(NAMES), strict=True)]
    assert templates(texts) == {text: text for text in texts}


def test_what_comes_several_times_is_one(templates: Templates) -> None:
    texts = ["delete 1, 2", "delete 1, 2, 3", "delete 1, 2, 3, 4"]
    assert set(templates(texts).values()) == {"delete <num>, <num>"}


def test_a_very_long_text_is_what_it_is(templates: Templates) -> None:
    texts = [f"{'word ' * 150}{name}" for name in NAMES]
    assert templates(texts) == {text: text for text in texts}


def test_only_the_beginning_of_a_text_is_looked_at(templates: Templates) -> None:
    texts = ["w" * 3_999 + ending for ending in ("x", "xy", "xz", "y")]
    (short, *cut, other) = (templates(texts)[text] for text in texts)
    assert (short, other) == (texts[0], texts[3])
    assert set(cut) == {texts[0] + "\u2026"}


def test_what_is_not_compared_is_what_it_is(templates: Templates) -> None:
    texts = [f"Invalid user {name} from 10.0.0.1" for name in NAMES]
    found = templates([*texts, *texts[:5]], compared=5)
    same = dict.fromkeys(texts[:5], "Invalid user <*> from <ip>")
    assert found == same | {texts[5]: "Invalid user fay from <ip>"}


_WORDS = st.sampled_from(
    ["ann", "bob", "cyd", "user", "GET", "PUT", "a=b", "a=c", "a=d", "a=e", "7", "1.5",
     "blk_1,", "blk_-2", "()", "(9)", "<*>", "\u00e9", "'", '"x y"', "10.0.0.1", "/a/b"]
)  # fmt: skip
_TEXTS = st.lists(
    st.lists(_WORDS, min_size=1, max_size=4).map(lambda words: " ".join(["x", *words])),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60)
@given(_TEXTS)
def test_the_same_as_the_plain_model(
    templates: Templates, texts: Sequence[str]
) -> None:
    patterns = {one: model.masked(one) for one in texts}
    named = model.templates(set(patterns.values()))
    assert templates(texts) == {one: named[patterns[one]] for one in texts}


@pytest.mark.skipif(not LOGHUB.is_dir(), reason="loghub is not beside the project")
@pytest.mark.parametrize(
    ("system", "least"),
    [
        *(("Apache", 1.0), ("HDFS", 0.99), ("OpenStack", 1.0), ("Spark", 1.0)),
        *(("Zookeeper", 0.99), ("OpenSSH", 0.95), ("Android", 0.9), ("Linux", 0.8)),
    ],
)
def test_people_put_the_same_lines_together(
    templates: Templates, system: str, least: float
) -> None:
    """Grouping accuracy: the share of lines whose group has just the lines that people
    gave the same template (Zhu et al., 2019).
    """
    path = LOGHUB / system / f"{system}_2k.log_structured.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = templates({row["Content"] for row in rows})
    ours, theirs = defaultdict(set), defaultdict(set)
    for at, row in enumerate(rows):
        ours[found[row["Content"]]].add(at)
        theirs[row["EventId"]].add(at)
    groups = list(theirs.values())
    right = sum(len(one) for one in ours.values() if one in groups)
    assert right / len(rows) >= least
