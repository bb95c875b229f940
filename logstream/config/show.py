"""The values in effect, and who set each: `logstream config show`."""

from collections.abc import Iterator
from typing import Any

import msgspec

from logstream.config.describe import sections
from logstream.config.document import yaml_text
from logstream.config.load import Loaded


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One key, or one whole list."""

    key: str
    """`server.port`, `processors`."""
    value: Any
    """As JSON values."""
    origin: str
    """`default`, `environment`, `flag`, or the file's path."""


def shown(loaded: Loaded) -> Iterator[Shown]:
    """The values in effect, in the order of the declaration."""
    tree = msgspec.json.decode(msgspec.json.encode(loaded.settings))
    for section in sections():
        if section.is_list:
            yield _shown(loaded, section.name, tree[section.name])
        else:
            for key in section.keys:
                yield _shown(loaded, key.path, tree[section.name][key.name])


def show(loaded: Loaded) -> str:
    """The values as YAML that loads again, each with its origin as a comment."""
    lines: list[str] = []
    above = ""
    for item in shown(loaded):
        section, _, name = item.key.partition(".")
        if name and section != above:
            lines.append(f"{section}:")
        above = section
        indent = "  " if name else ""
        text = f"{indent}{name or section}: {yaml_text(item.value)}"
        lines.append(f"{text:<44}  # {item.origin}")
    return "\n".join(lines) + "\n"


def _shown(loaded: Loaded, key: str, value: Any) -> Shown:
    origin: str = loaded.origins[key]
    if origin == "file" and loaded.path is not None:
        origin = str(loaded.path)
    return Shown(key=key, value=value, origin=origin)
