"""A data folder that this process opens, for the Python library."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from logstream.client.answer import Form
from logstream.client.database import Question
from logstream.config.load import load_settings
from logstream.config.settings import Settings
from logstream.plugins.manager import load_plugins
from logstream.query.query import compile_query
from logstream.runtime.builtins import BUILTINS
from logstream.runtime.local import LocalEngine, open_local_engine
from logstream.storage.formats import write
from logstream.storage.results import Result


class LocalPlace:
    """Use from one thread."""

    def __init__(self, engine: LocalEngine, settings: Settings) -> None:
        self.where = f"the data folder {settings.storage.path}"
        self._engine = engine

    def ask(self, question: Question, form: Form) -> bytes:
        parts: list[bytes] = []

        def consume(result: Result) -> bytes:
            parts.clear()
            write(result, form, parts.append)
            return b"".join(parts)

        if question.is_sql:
            return self._engine.sql.run(
                question.text,
                consume,
                params=question.params,
                limit=question.limit,
                from_ns=question.from_ns,
                to_ns=question.to_ns,
            )
        begin, end = question.from_ns, question.to_ns
        plan = compile_query(question.text).plan(from_ns=begin, to_ns=end)
        return self._engine.statements.run(
            plan, consume, from_ns=begin, to_ns=end, limit=question.limit
        )

    def add(self, lines: bytes) -> int:
        return self._engine.add(lines)

    def close(self) -> None:
        """The folder is let go of by who opened it."""


@contextmanager
def open_place(path: str, config: Path | None) -> Iterator[LocalPlace]:
    """Own the folder for the length of the block."""
    loaded = load_settings(config, environ=os.environ, overrides={"storage.path": path})
    plugins = load_plugins(loaded.settings.plugins, builtins=BUILTINS)
    with open_local_engine(loaded.settings, plugins=plugins) as engine:
        yield LocalPlace(engine, loaded.settings)
