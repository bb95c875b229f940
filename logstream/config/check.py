"""Values against the declaration: every problem at once, each with its path.

msgspec would stop at the first and call a key by `$.server`; here each key is
converted by itself, so that a message names what was expected and what was there.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from logstream.config.describe import Key, Section, sections
from logstream.config.document import Path
from logstream.config.nearest import did_you_mean

_SHOWN_CHARACTERS = 60


class Problem(msgspec.Struct, frozen=True):
    path: Path
    text: str
    """Names the key, not the file."""


def check_tree(tree: Any) -> Iterator[Problem]:
    """What is wrong with a file's value, or a part of one.

    A section that is null has all its defaults: that is what is left of one whose
    keys are all comments.
    """
    if not isinstance(tree, dict):
        yield Problem((), f"expected sections such as 'server:', got {_shown(tree)}")
        return
    by_name = {section.name: section for section in sections()}
    for name, value in tree.items():
        if name not in by_name:
            yield Problem((name,), f"unknown key {name!r}{did_you_mean(name, by_name)}")
        elif value is not None:
            yield from _check_section(by_name[name], value)


def key_text(path: Path) -> str:
    """`("collectors", 0, "type")` → `collectors[0].type`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _check_section(section: Section, value: Any) -> Iterator[Problem]:
    if not section.is_list:
        yield from _check_object(section.keys, value, (section.name,))
    elif not isinstance(value, list | tuple):
        text = f"{section.name}: expected a list of objects, got {_shown(value)}"
        yield Problem((section.name,), text)
    else:
        for index, item in enumerate(value):
            yield from _check_object(section.keys, item, (section.name, index))


def _check_object(keys: tuple[Key, ...], value: Any, path: Path) -> Iterator[Problem]:
    where = key_text(path)
    if not isinstance(value, Mapping):
        yield Problem(path, f"{where}: expected an object, got {_shown(value)}")
        return
    by_name = {key.name: key for key in keys}
    for name, inner in value.items():
        if (key := by_name.get(name)) is None:
            hint = did_you_mean(str(name), by_name)
            yield Problem((*path, name), f"unknown key {name!r} in {where!r}{hint}")
        else:
            yield from _check_value(key, inner, (*path, name))
    for name, key in by_name.items():
        if key.required and name not in value:
            yield Problem(path, f"{where}: the key {name!r} is missing")


def _check_value(key: Key, value: Any, path: Path) -> Iterator[Problem]:
    try:
        msgspec.convert(value, key.annotation, strict=True)
    except msgspec.ValidationError:
        got = _shown(value)
        yield Problem(path, f"{key_text(path)}: expected {key.expects}, got {got}")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        text = repr(value)
    else:
        text = msgspec.json.encode(value, enc_hook=repr).decode()
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
