"""Query strings and JSON bodies, checked against structs.

The structs are the declaration: what is accepted, and what `/schema` and `/docs`
say. A name that is not declared is refused with the nearest one that is, since a
mistyped `limt=5` that is ignored looks like an answer.
"""

import re
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

import msgspec

from logstream.api.bodies import AnyRequest, Bodies, Cap
from logstream.config.nearest import did_you_mean
from logstream.core.errors import BadRequest

QUERY_BODY = Cap(1_048_576, "")

_MAX_PARAMETERS = 1000
_AT_BYTE = re.compile(r"\(byte (\d+)\)")
_AT_PATH = re.compile(r"^(.*) - at `\$\.?(.*)`$", re.DOTALL)
_UNKNOWN = re.compile(r"^Object contains unknown field `(.*?)`(?: - at `\$(.*)`)?$")


class Fields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every struct of parameters and of every body of a query."""


class NoParameters(Fields, frozen=True, kw_only=True):
    pass


F = TypeVar("F", bound=Fields)


def query_of(request: AnyRequest, kind: type[F]) -> F:
    """The query string as a struct.

    A field that is a tuple may be given again and again; any other, once.

    Raises:
        BadRequest: an unknown name, one given twice, or a value that does not fit.
    """
    raw: bytes = request.scope["query_string"]
    if not raw:
        return _convert({}, kind)
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except UnicodeDecodeError:
        raise BadRequest("The query string is not UTF-8.") from None
    except ValueError:
        raise BadRequest(
            f"The query string has more than {_MAX_PARAMETERS} parameters."
        ) from None
    return _convert(_gather(pairs, kind), kind)


async def body_of(
    request: AnyRequest, bodies: Bodies, kind: type[F], *, empty: bytes | None = None
) -> F:
    """The body, which is JSON whatever its Content-Type says, as a struct.

    Args:
        empty: What an empty body means; None refuses it.

    Raises:
        BadRequest: not JSON, an unknown key, or a value that does not fit.
    """
    raw = await bodies.whole(request, QUERY_BODY)
    if not raw.strip():
        if empty is None:
            raise BadRequest("The body is empty: send a JSON object.")
        raw = empty
    return from_json(raw, kind)


def from_json(raw: bytes, kind: type[F]) -> F:
    """Decode one JSON document, with errors that say where.

    Raises:
        BadRequest: see `body_of`.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise BadRequest(_explain(str(error), kind, "key")) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body is not JSON: {where(raw, str(error))}") from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply.") from None


def where(raw: bytes, message: str) -> str:
    """The message of msgspec, with line and column beside the byte it names."""
    found = _AT_BYTE.search(message)
    if found is None:
        return message.rstrip(".") + "."
    before = raw[: int(found[1])]
    line = before.count(b"\n") + 1
    column = len(before) - (before.rfind(b"\n") + 1) + 1
    return f"{message} in line {line}, column {column}."


def known_fields(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


@cache
def _takes_many(kind: type[Fields]) -> dict[str, bool]:
    """Which names may be given again and again. Kept: to find out takes 0.3 ms."""
    hints = get_type_hints(kind)
    return {
        field.encode_name: get_origin(hints[field.name]) is tuple
        for field in msgspec.structs.fields(kind)
    }


def _gather(pairs: list[tuple[str, str]], kind: type[Fields]) -> dict[str, Any]:
    many = _takes_many(kind)
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name not in many:
            raise BadRequest(_unknown(name, list(many), "query parameter"))
        if many[name]:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise BadRequest(f"The query parameter {name!r} is given twice.")
        else:
            values[name] = value
    return values


def _convert(values: dict[str, Any], kind: type[F]) -> F:
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(_explain(str(error), kind, "query parameter")) from None


def _explain(message: str, kind: type[Fields], what: str) -> str:
    if found := _UNKNOWN.match(message):
        inner = _struct_at(kind, found[2] or "")
        return _unknown(found[1], known_fields(inner), what)
    message = message.replace(" | null", "")
    if (found := _AT_PATH.match(message)) and found[2]:
        head, _, last = found[2].rpartition(".")
        choices = _choices(_struct_at(kind, head), last)
        return f"{what.capitalize()} {found[2]!r}: {_lower_first(found[1])}{choices}."
    return f"The body: {_lower_first(message)}."


def _unknown(name: str, known: list[str], what: str) -> str:
    listed = ", ".join(known) if known else "none"
    guess = did_you_mean(name, known)
    return f"Unknown {what} {name[:60]!r}{guess or ':'} Known: {listed}."


def _struct_at(kind: type[Any], path: str) -> type[Any]:
    """The struct that a path such as `.analysis.time_range` leads to."""
    for name in path.strip(".").split(".") if path else ():
        hints = get_type_hints(kind)
        by_name = {
            field.encode_name: hints[field.name]
            for field in msgspec.structs.fields(kind)
        }
        options = getattr(by_name.get(name), "__args__", (by_name.get(name),))
        inner = [k for k in options if isinstance(k, type) and _is_struct(k)]
        if not inner:
            return kind
        kind = inner[0]
    return kind


def _choices(kind: type[Any], name: str) -> str:
    """What the field takes, when that is a short list."""
    hints = get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        if field.encode_name == name and get_origin(hints[field.name]) is Literal:
            return f": use {' or '.join(get_args(hints[field.name]))}"
    return ""


def _is_struct(kind: type[Any]) -> bool:
    return issubclass(kind, msgspec.Struct)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
