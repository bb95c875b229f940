"""For the tests of a plugin: load it as LogStream does, and make entries to feed it.

from logstream.plugins.testing import an_entry, processor_of

shout = processor_of("plugins/shout.py", "shout", mark="!")
assert shout.process([an_entry("hi")])[0].message == "HI!"
"""

from pathlib import Path
from typing import Any

from logstream.config.settings import ProcessorConfig
from logstream.core.entry import Entry
from logstream.plugins.contracts import BuildContext, Predicate, Processor
from logstream.plugins.discovery import at_path, import_plugin
from logstream.plugins.manager import Plugins
from logstream.plugins.registration import Registry


class NoContext:
    """A context for plugins that compile no filter."""

    def compile_filter(self, query: str) -> Predicate:
        raise NotImplementedError(f"pass a context of your own to compile {query!r}")


def an_entry(message: str = "hello", **parts: Any) -> Entry:
    """An entry; `fields`, `level`, … by keyword."""
    given: dict[str, Any] = {
        "id": 1,
        "timestamp": "2025-05-13T00:01:15Z",
        "source": "web",
        "level": "info",
        **parts,
    }
    return Entry(message=message, **given)


def load(path: str | Path) -> Plugins:
    """The plugin in a file or a package's folder, and nothing else.

    Raises:
        PluginError: as at start-up.
    """
    candidate = at_path(Path(path))
    registry = Registry()
    registry.register(candidate, import_plugin(candidate))
    return Plugins([candidate], registry, set())


def processor_of(
    path: str | Path, name: str, context: BuildContext | None = None, **options: Any
) -> Processor:
    """A processor of the plugin at `path`, built with `options` as in the config.

    Raises:
        ConfigError: options that it does not take.
        PluginError: as at start-up.
    """
    return load(path).build_processor(
        ProcessorConfig(type=name, options=options), context or NoContext(), where=name
    )
