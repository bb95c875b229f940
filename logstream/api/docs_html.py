"""The page about the API as HTML, made from its OpenAPI document.

Everything from the document is escaped: plugins put their own text there.
"""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

Json = Mapping[str, Any]

_METHODS = ("get", "post", "put", "patch", "delete")
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'"
    "%3E%3Cpath d='M2 3h12v2H2zm0 4h8v2H2zm0 4h10v2H2z' fill='%230a7d55'/%3E%3C/svg%3E"
)


def render(document: Json) -> str:
    """The whole page."""
    info = document["info"]
    groups = _groups(document)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(info["title"])} API</title>
<link rel="icon" href="{_ICON}">
<link rel="stylesheet" href="/docs/docs.css">
<script src="/docs/docs.js" defer></script>
</head>
<body>
<a class="skip" href="#operations">Skip to the calls</a>
<header>
<h1>{escape(info["title"])} API <small>{escape(info["version"])}</small></h1>
<p>Send a log entry, and find it again: everything is plain HTTP and JSON, with no
client to install. A 200 to an entry means that it is on disk, and the next query sees
it. Errors say what is wrong and where, as
<code>application/problem+json</code>.</p>
{_start()}
<p>The same as a machine reads it: <a href="/schema">/schema</a> (OpenAPI 3.1).
Metrics: <a href="/metrics">/metrics</a>.</p>
</header>
{_contents(groups)}
<main id="operations">
{"".join(_group(name, about, calls, document) for name, about, calls in groups)}
{_shapes(document)}
</main>
</body>
</html>
"""


def _start() -> str:
    entry = (
        '{"source": "auth", "level": "warn", "message": "Failed login attempt",'
        ' "fields": {"ip": "192.168.1.100"}}'
    )
    lines = (
        f"curl <span data-origin></span>/api/v1/logs -d '{escape(entry, quote=False)}'",
        "curl '<span data-origin></span>/api/v1/logs?q=login&amp;from=-15m'",
        "curl <span data-origin></span>/api/v1/logs/batch --data-binary @app.ndjson",
    )
    return f'<pre class="start" tabindex="0"><code>{chr(10).join(lines)}</code></pre>'


Call = tuple[str, str, Json]


def _groups(document: Json) -> list[tuple[str, str, list[Call]]]:
    """Name, what it is about, and its calls, in the document's order of tags."""
    about = {tag["name"]: tag["description"] for tag in document["tags"]}
    groups: dict[str, list[Call]] = {name: [] for name in about}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if operation := item.get(method):
                tag = operation.get("tags", ["Plugins"])[0]
                groups.setdefault(tag, []).append((method, path, operation))
    return [(name, about.get(name, ""), calls) for name, calls in groups.items()]


def _contents(groups: list[tuple[str, str, list[Call]]]) -> str:
    items = "".join(
        f"<li><a href='#{escape(name)}'>{escape(name)}</a><ul>"
        + "".join(
            f"<li><a href='#{_anchor(call)}'>{_method(call[0])} "
            f"<code>{_breakable(call[1])}</code></a></li>"
            for call in calls
        )
        + "</ul></li>"
        for name, _, calls in groups
    )
    return f'<nav aria-label="Calls"><ul>{items}</ul></nav>'


def _group(name: str, about: str, calls: list[Call], document: Json) -> str:
    return (
        f'<section id="{escape(name)}"><h2>{escape(name)}</h2><p>{_text(about)}</p>'
        + "".join(_call(call, document) for call in calls)
        + "</section>"
    )


def _call(call: Call, document: Json) -> str:
    method, path, operation = call
    return (
        f'<article id="{_anchor(call)}" data-method="{method.upper()}" '
        f'data-path="{escape(path)}"><h3>{_method(method)} '
        f"<code>{_breakable(path)}</code></h3>"
        f"<p><strong>{_text(operation.get('summary', ''))}.</strong> "
        f"{_text(operation.get('description', ''))}</p>"
        f"{_parameters(operation)}{_body(operation, document)}"
        f"{_responses(operation, document)}{_form(call)}</article>"
    )


def _parameters(operation: Json) -> str:
    rows = "".join(
        f"<tr><th scope='row'><code>{escape(one['name'])}</code></th>"
        f"<td>{escape(one['in'])}</td><td>{_kind(one['schema'])}</td>"
        f"<td>{_text(one.get('description', ''))}</td></tr>"
        for one in operation.get("parameters", [])
    )
    if not rows:
        return ""
    return (
        '<div class="wide"><table><caption>Parameters</caption><thead><tr>'
        "<th scope='col'>Name</th><th scope='col'>In</th><th scope='col'>Type</th>"
        f"<th scope='col'>Meaning</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _body(operation: Json, document: Json) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return ""
    shown = "".join(
        f"<figure><figcaption>Body, <code>{escape(kind)}</code>{_of(media)}"
        f"</figcaption>{_code(media.get('example'))}</figure>"
        for kind, media in content.items()
    )
    keys = _table_of(next(iter(content.values())).get("schema", {}), document)
    return shown + keys


def _responses(operation: Json, document: Json) -> str:
    good, bad = "", ""
    for status, answer in operation.get("responses", {}).items():
        for kind, media in answer.get("content", {}).items():
            if status.startswith("2"):
                good += (
                    f"<figure><figcaption>Answer {escape(status)}, "
                    f"<code>{escape(kind)}</code>{_of(media)}</figcaption>"
                    f"{_code(media.get('example'))}</figure>"
                )
            else:
                bad += (
                    f"<dt>{escape(status)}</dt>"
                    f"<dd>{_text(answer.get('description', ''))}</dd>"
                )
    errors = (
        f"<details><summary>Errors</summary><dl>{bad}</dl></details>" if bad else ""
    )
    return good + errors


def _form(call: Call) -> str:
    method, path, operation = call
    prefix = _anchor(call)
    fields = "".join(
        f"<label>{escape(one['name'])}{_input(one)}</label>"
        for one in operation.get("parameters", [])
    )
    content = operation.get("requestBody", {}).get("content", {})
    if content:
        kinds = "".join(
            f'<option data-example="{escape(_plain(media.get("example")))}">'
            f"{escape(kind)}</option>"
            for kind, media in content.items()
        )
        first = _plain(next(iter(content.values())).get("example"))
        fields += (
            f"<label>Content-Type<select name='content-type'>{kinds}</select></label>"
            f'<label class="long">Body<textarea name="body" rows="8" '
            f'spellcheck="false">{escape(first)}</textarea></label>'
        )
    return (
        f'<details class="try"><summary>Try it</summary><form aria-label="Try '
        f'{method.upper()} {escape(path)}"><div class="inputs">{fields}</div>'
        f'<button type="submit">Send</button></form>'
        f'<div class="result" id="{prefix}-result" role="status" hidden></div>'
        "</details>"
    )


def _input(parameter: Json) -> str:
    schema = parameter["schema"]
    choices = schema.get("enum") or (
        ["true", "false"] if schema.get("type") == "boolean" else []
    )
    named = f'name="{escape(parameter["name"])}" data-in="{escape(parameter["in"])}"'
    if choices:
        options = "".join(f"<option>{escape(str(one))}</option>" for one in choices)
        return f"<select {named}><option></option>{options}</select>"
    required = " required" if parameter.get("required") else ""
    return f'<input {named} autocomplete="off" spellcheck="false"{required}>'


def _shapes(document: Json) -> str:
    shapes = "".join(
        f'<article id="shape-{escape(name)}"><h3><code>{escape(name)}</code></h3>'
        f"<p>{_text(schema.get('description', ''))}</p>"
        f"{_table(schema)}</article>"
        for name, schema in document["components"]["schemas"].items()
        if schema.get("properties")
    )
    return (
        '<section id="Shapes"><h2>Shapes</h2><p>The objects that the calls take and '
        f"give.</p>{shapes}</section>"
    )


def _table_of(schema: Json, document: Json) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    found = document["components"]["schemas"].get(name)
    return _table(found) if found else ""


def _table(schema: Json) -> str:
    required = schema.get("required", [])
    rows = "".join(
        f"<tr><th scope='row'><code>{escape(name)}</code></th><td>{_kind(one)}"
        f"{', required' if name in required else ''}</td>"
        f"<td>{_text(one.get('description', ''))}</td></tr>"
        for name, one in schema.get("properties", {}).items()
    )
    return (
        '<div class="wide"><table><caption>Keys</caption><thead><tr>'
        "<th scope='col'>Key</th><th scope='col'>Type</th><th scope='col'>Meaning</th>"
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _kind(schema: Json) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#shape-{name}">{name}</a>'
    if "anyOf" in schema:
        kinds = [one for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(_kind(one) for one in kinds)
    if "enum" in schema:
        return " ".join(f"<code>{escape(str(one))}</code>" for one in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return escape(str(schema.get("type", "any")))


def _of(media: Json) -> str:
    kind = _kind(media.get("schema", {}))
    return f": {kind}" if "<a" in kind else ""


def _code(example: Any) -> str:
    if example is None:
        return ""
    return (
        f'<pre tabindex="0"><code>{escape(_plain(example), quote=False)}</code></pre>'
    )


def _plain(example: Any) -> str:
    if example is None:
        return ""
    if isinstance(example, str):
        return example
    return json.dumps(example, indent=2, ensure_ascii=False)


def _method(method: str) -> str:
    return f'<b class="{escape(method)}">{escape(method.upper())}</b>'


def _anchor(call: Call) -> str:
    method, path, operation = call
    return escape(operation.get("operationId") or f"{method}{path}")


def _breakable(path: str) -> str:
    """A path that may break at its slashes, for narrow screens."""
    return escape(path).replace("/", "/<wbr>")


def _text(text: str) -> str:
    """Escaped, with `code` between backticks."""
    parts = escape(text, quote=False).split("`")
    return "".join(
        f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts)
    )
