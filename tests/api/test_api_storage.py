"""What an operator asks of the store: a listing, deletion, retention."""

from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient

from logstream.api.app import build_app
from logstream.config.settings import Settings

Client = TestClient[Litestar]


def test_the_store_is_listed_by_day(client: Client, engine: Any) -> None:
    found = client.get("/api/v1/storage").json()
    (day,) = found["partitions"]
    assert (day["day"], day["rows"], day["sealed"]) == ("2026-01-02", 5, False)
    assert found["totals"]["stored_bytes"] == 100
    assert engine.settled == 1


def test_deleting_answers_with_counts(client: Client, engine: Any) -> None:
    answer = client.delete("/api/v1/logs?filter=oops&from=2026-01-01&to=2026-01-02")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "dry_run": False,
        "entries": 3,
        "days": 1,
        "by_source": {"auth": 2, "web": 1},
    }
    ((call, selection),) = engine.keeper.asked
    assert call == "delete"
    assert selection.where.params == ("oops",)
    assert selection.to_ns - selection.from_ns == 86_400 * 10**9
    assert engine.settled == 1  # what is acked and not stored yet goes too


def test_a_dry_run_deletes_nothing(client: Client, engine: Any) -> None:
    assert client.delete("/api/v1/logs?filter=x&dry_run=true").json()["dry_run"]
    assert [call for call, _ in engine.keeper.asked] == ["preview"]


def test_everything_goes_only_when_that_is_said(client: Client, engine: Any) -> None:
    for query in ("", "?filter=", "?filter=%20", "?from=-1d", "?filter=x&all=true"):
        answer = client.delete(f"/api/v1/logs{query}")
        assert answer.status_code == 400, query
        assert "all=true" in answer.json()["detail"]
    assert engine.keeper.asked == []
    assert client.delete("/api/v1/logs?all=true").status_code == 200


def test_a_filter_that_does_not_parse_deletes_nothing(
    client: Client, engine: Any
) -> None:
    assert client.delete("/api/v1/logs?filter=((").json()["offset"] == 0
    assert engine.keeper.asked == []


def test_retention_is_shown_set_and_reset(client: Client, engine: Any) -> None:
    shown = client.get("/api/v1/retention").json()
    assert shown["policy"] == {"max_age_days": 0, "max_bytes": 0, "rules": []}
    assert (shown["origin"], shown["waits"]) == ("config", "")
    body = {
        "max_age_days": 7,
        "rules": [{"query": "level:fatal", "max_age_days": 30}],
    }
    assert client.put("/api/v1/retention", json=body).status_code == 200
    assert client.delete("/api/v1/retention").status_code == 200
    (_, policy), (_, none) = engine.keeper.asked
    assert (policy.max_age_days, policy.max_bytes) == (7, 0)
    assert policy.rules[0].query == "level:fatal"
    assert none is None


def test_a_policy_that_makes_no_sense_is_refused(client: Client, engine: Any) -> None:
    for body in (
        {"max_age_days": -1},
        {"max_age_dayz": 1},
        {"rules": [{"query": "x"}]},
        {"rules": [{"query": "x", "max_age_days": 1, "more": 1}]},
    ):
        assert client.put("/api/v1/retention", json=body).status_code == 400, body
    assert engine.keeper.asked == []


# ---- backups and checks ----


def test_a_backup_goes_where_the_config_allows(
    client: Client, engine: Any, tmp_path: Path
) -> None:
    for asked, folder in (
        ({}, tmp_path),
        ({"to": "nightly"}, tmp_path / "nightly"),
        ({"to": str(tmp_path / "a" / "b")}, tmp_path / "a" / "b"),
    ):
        assert client.post("/api/v1/backup", json=asked).status_code == 200
        assert engine.keeper.asked.pop() == ("backup", folder)
    assert engine.settled == 3  # what is acked is in it


def test_a_backup_goes_nowhere_else(
    client: Client, engine: Any, tmp_path: Path
) -> None:
    (tmp_path / "out").symlink_to("/")
    for to in ("..", "/etc", "out/etc", "a/../../b", f"{tmp_path}x", "a\0b"):
        answer = client.post("/api/v1/backup", json={"to": to})
        assert answer.status_code == 400, to
    assert engine.keeper.asked == []


def test_without_a_folder_in_the_config_there_are_no_backups(engine: Any) -> None:
    app = build_app(engine.as_engine(), settings=Settings(), version="1")
    with TestClient(app) as client:
        answer = client.post("/api/v1/backup")
    assert answer.status_code == 400
    assert "storage.backup_folder" in answer.json()["detail"]


def test_a_check_says_what_it_found(client: Client) -> None:
    found = client.post("/api/v1/verify").json()
    assert found["partitions"] == 1
    assert found["problems"][0]["where"] == "partitions/2026-01-02.duckdb"
