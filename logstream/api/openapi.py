"""The OpenAPI 3.1 document: our routes by their declarations, plugins' by Litestar.

Litestar can only document what its own parameter injection sees; our handlers check
their input themselves, against structs, and those structs are what is documented.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Litestar
from litestar.openapi import OpenAPIConfig
from litestar.routes import HTTPRoute

from logstream.api.operations import TAGS, Header, Operation, operation_of
from logstream.api.problems import MEDIA_TYPE, TITLES, Problem
from logstream.core.errors import LogStreamError

Json = dict[str, Any]

_ALWAYS: tuple[type[LogStreamError], ...] = (LogStreamError,)
"""Any call may fail for a reason of ours."""

_DESCRIPTION = (
    "Store log entries, and find them again. An answer of 200 to an ingest call means: "
    "on disk. A query sees every entry that was acked before it. Every answer that is "
    "not 2xx or 3xx is `application/problem+json` (RFC 9457)."
)


def document_of(
    routes: Sequence[Any], plugin_routes: Sequence[Any], *, version: str
) -> Json:
    """The whole document, ready to be encoded.

    Args:
        routes: The app's, of which those with a declared operation are ours.
        plugin_routes: Handlers as the plugins gave them.
    """
    ours = _operations(routes)
    schemas = _Schemas([operation for _, _, operation in ours])
    paths: dict[str, Json] = {}
    for path, method, operation in ours:
        paths.setdefault(path, {})[method] = _operation(operation, schemas)
    extra = _of_plugins(plugin_routes, version)
    for path, item in extra.get("paths", {}).items():
        paths.setdefault(path, {}).update(_tagged(item))
    components = extra.get("components", {}).get("schemas", {}) | schemas.components
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "LogStream",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {"schemas": dict(sorted(components.items()))},
    }


def _operations(routes: Sequence[Any]) -> list[tuple[str, str, Operation]]:
    """Path, method in lower case and declaration of every route of ours, by tag."""
    found = [
        (route.path_format, method.lower(), operation)
        for route in routes
        if isinstance(route, HTTPRoute)
        for method, handler in _handlers(route).items()
        if (operation := operation_of(handler.opt)) and method != "HEAD"
    ]
    order = list(TAGS)
    return sorted(found, key=lambda one: (order.index(one[2].tag), one[0], one[1]))


def _handlers(route: HTTPRoute) -> Mapping[str, Any]:
    return {
        method: handler
        for handler in route.route_handlers
        for method in handler.http_methods
        if method != "OPTIONS"
    }


class _Schemas:
    """Schemas of all types that operations name, in one set of components."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._types: list[Any] = [Problem]
        for operation in operations:
            self._types += [
                kind
                for kind in (
                    operation.query,
                    operation.body.kind if operation.body else None,
                    operation.answer,
                )
                if kind is not None
            ]
        schemas, components = msgspec.json.schema_components(
            self._types, ref_template="#/components/schemas/{name}"
        )
        self._schemas = [_tidy(schema) for schema in schemas]
        named: Json = {name: _tidy(schema) for name, schema in components.items()}
        queries = {
            operation.query.__name__ for operation in operations if operation.query
        }
        self._queries = {name: named.pop(name) for name in queries if name in named}
        self.components = named

    def of(self, kind: Any) -> Json:
        found: Json = self._schemas[self._types.index(kind)]
        return found

    def parameters_of(self, kind: type[msgspec.Struct]) -> Json:
        found: Json = self._queries[kind.__name__].get("properties", {})
        return found


def _operation(operation: Operation, schemas: _Schemas) -> Json:
    described: Json = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
    }
    if operation.description:
        described["description"] = operation.description
    if parameters := _parameters(operation, schemas):
        described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {
            "required": operation.body.required,
            "content": {
                media_type: {
                    "schema": (
                        {"type": "string"}
                        if isinstance(example, str)
                        else schemas.of(operation.body.kind)
                    ),
                    "example": example,
                }
                for media_type, example in operation.body.examples.items()
            },
        }
    described["responses"] = {
        str(operation.status): _answer(operation, schemas),
        **_problems(operation),
    }
    return described


def _parameters(operation: Operation, schemas: _Schemas) -> list[Json]:
    found: list[Json] = [_parameter(header, "path") for header in operation.path]
    if operation.query is not None:
        for name, schema in schemas.parameters_of(operation.query).items():
            shape = dict(schema)
            description = shape.pop("description", "")
            parameter: Json = {"name": name, "in": "query", "schema": shape}
            if description:
                parameter["description"] = description
            found.append(parameter)
    return found + [_parameter(header, "header") for header in operation.headers]


def _parameter(header: Header, where: str) -> Json:
    return {
        "name": header.name,
        "in": where,
        "required": where == "path",
        "description": header.description,
        "schema": {"type": "string"},
        "example": header.example,
    }


def _answer(operation: Operation, schemas: _Schemas) -> Json:
    content: Json = {}
    content["schema"] = (
        {"type": "string"} if operation.answer is None else schemas.of(operation.answer)
    )
    if operation.example is not None:
        content["example"] = operation.example
    answer: Json = {
        "description": operation.summary,
        "content": {operation.media_type: content},
    }
    if operation.linked:
        answer["headers"] = {
            "Link": {
                "description": 'Where the next page is, `rel="next"`; missing at the '
                "end.",
                "schema": {"type": "string"},
            }
        }
    return answer


def _problems(operation: Operation) -> Json:
    by_status: dict[int, list[type[LogStreamError]]] = {}
    for kind in (*operation.problems, *_ALWAYS):
        by_status.setdefault(kind.http_status, []).append(kind)
    return {
        str(status): {
            "description": "; ".join(
                f"`{kind.code}`: {TITLES[kind.code]}" for kind in kinds
            ),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": {
                        "type": f"urn:logstream:{kinds[0].code}",
                        "status": status,
                        "title": TITLES[kinds[0].code],
                        "detail": f"{HTTPStatus(status).phrase}: what, where, and how "
                        "to put it right.",
                    },
                }
            },
        }
        for status, kinds in sorted(by_status.items())
    }


def _of_plugins(plugin_routes: Sequence[Any], version: str) -> Json:
    """Litestar's own document of the plugins' handlers, from an app of just those."""
    if not plugin_routes:
        return {}
    app = Litestar(
        list(plugin_routes),
        openapi_config=OpenAPIConfig(title="plugins", version=version),
        logging_config=None,
    )
    document: Json = app.openapi_schema.to_schema()
    return document


def _tagged(item: Json) -> Json:
    return {
        method: {"tags": ["Plugins"], **operation}
        if isinstance(operation, dict)
        else operation
        for method, operation in item.items()
    }


def _tidy(schema: Any) -> Any:
    """Without defaults that only mean: not given."""
    if isinstance(schema, dict):
        return {
            key: _tidy(value)
            for key, value in schema.items()
            if not (key == "default" and value in ("", None, [], {}))
        }
    if isinstance(schema, list):
        return [_tidy(value) for value in schema]
    return schema
