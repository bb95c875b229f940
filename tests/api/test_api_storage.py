"""What an operator asks of the store: a listing, deletion, retention."""

from typing import Any

from litestar import Litestar
from litestar.testing import TestClient

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
