"""The pipes that make columns out of texts."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from logstream.query.names import FIELDS_PREFIX, Path, subject_of
from logstream.query.pipes.extract import Extract, ExtractRegexp
from logstream.query.pipes.replace import Replace
from logstream.query.pipes.unpack import Unpack
from tests.query.model.rows import Rows
from tests.query.model.values import V, text

_PLACE = re.compile(r"<(\w+)>")


def replaced(pipe: Replace, rows: Rows) -> Rows:
    def of(value: V) -> V:
        said = text(value)
        if said is None:
            return ("text", None)
        if pipe.is_regexp:
            return ("text", re.sub(pipe.old, pipe.new.replace(r"\0", r"\g<0>"), said))
        return ("text", said.replace(pipe.old, pipe.new))

    name = rows.own(pipe.name)
    return rows.of(
        (row.with_columns({name: of(row[name])}) for row in rows),
        gone=rows.gone - {name},
    )


def extracted(pipe: Extract | ExtractRegexp, rows: Rows) -> Rows:
    if isinstance(pipe, ExtractRegexp):
        pattern = re.compile(pipe.pattern)
    else:
        parts = _PLACE.split(pipe.template)
        for at in range(0, len(parts), 2):
            parts[at] = re.escape(parts[at])
        for at in range(1, len(parts), 2):
            some = "(.*)" if at == len(parts) - 2 and not parts[-1] else "(.*?)"
            parts[at] = some if parts[at] == "_" else f"(?P<{parts[at]}>{some[1:]}"
        pattern = re.compile("".join(parts), re.DOTALL)

    def of(value: V) -> dict[str, V]:
        found = pattern.search(text(value) or "")
        return {
            name: ("field", (found[name] or None) if found else None)
            for name in pattern.groupindex
        }

    return rows.of(
        (row.with_columns(of(row[pipe.source])) for row in rows),
        gone=rows.gone - {*pattern.groupindex},
    )


def unpacked(pipe: Unpack, rows: Rows) -> Rows:
    if pipe.format == "logfmt":
        return _with(pipe, rows, lambda said: _pairs(said, pipe.names))
    if pipe.names:
        return _with(pipe, rows, lambda said: _members(said, pipe.names))

    def found(said: str | None) -> dict[str, Any]:
        made = _parsed(said)
        return made if isinstance(made, dict) else {}

    return rows.of(row.with_fields(found(text(row[pipe.source]))) for row in rows)


def _with(
    pipe: Unpack, rows: Rows, made: Callable[[str | None], dict[str, Any]]
) -> Rows:
    return rows.of(
        (
            row.with_columns(
                {
                    name: ("field", one)
                    for name, one in made(text(row[pipe.source])).items()
                }
            )
            for row in rows
        ),
        gone=rows.gone - {*map(rows.own, pipe.names)},
    )


def _parsed(said: str | None) -> Any:
    """None for what is no JSON."""

    def refused(_: str) -> None:
        raise ValueError

    try:
        return json.loads(said or "", parse_constant=refused)
    except ValueError:
        return None


def _members(said: str | None, names: Sequence[str]) -> dict[str, Any]:
    found = _parsed(said)
    return {name: member_of(found, name) for name in names}


def member_of(found: Any, name: str) -> Any:
    """`a.b` is `b` of `a`, or else the key `a.b`."""
    path = subject_of(FIELDS_PREFIX + name)
    assert isinstance(path, Path)
    for way in path.ways:
        one = found
        for key in way:
            one = one.get(key) if isinstance(one, dict) else None
        if one is not None:
            return one
    return None


def _pairs(said: str | None, names: Sequence[str]) -> dict[str, Any]:
    """Word by word: `name=value` or `name="a \\"b\\""`, the first of each name."""
    found: dict[str, Any] = dict.fromkeys(names)
    for name in names:
        pattern = rf'(?:^|\s){re.escape(name)}=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))'
        match = re.search(pattern, said or "", re.ASCII)
        if match is not None:
            quoted, plain = match.groups()
            found[name] = (
                plain or None if quoted is None else quoted.replace('\\"', '"')
            )
    return found
