"""Paths and patterns: which files are meant, and what they are called."""

import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from logstream.core.errors import ConfigError

_ENDING = re.compile(
    r"\.(?:log|txt|json|jsonl|ndjson|out|err|gz|\d{1,8})$|[-_.]\d{4}-?\d\d-?\d\d(?:-\d+)?$"
)


def absolute(pattern: str) -> str:
    return os.path.abspath(os.path.expanduser(pattern))  # noqa: PTH100, PTH111 - keeps `**`


def is_pattern(path: str) -> bool:
    return glob.has_magic(path)


def expand(patterns: Iterable[str]) -> list[str]:
    """What the patterns match now, each once; a file of that very name comes first."""
    found: dict[str, None] = {}
    for pattern in patterns:
        if not is_pattern(pattern) or os.path.lexists(pattern):
            names = [pattern] if os.path.lexists(pattern) else []
        else:
            names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute
        found.update(dict.fromkeys(names))
    return list(found)


def is_matched(path: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern would match the path if it existed."""
    return any(
        path == pattern or _match(_segments(path), _segments(pattern))
        for pattern in patterns
    )


@lru_cache(maxsize=1024)
def _segments(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


def _match(path: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(_match(path[at:], pattern[1:]) for at in range(len(path) + 1))
    if not path or not fnmatchcase(path[0], pattern[0]):
        return False
    return _match(path[1:], pattern[1:])


def folder_of(path: str) -> str:
    return str(Path(path).parent)


def folders_to_watch(patterns: Iterable[str], files: Iterable[str]) -> dict[str, bool]:
    """Folder → whether with all below it, for the patterns and the files they match."""
    found: dict[str, bool] = {}
    for pattern in patterns:
        base, rest = _base(pattern)
        found[base] = found.get(base, False) or "/" in rest
    for file in files:
        # A link's folder tells when the link moves, its target's when that is written.
        for path in (file, os.path.realpath(file)):
            found.setdefault(folder_of(path), False)
    return {folder: deep for folder, deep in found.items() if Path(folder).is_dir()}


def _base(pattern: str) -> tuple[str, str]:
    parts = pattern.split("/")
    fixed = next(
        (at for at, part in enumerate(parts) if is_pattern(part)), len(parts) - 1
    )
    return "/".join(parts[:fixed]) or "/", "/".join(parts[fixed:])


def source_of(path: str) -> str:
    """The name of what wrote a file: `/var/log/nginx/access.log.2.gz` → `access`."""
    name = Path(path).name
    while (shorter := _ENDING.sub("", name)) not in {"", name}:
        name = shorter
    return name


def is_related(path: str, other: str) -> bool:
    """Whether `other` may be what a rotation made of `path`: beside it, named alike."""
    folder, _, name = path.rpartition("/")
    other_folder, _, other_name = other.rpartition("/")
    return folder == other_folder and other_name.startswith(name.split(".")[0])


def options_of_url(url: str) -> Mapping[str, Any]:
    """`file:///var/log/*.log` → raw options of the file collector.

    `?` and `*` in it are part of the pattern; `%20` is a blank. `file:logs/a.log` and
    `file://./logs/a.log` are relative to the folder that the program was started in.

    Raises:
        ConfigError: it names a host, or no path.
    """
    rest = url.partition(":")[2]
    if rest.startswith("//"):
        rest = rest[2:]
        host, slash, path = rest.partition("/")
        if host in {"", "localhost"}:
            rest = slash + path
        elif host not in {".", "..", "~"}:
            raise ConfigError(
                f"{url}: a file on another host; write file:///{rest} for a path here."
            )
    path = unquote(rest)
    if path in {"", "/"} or "\0" in path:
        raise ConfigError(f"{url}: no path in it.")
    return {"paths": [path]}
