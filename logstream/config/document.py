"""YAML text to plain values, with the line of each, refusing what surprises.

The reading is stricter than YAML 1.1, on purpose: only `true` and `false` are
booleans (`no` is the text "no"), there are no dates, no numbers in base 60 and no
leading zeros, a key that stands twice is an error, and so is every tag. Depth and
size are bounded before anything is built, so a file of aliases costs nothing.
"""

import math
import re
import sys
from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from logstream.core.errors import ConfigError

MAX_BYTES = 1_048_576
MAX_DEPTH = 32
MAX_NODES = 50_000
"""Values in the whole document, with every alias counted as what it stands for."""

Path = tuple[str | int, ...]
"""Keys and list indexes from the top: `("collectors", 0, "type")`."""


class Document(msgspec.Struct, frozen=True):
    value: Any
    """Of dict, list, str, int, float, bool and None. None: the text was empty."""

    lines: Mapping[Path, int]
    """The line where each key or list item begins, from 1."""


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_SCALARS = {
    "null": re.compile(r"~|null|Null|NULL|"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?(?:0|[1-9][0-9_]{0,18}|0x[0-9a-fA-F]{1,16})"),
    "float": re.compile(
        r"[-+]?(?:(?:0|[1-9][0-9_]*)(?:\.[0-9]*|(?=[eE]))|\.[0-9]+)(?:[eE][-+]?\d{1,3})?"
    ),
}


class _PlainLoader(_Loader):  # type: ignore[misc]  # chosen at run time
    def resolve(self, kind: type, _: object, implicit: tuple[bool, bool] | bool) -> str:
        """Name the node's kind where YAML 1.1 would guess a type from the text."""
        if kind is yaml.MappingNode:
            return "map"
        if kind is yaml.SequenceNode:
            return "seq"
        return "plain" if isinstance(implicit, tuple) and implicit[0] else "quoted"


def parse_document(text: str, *, origin: str) -> Document:
    """Parse one YAML document.

    Args:
        text: May be empty.
        origin: Named in every error: a path, or the name of a variable.

    Raises:
        ConfigError: not YAML, or over a limit; names the line.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise ConfigError(f"{origin}:{line}: is not UTF-8") from None
    if size > MAX_BYTES:
        raise ConfigError(f"{origin}: is larger than {MAX_BYTES} bytes")
    try:
        _check_depth(text, origin)
        root = yaml.compose(text, Loader=_PlainLoader)
    except yaml.reader.ReaderError as error:
        # `position` counts characters: the text went in as str.
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{origin}:{line}: the character {chr(error.character)!a} is not allowed"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{origin}:{mark.line + 1}" if mark else origin
        raise ConfigError(f"{where}: is not YAML: {error.problem}") from None
    builder = _Builder(origin)
    return Document(builder.build(root, ()) if root else None, builder.lines)


def parse_scalar(text: str) -> str | int | float | bool | None:
    """What an unquoted word means in the file."""
    for kind, pattern in _SCALARS.items():
        if pattern.fullmatch(text):
            value = _convert(kind, text)
            return text if value in (math.inf, -math.inf) else value
    return text


def yaml_text(value: Any) -> str:
    """A value as YAML on one line, such that reading it gives it back."""
    if not isinstance(value, str):
        return msgspec.json.encode(value).decode()
    if parse_scalar(value) != value:
        return msgspec.json.encode(value).decode()
    text: str = yaml.safe_dump(value, allow_unicode=True, width=sys.maxsize)
    return text.removesuffix("\n").removesuffix("\n...")


def _convert(kind: str, text: str) -> int | float | bool | None:
    match kind:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text.replace("_", ""), 16 if "x" in text else 10)
        case _:
            return float(text.replace("_", ""))


def _check_depth(text: str, origin: str) -> None:
    """Before `compose`, which recurses in C."""
    depth = 0
    for event in yaml.parse(text, Loader=_PlainLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise ConfigError(f"{origin}:{line}: is nested over {MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Builder:
    def __init__(self, origin: str) -> None:
        self.lines: dict[Path, int] = {}
        self._origin = origin
        self._nodes = 0

    def build(self, node: Any, path: Path) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._refuse(node, f"holds more than {MAX_NODES} values")
        if len(path) > MAX_DEPTH:
            self._refuse(node, f"is nested over {MAX_DEPTH} deep")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return self._sequence(node, path)
        return self._scalar(node)

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        self._expect_tag(node, "map")
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(key_node, "a key has to be one word")
            key: str = key_node.value
            inner = (*path, key)
            if key in found:
                first = self.lines[inner]
                self._refuse(key_node, f"{key!r} stands here again (see line {first})")
            self.lines[inner] = key_node.start_mark.line + 1
            found[key] = self.build(value_node, inner)
        return found

    def _sequence(self, node: Any, path: Path) -> list[Any]:
        self._expect_tag(node, "seq")
        found = []
        for index, item in enumerate(node.value):
            self.lines[(*path, index)] = item.start_mark.line + 1
            found.append(self.build(item, (*path, index)))
        return found

    def _scalar(self, node: Any) -> Any:
        self._expect_tag(node, "plain", "quoted")
        return parse_scalar(node.value) if node.tag == "plain" else node.value

    def _expect_tag(self, node: Any, *kinds: str) -> None:
        if node.tag not in kinds:
            self._refuse(node, f"the tag {node.tag!r} is not allowed")

    def _refuse(self, node: Any, problem: str) -> None:
        raise ConfigError(f"{self._origin}:{node.start_mark.line + 1}: {problem}")
