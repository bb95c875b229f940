"""Fields and their values over the API."""

from collections.abc import Iterator

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from logstream.api.app import build_app
from logstream.config.settings import Settings, StorageConfig
from logstream.plugins.manager import load_plugins
from logstream.runtime.building import open_engine
from logstream.runtime.builtins import BUILTINS


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient[Litestar]]:
    settings = Settings(storage=StorageConfig(path=str(tmp_path_factory.mktemp("d"))))
    plugins = load_plugins(settings.plugins, builtins=BUILTINS)
    entries = [
        {
            "source": "web" if n % 2 else "db",
            "message": f"m{n}",
            "fields": {
                "n": n if n % 4 else f"text {n}",
                "http": {"path": f"/{'ab'[n % 2]}/{n % 3}", "it's": True},
                "tags": ["x", n],
                "gone": None,
            },
        }
        for n in range(20)
    ]
    with (
        open_engine(settings, plugins=plugins) as (engine, _),
        TestClient(build_app(engine, settings=settings, version="1")) as found,
    ):
        assert found.post("/api/v1/logs/batch", json=entries).status_code == 200
        yield found


def test_fields_are_listed_with_what_they_are(client: TestClient[Litestar]) -> None:
    found = {one.pop("field"): one for one in client.get("/api/v1/fields").json()}
    assert sorted(found) == ["http.it's", "http.path", "n", "tags"]
    assert found["n"]["types"] == "integer, text"
    assert found["http.path"] == {
        "types": "text",
        "count": 20,
        "percent": 100.0,
        "values": 6,
    }
    assert found["tags"]["types"] == "array"
    few = client.get("/api/v1/fields", params={"q": "m0 OR m1", "limit": 1}).json()
    assert [one["count"] for one in few] == [2]


def test_values_come_by_frequency(client: TestClient[Litestar]) -> None:
    url = "/api/v1/fields/http.path/values"
    found = client.get(url).json()
    assert found[0] == {"value": "/a/0", "count": 4}
    assert len(found) == 6
    begun = client.get(url, params={"prefix": "/b", "limit": 2, "q": "source:web"})
    assert [one["value"] for one in begun.json()] == ["/b/1", "/b/0"]
    assert client.get("/api/v1/fields/source/values").json() == [
        {"value": "db", "count": 10},
        {"value": "web", "count": 10},
    ]
    assert client.get("/api/v1/fields/nothing/values").json() == []


def test_hostile_names_and_prefixes_are_values(client: TestClient[Litestar]) -> None:
    for name in ("it's", '"', "a`b", "x; DROP", "c1", "%7B%7D", "*"):
        answer = client.get(f"/api/v1/fields/{name}/values", params={"prefix": name})
        assert answer.status_code == 200, answer.text
        assert answer.json() == []


def test_pipes_do_not_go_here(client: TestClient[Litestar]) -> None:
    answer = client.get("/api/v1/fields", params={"q": "* | head 1"})
    assert answer.status_code == 400
