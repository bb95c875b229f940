"""What factories of plugins are given: our inner layers, without importing them."""

from collections.abc import Callable, Mapping
from typing import Any

from logstream.parsers.detect import AutoParser
from logstream.plugins.contracts import Parser, Predicate
from logstream.plugins.manager import Plugins
from logstream.query import compile_filter

AUTO = "auto"

Progress = Callable[[str, int, int | None, str], None]


class Context:
    """A `BuildContext`."""

    def compile_filter(self, query: str) -> Predicate:
        return compile_filter(query)


class CollectorContext(Context):
    """A `plugins.contracts.CollectorContext`."""

    def __init__(
        self,
        plugins: Plugins,
        *,
        name: str,
        once: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self._plugins = plugins
        self.name = name
        self.once = once
        self._progress = progress

    def parser(self, name: str, options: Mapping[str, Any]) -> Parser:
        where = f"collector '{self.name}', parser"
        if name != AUTO:
            return self._plugins.build_parser(name, options, self, where=where)
        ordered = sorted(
            self._plugins.parsers.values(), key=lambda offered: -offered.spec.priority
        )
        return AutoParser(
            [
                self._plugins.build_parser(offered.spec.name, {}, self, where=where)
                for offered in ordered
            ]
        )

    def progress(self, *, name: str, done: int, total: int | None, unit: str) -> None:
        if self._progress is not None:
            self._progress(name, done, total, unit)
