"""`retention`: shown, set and reset, without a server; with one, see the backends."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def data(run: Run, tmp_path: Path) -> Path:
    entry = {"timestamp": "2026-01-01T00:00:00Z", "message": "m"}
    (tmp_path / "logs.json").write_text(json.dumps(entry))
    (tmp_path / "logstream.yaml").write_text(
        "storage: {path: d}\nretention: {max_bytes: 1000000}\n"
    )
    done = run("collect", "--sources", "logs.json", "--once")
    assert done.returncode == 0, done.stderr
    return tmp_path / "d"


def shown(run: Run) -> Any:
    return json.loads(run("retention", "show", "-o", "json").stdout)


def test_the_policy_of_the_config_is_shown_until_another_is_set(
    run: Run, data: Path
) -> None:
    policy = {"max_age_days": 0, "max_bytes": 1_000_000, "rules": []}
    assert shown(run) == {"policy": policy, "origin": "config", "waits": ""}
    done = run(
        *("retention", "set", "--max-bytes", "2.5GB", "--max-age-days", "90000"),
        *("--rule", "80000d source:a OR level:fatal", "--rule", "0 source:b"),
    )
    assert done.returncode == 0, done.stderr
    rules = [
        {"query": "source:a OR level:fatal", "max_age_days": 80_000},
        {"query": "source:b", "max_age_days": 0},
    ]
    policy = {"max_age_days": 90_000, "max_bytes": 2_500_000_000, "rules": rules}
    assert shown(run) == {"policy": policy, "origin": "api", "waits": ""}
    assert run("retention", "reset").returncode == 0
    assert shown(run)["origin"] == "config"


def test_what_is_not_named_stays(run: Run, data: Path) -> None:
    run("retention", "set", "--rule", "80000 source:a")
    run("retention", "set", "--max-age-days", "90000")
    policy = shown(run)["policy"]
    assert policy["max_bytes"] == 1_000_000
    assert policy["max_age_days"] == 90_000
    assert [rule["query"] for rule in policy["rules"]] == ["source:a"]
    run("retention", "set", "--no-rules")
    assert shown(run)["policy"]["rules"] == []


def test_it_is_printed_for_people_and_for_programs(run: Run, data: Path) -> None:
    done = run("retention", "set", "--rule", "80000 source:a", "--max-age-days", "1")
    assert done.stdout.decode().splitlines() == [
        "source:a\t80,000 days",
        "everything else\t1 day",
    ]
    said = done.stderr.decode()
    assert "Above 1.0 MB in all" in said
    assert "retention reset" in said
    table = run("retention", "show", "-o", "csv").stdout.decode()
    assert table.splitlines() == ["query,max_age_days", "source:a,80000", ",1"]
    line = run("retention", "show", "-o", "ndjson").stdout
    assert json.loads(line)["policy"]["max_age_days"] == 1


WRONG = [
    (["set"], "--max-age-days"),
    (["set", "--max-bytes", "much"], "50GB"),
    (["set", "--rule", "level:fatal"], "30 level:fatal"),
    (["set", "--rule", "30"], "30 level:fatal"),
    (["set", "--rule", "30 a:("], "^"),
    (["set", "--rule", "30 a:b", "--no-rules"], "exclude"),
    (["set", "--max-age-days", "-1"], "Error"),
]


@pytest.mark.parametrize(("wrong", "says"), WRONG)
def test_what_cannot_be_set_is_told_and_changes_nothing(
    run: Run, data: Path, wrong: list[str], says: str
) -> None:
    done = run("retention", *wrong)
    assert done.returncode == 2, done
    assert says in done.stderr.decode()
    assert not (data / "retention.json").exists()
