"""An options struct: raw values into it, and its keys with their help out of it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import inspect as shapes

from logstream.config.describe import describe
from logstream.config.nearest import did_you_mean
from logstream.core.errors import ConfigError
from logstream.plugins.contracts import Options

O = TypeVar("O", bound=Options)  # noqa: E741 - the one letter that fits

_PATH = re.compile(r" - at `(?:key` in `)?\$\.?([^`]*)`$")
_UNKNOWN = re.compile(r"unknown field `(.*?)`")


class OptionDoc(msgspec.Struct, frozen=True, kw_only=True):
    """One config key of a plugin's offer, ready to be shown."""

    key: str
    type: str
    """For people: `an integer of at least 1`, `one of json, regex`."""
    required: bool
    default: Any = None
    """As a JSON value; None when the key is required too."""
    doc: str = ""
    """The docstring below the field, paragraphs of one line each."""


def build_options(options: type[O], raw: Mapping[str, Any], *, where: str) -> O:
    """Check raw values from the config and make the struct of them.

    Args:
        options: The struct that the spec names.
        raw: Values as YAML gives them; nothing is converted (`"5"` is no int).
        where: Begins every error: the place in the config and the plugin.

    Raises:
        ConfigError: names the place, the key's path, and the nearest known key.
    """
    try:
        return msgspec.convert(raw, options)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {_explain(str(error), options)}") from None


def _explain(problem: str, options: type[Options]) -> str:
    found = _PATH.search(problem)
    path = found[1] if found else ""
    reason = problem[: found.start()] if found else problem
    at = f"{path}: " if path else ""
    unknown = _UNKNOWN.search(reason)
    if unknown is None:
        return at + reason
    known = (
        list(_keys_below(shapes.type_info(options)))
        if path
        else [field.encode_name for field in msgspec.structs.fields(options)]
    )
    hint = did_you_mean(unknown[1], known)
    names = ", ".join(known) or "none at all"
    return f"{at}unknown key {unknown[1]!r}{hint or f'; known are {names}'}"


def _keys_below(shape: Any) -> Iterator[str]:
    """Keys of every struct inside `shape`, but not of `shape` itself."""
    for inner in _children(shape):
        if isinstance(inner, shapes.StructType):
            yield from (field.encode_name for field in inner.fields)
        yield from _keys_below(inner)


def _children(shape: Any) -> Iterator[shapes.Type]:
    if isinstance(shape, shapes.StructType):
        yield from (field.type for field in shape.fields)
    elif isinstance(shape, shapes.UnionType):
        yield from shape.types
    elif isinstance(shape, shapes.DictType):
        yield shape.value_type
    elif isinstance(shape, shapes.VarTupleType | shapes.ListType | shapes.SetType):
        yield shape.item_type


def describe_options(options: type[msgspec.Struct]) -> tuple[OptionDoc, ...]:
    """Every key of an options struct, in the order of declaration.

    Works for any msgspec struct. A key's help is the docstring below the field; it is
    empty where the source code cannot be read.
    """
    return tuple(
        OptionDoc(
            key=key.name,
            type=key.expects,
            required=key.required,
            default=msgspec.to_builtins(key.default),
            doc=key.help,
        )
        for key in describe(options)
    )
