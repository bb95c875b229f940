"""The OpenAPI document, its page, and docs/api.md say what the server does."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from litestar.testing import TestClient

from logstream.api.docs_html import render
from logstream.api.operations import operation_of
from logstream.api.problems import TITLES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
STATIC = Path(__file__).resolve().parents[2] / "logstream" / "api" / "static"
NOT_CALLS = {"/", "/schema", "/schema/openapi.json", "/docs", "/docs/{name}"}


@pytest.fixture
def document(client: TestClient[Litestar]) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/schema").json()
    return found


def calls_of(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def test_every_route_is_in_the_document(
    app: Litestar, document: dict[str, Any]
) -> None:
    declared = {
        route.path_format
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if operation_of(handler.opt)
    }
    served = {route.path_format for route in app.routes if isinstance(route, HTTPRoute)}
    assert served - declared == NOT_CALLS
    assert set(document["paths"]) == declared


def test_the_document_is_served_twice(client: TestClient[Litestar]) -> None:
    short, long = client.get("/schema"), client.get("/schema/openapi.json")
    assert short.content == long.content
    assert short.headers["content-type"] == "application/vnd.oai.openapi+json"
    assert short.json()["openapi"] == "3.1.0"
    assert short.json()["info"]["version"] == "1.2.3"


def test_every_call_is_described(document: dict[str, Any]) -> None:
    for method, path, operation in calls_of(document):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["operationId"], where
        assert "500" in operation["responses"], where
        for status, answer in operation["responses"].items():
            (kind,) = answer["content"]
            assert (kind == "application/problem+json") == (status >= "400"), where
        for parameter in operation.get("parameters", []):
            assert parameter.get("description") or parameter["schema"].get("enum"), (
                where,
                parameter["name"],
            )


def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in calls_of(document)]
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    text = msgspec.json.encode(document).decode()
    for name in re.findall(r'"#/components/schemas/([^"]+)"', text):
        assert name in document["components"]["schemas"]


def test_examples_of_requests_work(
    client: TestClient[Litestar], document: dict[str, Any]
) -> None:
    for method, path, operation in calls_of(document):
        content = operation.get("requestBody", {}).get("content", {})
        for kind, media in content.items():
            example = media["example"]
            body = example if isinstance(example, str) else msgspec.json.encode(example)
            answer = client.request(
                method, path, content=body, headers={"Content-Type": kind}
            )
            assert answer.status_code == 200, (path, answer.text)


def test_examples_of_answers_have_the_right_keys(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for method, path, operation in calls_of(document):
        media = next(iter(operation["responses"]["200"]["content"].values()))
        name = media["schema"].get("$ref", "").rpartition("/")[2]
        if name and "example" in media:
            known = set(schemas[name]["properties"])
            assert set(media["example"]) <= known, (method, path)
            assert set(schemas[name].get("required", [])) <= set(media["example"])


# ---- the page ----


class Page(HTMLParser):
    """Collects what a browser would load or follow, ids, and unlabelled inputs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.opened: list[str] = []
        self.unlabelled = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        found = dict(attrs)
        self.links += [found[key] for key in ("href", "src", "action") if key in found]
        self.ids += [found["id"]] if "id" in found else []
        if tag in {"input", "select", "textarea"} and "label" not in self.opened:
            self.unlabelled += 1
        if tag not in {"input", "meta", "link", "wbr"}:
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag


def test_the_page_is_well_formed_and_labelled(client: TestClient[Litestar]) -> None:
    page = Page(client.get("/docs").text)
    assert page.opened == []
    assert page.unlabelled == 0
    assert len(page.ids) == len(set(page.ids))


def test_the_page_loads_nothing_from_elsewhere(client: TestClient[Litestar]) -> None:
    answer = client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = Page(answer.text)
    for link in page.links:
        assert link.startswith(("/", "#", "data:image/svg+xml")), link
        if link.startswith("#"):
            assert link[1:] in page.ids, link
        elif link.startswith("/"):
            assert client.get(link).is_success, link
    for name in ("docs.css", "docs.js"):
        assert "//" not in re.sub(
            r"^\s*//.*$", "", (STATIC / name).read_text(), flags=re.MULTILINE
        )


def test_the_root_leads_to_the_page(client: TestClient[Litestar]) -> None:
    answer = client.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")


def test_what_plugins_say_is_escaped(document: dict[str, Any]) -> None:
    nasty = "<script>alert('x')</script>"
    document["paths"]["/x" + nasty] = {
        "get": {
            "tags": [nasty],
            "summary": nasty,
            "description": nasty,
            "operationId": nasty,
            "parameters": [{"name": nasty, "in": "query", "schema": {"enum": [nasty]}}],
            "responses": {
                "200": {
                    "description": nasty,
                    "content": {nasty: {"schema": {}, "example": nasty}},
                }
            },
        }
    }
    assert "<script>" not in render(document)
    assert "<script>" not in re.sub(r"<wbr>", "", render(document))


# ---- docs/api.md ----


def test_docs_name_every_call_parameter_and_problem(document: dict[str, Any]) -> None:
    text = PAGE.read_text()
    for method, path, operation in calls_of(document):
        assert f"{method.upper()} {path}" in text
        for parameter in operation.get("parameters", []):
            assert f"`{parameter['name']}`" in text, parameter["name"]
    for code in TITLES:
        assert f"`{code}`" in text, code


def test_docs_name_no_call_that_is_not_there(document: dict[str, Any]) -> None:
    known = {f"{method.upper()} {path}" for method, path, _ in calls_of(document)}
    known |= {"GET /", "GET /schema", "GET /schema/openapi.json", "GET /docs"}
    found = set(re.findall(r"`((?:GET|POST|PUT|DELETE) /[^ `?]*)`", PAGE.read_text()))
    assert found <= known
