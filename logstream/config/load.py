"""Settings from their four origins: default < file < environment < flags.

A list, such as `processors`, is one value: a later origin replaces all of it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from logstream.config.check import check_tree, key_text
from logstream.config.describe import sections
from logstream.config.document import MAX_BYTES, parse_document
from logstream.config.document import Path as KeyPath
from logstream.config.environment import CONFIG_VARIABLE, assignments
from logstream.config.settings import Settings
from logstream.core.errors import ConfigError

DEFAULT_FILE = "logstream.yaml"
"""Read from the working folder when nothing names another file. Not `config.yaml`:
`logstream query` is run anywhere, and that name may be another program's."""

Origin = Literal["default", "file", "environment", "flag"]


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    settings: Settings
    path: Path | None
    """The file that was read; None: there was none."""

    origins: Mapping[str, Origin]
    """For every key, `server.port`, and every list, `processors`: who set it."""


class _Layer(msgspec.Struct, frozen=True, kw_only=True):
    origin: Origin
    label: str
    """Begins each message: the file, the variable, or `flags`."""
    tree: Any
    lines: Mapping[KeyPath, int] = {}

    def problems(self) -> Iterator[str]:
        for problem in check_tree(self.tree):
            line = self.lines.get(problem.path)
            where = f" (line {line})" if line else ""
            yield f"{self.label}: {problem.text}{where}"


def load_settings(
    path: Path | None,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
) -> Loaded:
    """Find the file, read it, and put environment and flags above it.

    Args:
        path: The file that `--config` names; None: the one that `LOGSTREAM_CONFIG`
            names, else `logstream.yaml` in the working folder if there is one.
        environ: Usually `os.environ`.
        overrides: From flags: `{"server.port": 9000}`. None as a value: not given.

    Raises:
        ConfigError: names the file or variable, the key and what was expected; all
            problems at once, one a line.
    """
    found = find_file(path, environ=environ)
    if found is None:
        return _load("", origin="", path=None, environ=environ, overrides=overrides)
    text = _read(found)
    return _load(
        text, origin=str(found), path=found, environ=environ, overrides=overrides
    )


def parse_settings(
    text: str,
    *,
    origin: str,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Loaded:
    """As `load_settings`, from a text.

    Args:
        text: One YAML document. Empty means "all defaults".
        origin: Where it came from, named in errors: a path, or `<stdin>`.
        environ: None: no variables are set.
        overrides: As in `load_settings`.

    Raises:
        ConfigError: as `load_settings`.
    """
    return _load(
        text, origin=origin, path=None, environ=environ or {}, overrides=overrides
    )


def find_file(path: Path | None, *, environ: Mapping[str, str]) -> Path | None:
    """The file that would be read; only the one in the working folder may be away."""
    if path is not None:
        return path.expanduser()
    if named := environ.get(CONFIG_VARIABLE):
        return Path(named).expanduser()
    default = Path(DEFAULT_FILE)
    return default if default.exists() else None


def _load(
    text: str,
    *,
    origin: str,
    path: Path | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None,
) -> Loaded:
    document = parse_document(text, origin=origin)
    file_tree = {} if document.value is None else document.value
    layers = [_Layer(origin="file", label=origin, tree=file_tree, lines=document.lines)]
    layers += [
        _Layer(origin="environment", label=found.variable, tree=found.tree)
        for found in assignments(environ)
    ]
    layers.append(_Layer(origin="flag", label="flags", tree=_tree_of(overrides or {})))
    _refuse([problem for layer in layers for problem in layer.problems()])
    tree, origins = _merge(layers)
    loaded = Loaded(
        settings=msgspec.convert(tree, Settings), path=path, origins=origins
    )
    _refuse(list(_contradictions(loaded)))
    return loaded


def _refuse(problems: list[str]) -> None:
    if problems:
        raise ConfigError("\n".join(problems))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(data) > MAX_BYTES:  # cut off inside a character, perhaps
            raise ConfigError(f"{path}: is larger than {MAX_BYTES} bytes") from None
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8") from None


def _tree_of(overrides: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in overrides.items():
        if value is None:
            continue
        *outer, name = path.split(".")
        inner = tree
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[name] = value
    return tree


def _merge(layers: list[_Layer]) -> tuple[dict[str, Any], dict[str, Origin]]:
    tree: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for section in sections():
        names = [section.name] if section.is_list else [it.path for it in section.keys]
        origins.update(dict.fromkeys(names, "default"))
        for layer in layers:
            value = layer.tree.get(section.name)
            if value is None:
                continue
            if section.is_list:
                tree[section.name] = value
                origins[section.name] = layer.origin
            else:
                tree.setdefault(section.name, {}).update(value)
                paths = (key_text((section.name, name)) for name in value)
                origins.update(dict.fromkeys(paths, layer.origin))
    return tree, origins


def _contradictions(loaded: Loaded) -> Iterator[str]:
    """What no single key can tell."""
    query = loaded.settings.query
    if query.default_limit > query.max_limit:
        yield (
            f"query.default_limit is {query.default_limit} "
            f"({loaded.origins['query.default_limit']}), above query.max_limit, "
            f"which is {query.max_limit} ({loaded.origins['query.max_limit']})"
        )
    names = [collector.name for collector in loaded.settings.collectors]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"collectors ({loaded.origins['collectors']}): the name {name!r} repeats"
