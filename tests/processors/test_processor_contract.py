"""One suite over every processor: what the pipeline counts on.

A new processor joins by a line in `CASES`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstream.config.settings import PluginsConfig, ProcessorConfig
from logstream.core.entry import Entry
from logstream.core.sql import TRUE, Sql
from logstream.plugins import Predicate, Processor
from logstream.plugins.conformance import (
    rewrite_violations,
    sample_batch,
    violations,
)
from logstream.plugins.manager import load_plugins

REPO = Path(__file__).resolve().parents[2]

CASES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("filter", {"drop": "error"}),
    ("filter", {"keep": "error", "drop": "reset"}),
    ("enrich", {"add": {"env": "prod", "a.b": 1}, "rename": {"http.ms": "took"}}),
    ("enrich", {"add": {"x": [1]}}),
    ("enrich", {"add": {"source": "all"}}),
    ("enrich", {"copy": {"source": "host"}, "remove": ["tags", "a"]}),
    ("parse", {}),
    ("parse", {"promote": {"level": "level", "message": "msg"}, "into": "a.c"}),
    ("parse", {"format": "regex", "pattern": r"(?P<n>\d+)", "types": {"n": "int"}}),
    ("replace", {"pattern": r"\d+ms", "replacement": "[time]"}),
    ("redact", {}),
    ("redact", {"mode": "hash", "key_env": "TEST_REDACT_KEY", "skip": ["http"]}),
    ("sample", {"one_in": 2, "always": []}),
    ("sample", {"share": 0.5, "by": "host", "field": ""}),
)


class WordIn:
    """A predicate: the word is in the message."""

    def __init__(self, word: str) -> None:
        self.word = word

    @property
    def sql(self) -> Sql:
        return Sql("contains(message, ?)", (self.word,))

    def matches(self, entry: Entry) -> bool:
        return self.word in entry.message


class Context:
    def compile_filter(self, query: str) -> Predicate:
        return WordIn(query)


PLUGINS = load_plugins(
    PluginsConfig(folder=str(REPO / "plugins")),
    builtins=[("processors", "logstream.processors.plugin")],
)


VECTOR_CASES = [
    case
    for case in CASES
    if case[0] in ("filter", "replace") or case[1].get("add") == {"source": "all"}
]


def built(name: str, options: Mapping[str, Any]) -> Processor:
    """As the pipeline builds it."""
    return PLUGINS.build_processor(
        ProcessorConfig(type=name, options=dict(options)), Context(), where=name
    )


@pytest.fixture(params=CASES, ids=[f"{name}-{n}" for n, (name, _) in enumerate(CASES)])
def processor(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Processor:
    monkeypatch.setenv("TEST_REDACT_KEY", "k" * 32)
    return built(*request.param)


def test_every_processor_has_a_case() -> None:
    """A new one cannot be forgotten."""
    assert {name for name, _ in CASES} == set(PLUGINS.processors)


def test_the_contract_is_kept(processor: Processor) -> None:
    """Ids, order, the input, the empty batch, and values that JSON holds."""
    assert violations(processor, sample_batch(64)) == []


def test_one_by_one_is_the_same_as_a_batch(processor: Processor) -> None:
    """A batch that fails is retried entry by entry: the rows have to be the same."""
    batch = sample_batch(32)
    singly = [kept for entry in batch for kept in processor.process([entry])]
    assert list(processor.process(batch)) == singly


def test_working_twice_gives_the_same(processor: Processor) -> None:
    """A batch is worked on again after a crash."""
    batch = sample_batch(32)
    assert list(processor.process(batch)) == list(processor.process(batch))


def test_the_sql_form_is_whole(processor: Processor) -> None:
    """Where there is one."""
    rewrite = getattr(processor, "rewrite", lambda: None)()
    assert rewrite_violations(rewrite) == []


@pytest.mark.parametrize("case", VECTOR_CASES)
def test_both_forms_give_the_same_rows(case: tuple[str, Mapping[str, Any]]) -> None:
    """The vectorised way is the same way."""
    processor: Any = built(*case)
    rewrite = processor.rewrite()
    batch = sample_batch(32)
    columns = {name: Sql(name) for name in ("source", "level", "message")}
    columns |= rewrite.columns
    keep = rewrite.keep or TRUE
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            "CREATE TABLE entries"
            "(id BIGINT, source VARCHAR, level VARCHAR, message VARCHAR)"
        )
        connection.executemany(
            "INSERT INTO entries VALUES (?, ?, ?, ?)",
            [[one.id, one.source, one.level, one.message] for one in batch],
        )
        chosen = ", ".join(sql.text for sql in columns.values())
        rows = connection.execute(
            f"SELECT id, {chosen} FROM entries WHERE {keep.text} ORDER BY id",
            [*(p for sql in columns.values() for p in sql.params), *keep.params],
        ).fetchall()
    assert rows == [
        (one.id, one.source, one.level, one.message) for one in processor.process(batch)
    ]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "http", "ms"]), inner, max_size=3)
    ),
    max_leaves=6,
)
batches = st.lists(
    st.tuples(
        st.text(max_size=40)
        | json_values.map(repr)
        | st.just('{"level":"x","msg":""}'),
        st.sampled_from(["info", "error", "custom"]),
        st.dictionaries(
            st.sampled_from(["a", "a.b", "http", "host", "token", "tags", ""]),
            json_values,
        ),
    ),
    max_size=6,
)


@given(drawn=batches, case=st.sampled_from(CASES))
def test_the_contract_holds_for_any_entries(
    drawn: list[tuple[str, str, dict[str, Any]]], case: tuple[str, Mapping[str, Any]]
) -> None:
    """Fields of any shape, messages of any text."""
    name, options = case
    if "key_env" in options:
        options = {}
    batch = [
        Entry(
            id=n,
            timestamp="2025-05-13T00:01:15Z",
            source="s",
            level=level,
            message=message,
            fields=fields,
        )
        for n, (message, level, fields) in enumerate(drawn, start=1)
    ]
    assert violations(built(name, options), batch) == []
