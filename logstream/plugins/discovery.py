"""Where plugins are found, and how each is imported: nothing is, before it is asked.

Three places, in this order: the list of built-in ones, installed packages with an
entry point in the group `logstream.plugins` (by name), and a folder of `*.py` files
and packages (by name). In the folder, names that begin with `_`, `.` or `test_` and
`conftest.py` are no plugins, so a plugin's tests and shared code can stand beside it.

The folder is made the only path of a package that exists in memory, so a plugin can
`from . import _shared`; `sys.path` stays as it is and no `__init__.py` is needed.
"""

import importlib
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Literal
from zlib import crc32

import msgspec

from logstream.core.errors import ConfigError, PluginError

GROUP = "logstream.plugins"

PluginKind = Literal["built-in", "entry point", "folder"]

_MODULE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_NO_PLUGIN = re.compile(r"[_.].*|test_.*|conftest")


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin that was found and is not imported yet."""

    name: str
    kind: PluginKind
    origin: str
    """`built-in`, `entry point of geo 1.2`, or the path in the folder."""
    load: Callable[[], object]

    @property
    def label(self) -> str:
        """For error messages."""
        return f"plugin '{self.name}' ({self.origin})"


def find_plugins(
    builtins: Sequence[tuple[str, object]], folder: str | None
) -> list[Candidate]:
    """All candidates, in the order in which they register.

    Args:
        builtins: Name and module; the module may be given by its dotted name, which is
            imported only when the plugin is switched on.
        folder: Relative to the working directory.

    Raises:
        ConfigError: the folder is not one.
        PluginError: two plugins have one name.
    """
    found = [
        *(_builtin(name, plugin) for name, plugin in builtins),
        *(_installed(entry) for entry in sorted(entry_points(group=GROUP), key=_name)),
        *(in_folder(Path(folder)) if folder is not None else ()),
    ]
    by_name: dict[str, Candidate] = {}
    for candidate in found:
        other = by_name.setdefault(candidate.name, candidate)
        if other is not candidate:
            raise PluginError(
                f"Two plugins are called '{candidate.name}': one is from "
                f"{other.origin}, the other from {candidate.origin}. Rename one."
            )
    return found


def _name(entry: EntryPoint) -> str:
    return entry.name


def _builtin(name: str, plugin: object) -> Candidate:
    def load() -> object:
        return importlib.import_module(plugin) if isinstance(plugin, str) else plugin

    return Candidate(name=name, kind="built-in", origin="built-in", load=load)


def _installed(entry: EntryPoint) -> Candidate:
    package = f" of {entry.dist.name} {entry.dist.version}" if entry.dist else ""
    return Candidate(
        name=entry.name,
        kind="entry point",
        origin=f"entry point{package}",
        load=entry.load,
    )


def in_folder(folder: Path) -> Iterator[Candidate]:
    """The plugins in a folder, by name.

    Raises:
        ConfigError: there is no such folder, or it cannot be read.
    """
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigError(
            f"plugins.folder: cannot read the folder {folder}: {error.strerror}"
        ) from None
    for path in paths:
        is_package = (path / "__init__.py").is_file()
        if (is_package or path.suffix == ".py") and not _NO_PLUGIN.fullmatch(path.stem):
            yield at_path(path)


def at_path(path: Path) -> Candidate:
    """The plugin that is this file, or this folder with an `__init__.py`."""
    return Candidate(
        name=path.stem, kind="folder", origin=str(path), load=lambda: _import(path)
    )


def _import(path: Path) -> ModuleType:
    if not _MODULE_NAME.fullmatch(path.stem):
        raise ImportError(
            f"'{path.stem}' is no name for a plugin: use letters, digits, '-' and '_'"
        )
    folder = str(path.resolve().parent)
    # Two folders of one process do not see each other's plugins.
    parent = f"logstream_folder_{crc32(folder.encode()):08x}"
    if parent not in sys.modules:
        package = ModuleType(parent, f"The plugins in {folder}.")
        package.__path__ = [folder]
        sys.modules[parent] = package
    importlib.invalidate_caches()
    return importlib.import_module(f"{parent}.{path.stem}")


def import_plugin(candidate: Candidate) -> object:
    """Import it.

    Raises:
        PluginError: it cannot be, whatever it raised; names the line.
    """
    try:
        plugin = candidate.load()
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"The {candidate.label} cannot be imported: {_reason(error)}. "
            f"Repair it, or add '{candidate.name}' to plugins.disabled."
        ) from error
    if isinstance(plugin, type):
        raise PluginError(
            f"The {candidate.label} is the class {plugin.__name__}: its entry point "
            "has to name a module or an instance."
        )
    return plugin


def _reason(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}".removesuffix(".").removesuffix(": ")
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and frame.filename != __file__
    ]
    outer = [frame for frame in frames if "importlib" not in frame.filename]
    if not outer or isinstance(error, SyntaxError):
        return text
    return f"{text} ({outer[-1].filename}:{outer[-1].lineno})"
