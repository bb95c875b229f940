"""The declaration as a list of keys: type, limits, default, help and variable.

Help is the docstring below a field. It is read from the source text when somebody
asks, with `ast`: importing the settings costs nothing, and where there is no source
the help is empty. Works on any struct, so on the options of a plugin too.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect as shapes

from logstream.config.document import yaml_text
from logstream.config.settings import Settings

VARIABLE_PREFIX = "LOGSTREAM_"

_SIMPLE: dict[type[shapes.Type], str] = {
    shapes.NoneType: "null",
    shapes.StrType: "text",
    shapes.BoolType: "true or false",
    shapes.DictType: "an object",
    shapes.StructType: "an object",
}

_UNITS = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a struct."""

    path: str
    """Dotted, from the top of the file: `server.port`."""

    annotation: Any
    """What msgspec converts a value to."""

    expects: str
    """What it takes, for a person: `an integer from 0 to 65535`."""

    required: bool
    default: Any = None
    """None too when it is required."""

    default_text: str
    """As YAML; empty when it is required."""

    default_size: str | None = None
    """Of a number of bytes, readable: `512 MiB`."""

    help: str
    """Paragraphs of one line each."""

    variable: str | None
    """The environment variable that sets it; None where there is none."""

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One key at the top of the file, which is a struct or a list of structs."""

    name: str
    help: str
    struct: type[msgspec.Struct]
    is_list: bool
    variable: str | None
    """Of the whole list; None for a struct, whose keys have one each."""

    keys: tuple[Key, ...]
    """Of the struct, or of each item of the list."""


@cache
def sections() -> tuple[Section, ...]:
    """The file's sections, as declared."""
    return tuple(_sections())


def keys() -> Iterator[Key]:
    """Every key that stands in a section; not those of the items of lists."""
    for section in sections():
        if not section.is_list:
            yield from section.keys


def describe(
    struct: type[msgspec.Struct], *, prefix: str = "", variables: bool = False
) -> tuple[Key, ...]:
    """The keys of one struct.

    Args:
        struct: Any msgspec struct.
        prefix: Put before each path, with a dot: the section's name.
        variables: Whether each key has an environment variable.
    """
    hints = get_type_hints(struct, include_extras=True)
    texts = docstrings(struct)
    path = f"{prefix}." if prefix else ""
    found = []
    for field in msgspec.structs.fields(struct):
        default = _default(field)
        found.append(
            Key(
                path=path + field.encode_name,
                annotation=hints[field.name],
                expects=expects(hints[field.name]),
                required=field.required,
                default=default,
                default_text="" if field.required else yaml_text(default),
                default_size=_size_text(field.name, default),
                help=texts.get(field.name, ""),
                variable=variable_of(path + field.encode_name) if variables else None,
            )
        )
    return tuple(found)


def variable_of(path: str) -> str:
    """`server.port` → `LOGSTREAM_SERVER_PORT`."""
    return VARIABLE_PREFIX + path.replace(".", "_").upper()


def expects(annotation: Any) -> str:
    """What a type takes, for a person: `an integer from 0 to 65535`."""
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(get_args(annotation))  # in the order declared
    return _expects(shapes.type_info(annotation))


@cache
def docstrings(struct: type) -> dict[str, str]:
    """Field → the docstring below it, inherited ones too; empty without a source."""
    found: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        if base.__module__ in ("builtins", "msgspec", "msgspec._core"):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue
        found.update(_docstrings_in(tree.body[0]))
    return found


def unfold(text: str) -> str:
    """A docstring as paragraphs of one line each."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _sections() -> Iterator[Section]:
    texts = docstrings(Settings)
    hints = get_type_hints(Settings)
    for field in msgspec.structs.fields(Settings):
        shape = shapes.type_info(hints[field.name])
        is_list = isinstance(shape, shapes.VarTupleType)
        item = shape.item_type if isinstance(shape, shapes.VarTupleType) else shape
        assert isinstance(item, shapes.StructType), "the top holds structs and lists"
        struct = item.cls
        yield Section(
            name=field.encode_name,
            help=texts.get(field.name) or unfold(struct.__doc__ or ""),
            struct=struct,
            is_list=is_list,
            variable=variable_of(field.encode_name) if is_list else None,
            keys=describe(
                struct,
                prefix=field.encode_name + "[]" * is_list,
                variables=not is_list,
            ),
        )


def _docstrings_in(node: ast.stmt) -> Iterator[tuple[str, str]]:
    body = node.body if isinstance(node, ast.ClassDef) else []
    for field, below in pairwise(body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, unfold(text)
            case _:
                pass


def _default(field: Any) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return None if field.default is msgspec.NODEFAULT else field.default


def _size_text(name: str, value: Any) -> str | None:
    """`1048576` → `1 MiB`; None when it is no round number of some unit."""
    if not name.endswith("_bytes") or not isinstance(value, int):
        return None
    for unit, factor in _UNITS:
        if value >= factor and value % factor == 0:
            return f"{value // factor} {unit}"
    return None


def _expects(shape: shapes.Type) -> str:
    match shape:
        case shapes.IntType():
            return _limited("an integer", shape)
        case shapes.FloatType():
            return _limited("a number", shape)
        case shapes.LiteralType(values):
            return "one of " + ", ".join(str(value) for value in values)
        case shapes.UnionType(types):
            return " or ".join(_expects(inner) for inner in types)
        case shapes.VarTupleType(item) | shapes.ListType(item):
            return f"a list, each item {_expects(item)}"
        case _:
            return _SIMPLE.get(type(shape), "any value")


def _limited(kind: str, shape: shapes.IntType | shapes.FloatType) -> str:
    if shape.ge is not None and shape.le is not None:
        return f"{kind} from {shape.ge} to {shape.le}"
    limits = (
        ("of at least", shape.ge),
        ("above", shape.gt),
        ("of at most", shape.le),
        ("below", shape.lt),
    )
    words = [f"{word} {limit}" for word, limit in limits if limit is not None]
    return " ".join((kind, " and ".join(words))).strip()
