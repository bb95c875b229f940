"""An options struct: raw values into it, and its keys with their help out of it."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar

import msgspec
from msgspec import NODEFAULT
from msgspec import inspect as shapes

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
    """For people: `int >= 1`, `"json" or "regex"`, `list of str`."""
    required: bool
    default: Any = None
    """As a JSON value; None when the key is required too."""
    doc: str = ""
    """The docstring below the field, its line breaks kept."""


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
    shape = shapes.type_info(options)
    assert isinstance(shape, shapes.StructType)
    docs = attribute_docs(options)
    return tuple(
        OptionDoc(
            key=field.encode_name,
            type=_name(field.type),
            required=field.required,
            default=_default(field),
            doc=docs.get(field.name, ""),
        )
        for field in shape.fields
    )


@cache
def attribute_docs(cls: type) -> Mapping[str, str]:
    """Attribute name → the docstring below it, base classes' included."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue  # built in C, or typed into a prompt: there is no source
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for statement, below in pairwise(body):
            if isinstance(statement, ast.AnnAssign) and isinstance(below, ast.Expr):
                _note_doc(docs, statement.target, below.value)
    return docs


def _note_doc(docs: dict[str, str], target: ast.expr, value: ast.expr) -> None:
    if (
        isinstance(target, ast.Name)
        and isinstance(value, ast.Constant)
        and isinstance(value.value, str)
    ):
        docs[target.id] = inspect.cleandoc(value.value)


def _default(field: shapes.Field) -> Any:
    if field.default is not NODEFAULT:
        return msgspec.to_builtins(field.default)
    if field.default_factory is not NODEFAULT:
        return msgspec.to_builtins(field.default_factory())
    return None


_SIMPLE: dict[type[shapes.Type], str] = {
    shapes.AnyType: "any value",
    shapes.NoneType: "null",
    shapes.BoolType: "true or false",
    shapes.StrType: "str",
}


def _name(shape: shapes.Type) -> str:
    match shape:
        case shapes.IntType() | shapes.FloatType():
            return _number(shape)
        case shapes.LiteralType(values=values):
            return " or ".join(f'"{value}"' for value in values)
        case shapes.DictType(key_type=key, value_type=value):
            return f"map of {_name(key)} to {_name(value)}"
        case (
            shapes.ListType(item_type=item)
            | shapes.VarTupleType(item_type=item)
            | shapes.SetType(item_type=item)
        ):
            return f"list of {_name(item)}"
        case shapes.UnionType(types=types):
            return " or ".join(_name(one) for one in types)
        case shapes.StructType(fields=fields):
            return f"map with {', '.join(field.encode_name for field in fields)}"
        case _:
            return _SIMPLE.get(type(shape), type(shape).__name__.removesuffix("Type"))


def _number(shape: shapes.IntType | shapes.FloatType) -> str:
    name = "int" if isinstance(shape, shapes.IntType) else "number"
    bounds = [("> ", shape.gt), (">= ", shape.ge), ("< ", shape.lt), ("<= ", shape.le)]
    given = [f"{sign}{bound:g}" for sign, bound in bounds if bound is not None]
    return " and ".join([f"{name} {given[0]}", *given[1:]]) if given else name
