"""Health, queue, plugins, dead letters, positions, metrics."""

import shutil
import subprocess
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from logstream.api.app import build_app
from logstream.config.settings import Settings
from logstream.pipeline.states import Readiness
from logstream.telemetry.metrics import RECEIVED


def test_health(client: TestClient[Any]) -> None:
    answer = client.get("/api/v1/health")
    assert answer.text == '{"status":"ok","version":"1.2.3"}'


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_take_get_and_head(client: TestClient[Any], path: str) -> None:
    assert client.get(path).text == '{"status":"ok"}'
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    "reason",
    [
        "starting",
        "replaying",
        "store_failed",
        "disk_full",
        "stopping",
        "something else",
    ],
)
def test_a_server_that_is_not_ready_says_why(
    client: TestClient[Any], engine: Any, reason: str
) -> None:
    engine.state = Readiness(ready=False, reason=reason)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "retry-after" in answer.headers
    problem = answer.json()
    assert (problem["type"], problem["reason"]) == ("urn:logstream:not_ready", reason)
    assert client.get("/healthz").is_success


def test_the_queue(client: TestClient[Any]) -> None:
    found = client.get("/api/v1/queue").json()
    assert (found["entries"], found["bytes"], found["oldest_age_s"]) == (3, 300, 0.5)
    assert {"capacity_bytes", "segments", "received_per_s", "stored_per_s"} < set(found)


def test_plugins_are_described(engine: Any, settings: Settings) -> None:
    class Described(msgspec.Struct):
        name: str

    app = build_app(
        engine,
        settings=settings,
        plugins_described=lambda: (Described("redactor"), {"name": "sampler"}),
        version="1",
    )
    with TestClient(app) as client:
        found = client.get("/api/v1/plugins").json()
    assert found == [{"name": "redactor"}, {"name": "sampler"}]


# ---- dead letters ----


def test_dead_letters_page_by_page(
    client: TestClient[Any], engine: Any, make_letter: Any
) -> None:
    letters = [make_letter(processor=f"p{n}") for n in range(5)]
    engine.dead_letters.letters = letters
    seen: list[str] = []
    url = "/api/v1/dead-letters?limit=2"
    while url:
        answer = client.get(url)
        assert answer.json()["count"] == 5
        seen += [one["id"] for one in answer.json()["dead_letters"]]
        url = answer.links.get("next", {}).get("url", "")
    assert seen == [str(one.id) for one in reversed(letters)]


def test_a_dead_letter_says_what_and_why(
    client: TestClient[Any], engine: Any, make_letter: Any
) -> None:
    engine.dead_letters.letters = [make_letter(id=2**60)]
    assert client.get("/api/v1/dead-letters").json() == {
        "count": 1,
        "dead_letters": [
            {
                "id": str(2**60),
                "failed_at": "2025-05-13T00:01:16Z",
                "processor": "redact",
                "reason": "processor_error",
                "detail": "ValueError: no",
                "entry": {"message": "m"},
            }
        ],
    }


@pytest.mark.parametrize("query", ["limit=0", "before_id=-1", "before_id=x", "id=3"])
def test_bad_questions_about_dead_letters(client: TestClient[Any], query: str) -> None:
    assert client.get(f"/api/v1/dead-letters?{query}").status_code == 400


def test_dead_letters_are_replayed_by_id(client: TestClient[Any], engine: Any) -> None:
    answer = client.post("/api/v1/dead-letters/replay", json={"ids": ["5", 7]})
    assert answer.text == '{"status":"ok","count":"2"}'
    assert engine.replayed == [[5, 7]]


def test_all_dead_letters_are_replayed_once_oldest_first(
    client: TestClient[Any], engine: Any, make_letter: Any
) -> None:
    engine.dead_letters.letters = [make_letter() for _ in range(2100)]
    ids = [one.id for one in engine.dead_letters.letters]
    answer = client.post("/api/v1/dead-letters/replay", json={"all": True})
    assert answer.json() == {"status": "ok", "count": "2100"}
    assert engine.replayed == [ids[:1000], ids[1000:2000], ids[2000:]]


@pytest.mark.parametrize(
    "body",
    [{}, {"all": False}, {"ids": ["1"], "all": True}, {"ids": ["x"]}, {"ids": [-1]}],
)
def test_what_to_replay_has_to_be_said(
    client: TestClient[Any], engine: Any, body: Any
) -> None:
    assert client.post("/api/v1/dead-letters/replay", json=body).status_code == 400
    assert engine.replayed == []


# ---- positions ----


def test_positions_are_given_by_name(client: TestClient[Any], engine: Any) -> None:
    engine.intake.positions = {"file:/a&b": {"at": 3}, "other": 1}
    found = client.get(
        "/api/v1/positions", params={"name": ["file:/a&b", "never stored"]}
    )
    assert found.json() == {"positions": {"file:/a&b": {"at": 3}}}
    assert client.get("/api/v1/positions").json() == {"positions": {}}


# ---- metrics ----

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, "+Inf")
GIVEN = ("logstream_logs_processed_total", "logstream_query_duration_seconds_bucket")


def test_metrics_are_prometheus_text(client: TestClient[Any]) -> None:
    RECEIVED.labels("auth").inc()
    answer = client.get("/metrics")
    kind = answer.headers["content-type"]
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    assert 'logstream_logs_received_total{source="auth"}' in answer.text
    for name in GIVEN:
        assert name in answer.text
    for bound in BOUNDS:
        assert f'logstream_query_duration_seconds_bucket{{le="{bound}"}}' in answer.text


def test_metrics_are_openmetrics_when_asked_for(client: TestClient[Any]) -> None:
    answer = client.get(
        "/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"}
    )
    kind = answer.headers["content-type"]
    assert kind.startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    families = text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]
    names = {one.name for one in families}
    assert "logstream_logs_received" in names


def test_promtool_finds_nothing_to_mend(client: TestClient[Any]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: Debian has it in `prometheus`")
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=client.get("/metrics").content,
        capture_output=True,
        check=False,
        timeout=150,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
