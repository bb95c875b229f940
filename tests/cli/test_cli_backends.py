"""One suite over both backends: a server and the data folder answer the same."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from logstream.cli.backend import Backend, KeptRule, Policy, Search, Sql
from logstream.cli.configuration import load, plugins_of
from logstream.cli.connect import open_backend
from logstream.cli.http_backend import HttpBackend
from logstream.core.errors import (
    AlreadyThere,
    BadRequest,
    FolderInUse,
    NotFound,
    QuerySyntaxError,
    ServerUnreachable,
)
from logstream.core.timestamps import format_ns, parse_ns

ROOT = Path(__file__).resolve().parents[2]
START = parse_ns("2025-05-12T23:00:00Z")
COUNT = 120

PLUGIN = '''
"""Fails for entries that say so, until the file `repaired` is there."""

from pathlib import Path

from logstream.plugins import Options, ProcessorSpec, hookimpl, per_entry


class Poisoned(Options, frozen=True, kw_only=True):
    pass


def check(entry):
    if "poison" in entry.message and not Path("repaired").exists():
        raise ValueError("poisoned")
    return entry


@hookimpl
def logstream_processors():
    return [
        ProcessorSpec(
            name="taste",
            summary="Fails on poison.",
            options=Poisoned,
            build=lambda options, context: per_entry(check),
        )
    ]
'''


def an_entry(number: int) -> dict[str, Any]:
    """A minute apart, so that they lie in two days."""
    return {
        "timestamp": format_ns(START + number * 60 * 10**9 + number),
        "source": "web" if number % 3 else "auth",
        "level": "error" if number % 10 == 0 else "info",
        "message": f"poison {number}" if number == 7 else f"request {number} done",
        "fields": {"status": 200 + number, "nested": {"even": number % 2 == 0}},
    }


def environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LOGSTREAM_")}
    return {**kept, "PYTHONPATH": str(ROOT)}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A real server; its URL, once it answers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "logstream", "serve", "--port", "0"],
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = []
    try:
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield found[0]
                break
        else:
            pytest.fail("".join(lines))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=150)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Path:
    """A working folder with a config, a plugin, and entries of two days."""
    import httpx

    made: Path = tmp_path_factory.mktemp("work")
    (made / "plugins").mkdir()
    (made / "plugins" / "taste.py").write_text(PLUGIN)
    (made / "logstream.yaml").write_text(
        "plugins: {folder: plugins}\n"
        "processors: [{type: taste}]\n"
        "query: {max_limit: 50, default_limit: 10}\n"
    )
    with serving(made) as url:
        body = [an_entry(number) for number in range(COUNT)]
        httpx.post(f"{url}/api/v1/logs/batch", json=body).raise_for_status()
    return made


@pytest.fixture(scope="module", params=["local", "http"])
def backend(request: Any, folder: Path) -> Iterator[Backend]:
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.chdir(folder)
        patch.delenv("LOGSTREAM_SERVER", raising=False)
        if request.param == "http":
            stack.enter_context(serving(folder))
        found = stack.enter_context(open_backend(server=None, data=None, config=None))
        assert isinstance(found, HttpBackend) == (request.param == "http")
        yield found


def found(backend: Backend, **search: Any) -> list[int]:
    """The numbers of the entries found."""
    rows = backend.search(Search(**search))
    return [msgspec.json.decode(row.fields)["status"] - 200 for row in rows]


STORED = [number for number in range(COUNT) if number != 7]
NEWEST_FIRST = STORED[::-1]


def test_an_entry_comes_as_it_was_sent(backend: Backend) -> None:
    (row,) = backend.search(Search(text="status:205"))
    fields = msgspec.json.decode(row.fields)
    sent = an_entry(5)
    assert row.id is None
    assert {**sent, "fields": fields} == {
        "timestamp": row.timestamp,
        "source": row.source,
        "level": row.level,
        "message": row.message,
        "fields": sent["fields"],
    }


def test_the_newest_come_first_up_to_the_limit(backend: Backend) -> None:
    assert found(backend, limit=3) == NEWEST_FIRST[:3]
    assert found(backend, limit=100) == NEWEST_FIRST[:100]


def test_without_a_limit_everything_comes_page_by_page(backend: Backend) -> None:
    """The server gives 10 at a time here, and 50 at most."""
    assert found(backend, limit=0) == NEWEST_FIRST


def test_sorting_by_a_field_and_ascending(backend: Backend) -> None:
    assert found(backend, limit=4, sort_by="status", descending=False) == STORED[:4]
    assert found(backend, limit=4, sort_by="status") == NEWEST_FIRST[:4]


def test_conditions_have_to_hold_all(backend: Backend) -> None:
    wanted = [n for n in NEWEST_FIRST if n % 3 and n % 10 == 0 and n < 90]
    search: dict[str, Any] = {"sources": ("web",), "levels": ("ERROR",), "limit": 0}
    assert found(backend, text="status:<290", **search) == wanted


def test_a_time_range_includes_its_begin_and_not_its_end(backend: Backend) -> None:
    times = {n: parse_ns(an_entry(n)["timestamp"]) for n in (58, 62)}
    span = {"from_ns": times[58], "to_ns": times[62]}
    assert found(backend, limit=0, **span) == [61, 60, 59, 58]


def test_ids_lead_back_to_entries(backend: Backend) -> None:
    rows = list(backend.search(Search(limit=2, ids=True)))
    ids = [int(row.id or 0) for row in rows]
    assert ids[0] > ids[1] > 0


def test_totals_count_what_is_stored(backend: Backend) -> None:
    totals = backend.totals()
    assert totals.TotalEntries == COUNT - 1
    assert totals.OldestEntry == an_entry(0)["timestamp"]
    assert totals.NewestEntry == an_entry(COUNT - 1)["timestamp"]
    assert totals.EntriesBySource == {"auth": 40, "web": 79}
    assert totals.EntriesByLevel == {"error": 12, "info": 107}
    assert totals.StorageSize > 0
    assert totals.CompressionRatio > 0


def test_sources_are_listed_by_name(backend: Backend) -> None:
    assert backend.sources() == ["auth", "web"]


def test_frequencies_are_counted_within_the_conditions(backend: Backend) -> None:
    def count(group_by: str, text: str = "") -> list[tuple[str, int]]:
        counts = backend.frequency(
            group_by=group_by, text=text, from_ns=START, to_ns=None
        )
        return list(counts.items())

    assert count("level") == [("info", 107), ("error", 12)]
    assert count("nested.even", "level:error") == [("true", 12)]
    assert len(count("status")) == 50


def test_a_query_that_does_not_parse_has_its_place(backend: Backend) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        found(backend, text='level:error "open')
    assert caught.value.offset == 12


def test_what_cannot_be_asked_is_refused(backend: Backend) -> None:
    with pytest.raises(BadRequest):
        found(backend, sort_by="")
    with pytest.raises(BadRequest):
        found(backend, levels=("no level!",))


def test_dead_letters_are_listed_with_the_reason(backend: Backend) -> None:
    (letter,) = backend.dead_letters(limit=10)
    assert (letter.processor, letter.reason) == ("taste", "processor_error")
    assert "poisoned" in letter.detail
    assert msgspec.json.decode(letter.entry)["message"] == "poison 7"


def test_a_replay_that_fails_again_comes_back(backend: Backend) -> None:
    (letter,) = backend.dead_letters(limit=10)
    assert backend.replay([letter.id]) == 1
    (again,) = backend.dead_letters(limit=10)
    assert again.detail == letter.detail


def test_a_folder_without_a_server_is_one_process_at_a_time(
    tmp_path: Path, monkeypatch: Any
) -> None:
    """The second is told which process has it."""
    from logstream.runtime.local import open_local_engine

    monkeypatch.chdir(tmp_path)
    settings = load(None, data="logs").settings
    with (
        open_local_engine(settings, plugins=plugins_of(settings)),
        pytest.raises(FolderInUse, match=str(os.getpid())),
        open_backend(server=None, data="logs", config=None),
    ):
        pass


def test_no_folder_is_made_by_asking(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGSTREAM_SERVER_PORT", "9")
    with (
        pytest.raises(ServerUnreachable, match="--data"),
        open_backend(server=None, data="typo", config=None),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_memory_of_no_process_is_told(monkeypatch: Any) -> None:
    monkeypatch.setenv("LOGSTREAM_SERVER_PORT", "9")
    with (
        pytest.raises(ServerUnreachable, match=":memory:"),
        open_backend(server=None, data=":memory:", config=None),
    ):
        pass


def test_sql_gives_rows_of_kinds(backend: Backend) -> None:
    text = (
        "SELECT source, count(*) AS n, min(timestamp) AS first, any_value(fields.http) "
        "AS http FROM logs GROUP BY source ORDER BY source LIMIT 1"
    )
    table = backend.sql(Sql(text=text))
    kinds = [(column.name, column.kind) for column in table.columns]
    assert kinds == [
        *(("source", "text"), ("n", "integer"), ("first", "time"), ("http", "json")),
    ]
    ((source, count, first, _),) = table.rows
    assert count == sum(1 for number in STORED if an_entry(number)["source"] == source)
    assert first.endswith("Z")
    assert not table.truncated


def test_sql_is_limited(backend: Backend) -> None:
    table = backend.sql(Sql(text="SELECT message FROM logs", limit=3))
    assert (len(table.rows), table.truncated) == (3, True)
    table = backend.sql(Sql(text="SELECT message FROM logs"))
    assert (len(table.rows), table.truncated) == (50, True)
    span = Sql(text="SELECT count(*) FROM logs", from_ns=START, to_ns=START)
    assert backend.sql(span).rows == [[0]]
    with pytest.raises(BadRequest, match=r"query\.max_limit"):
        backend.sql(Sql(text="SELECT 1", limit=51))


def test_sql_that_is_wrong_is_told_with_the_place(backend: Backend) -> None:
    with pytest.raises(QuerySyntaxError, match="nope") as refused:
        backend.sql(Sql(text="SELECT nope FROM logs"))
    assert refused.value.offset == 7
    with pytest.raises(QuerySyntaxError, match="read_csv"):
        backend.sql(Sql(text="FROM read_csv('/etc/passwd')"))


def test_pipes_give_rows(backend: Backend) -> None:
    text = "* | stats count() as count, max(timestamp) as most by source"
    table = backend.table(Search(text=text, limit=0))
    assert [column.name for column in table.columns] == ["source", "count", "most"]
    assert table.rows
    assert not table.truncated
    first = backend.table(Search(text="* | fields n", limit=1))
    assert (len(first.rows), first.truncated) == (1, True)


def test_a_plan_is_told(backend: Backend) -> None:
    found = backend.explain(Search(text="level:info | stats count()"))
    assert found["query"] == "level:info | stats count()"
    assert found["tree"]["filter"] == {
        "node": "match",
        "field": "level",
        "glob": "info",
    }
    assert found["days"]["s0"]


@pytest.mark.parametrize("how", ["ndjson", "csv", "arrow", "parquet"])
def test_rows_as_a_file(backend: Backend, how: Any) -> None:
    parts: list[bytes] = []
    backend.write(Search(text="* | stats count() as n", limit=0), how, parts.append)
    starts = {"ndjson": b'{"n":', "csv": b"n\r\n", "parquet": b"PAR1", "arrow": b"\xff"}
    assert b"".join(parts).startswith(starts[how])


def test_retention_is_set_and_reset(backend: Backend) -> None:
    before = backend.retention()
    assert (before.origin, before.policy.max_age_days) == ("config", 0)
    rule = KeptRule(query="level:fatal", max_age_days=0)
    policy = Policy(max_age_days=90_000, max_bytes=10**12, rules=[rule])
    try:
        assert backend.set_retention(policy).origin == "api"
        assert backend.retention().policy == policy
        wrong = KeptRule(query="a:(", max_age_days=1)
        with pytest.raises(QuerySyntaxError):
            backend.set_retention(msgspec.structs.replace(policy, rules=[wrong]))
        assert backend.retention().policy == policy
    finally:
        assert backend.set_retention(None) == before


def test_saved_queries_are_added_and_removed(backend: Backend) -> None:
    assert backend.saved() == []
    try:
        made = backend.save("b.1", "level:info", description="ü", replace=False)
        assert (made.name, made.query, made.description) == ("b.1", "level:info", "ü")
        assert backend.saved() == [made]
        assert backend.saved_one("b.1") == made
        with pytest.raises(AlreadyThere, match="level:info"):
            backend.save("b.1", "*", description="", replace=False)
        with pytest.raises(QuerySyntaxError) as refused:
            backend.save("c", "level:info | nothing", description="", replace=False)
        assert refused.value.offset == 13
    finally:
        assert backend.unsave("b.1").name == "b.1"
    with pytest.raises(NotFound, match=r"b\.1"):
        backend.saved_one("b.1")
    with pytest.raises(BadRequest, match="name"):
        backend.saved_one("../health")
