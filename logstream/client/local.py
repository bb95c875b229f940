"""A data folder that this process opens, for the Python library."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from logstream.client.answer import Form
from logstream.client.database import Question
from logstream.client.incomplete import warn_if_incomplete
from logstream.config.load import load_settings
from logstream.config.settings import Settings
from logstream.plugins.manager import load_plugins
from logstream.query.query import compile_query
from logstream.runtime.builtins import BUILTINS
from logstream.runtime.local import LocalEngine, open_local_engine
from logstream.storage.control import QueryControl, bounded_by
from logstream.storage.formats import write
from logstream.storage.results import Result


class LocalPlace:
    """Use from one thread."""

    def __init__(self, engine: LocalEngine, settings: Settings) -> None:
        self.where = f"the data folder {settings.storage.path}"
        self._engine = engine
        self._timeout_s = settings.query.timeout_s

    def ask(self, question: Question, form: Form) -> bytes:
        ask = self._asking(question, form)
        control = QueryControl(self._timeout_s)
        with bounded_by(control):
            found = ask()
        days = [day.isoformat() for day in control.left_out]
        warn_if_incomplete(days, self._engine.stuck_entries())
        return found

    def _asking(self, question: Question, form: Form) -> Callable[[], bytes]:
        """To be called when all that was acked is in the store."""
        parts: list[bytes] = []

        def consume(result: Result) -> bytes:
            parts.clear()
            write(result, form, parts.append)
            return b"".join(parts)

        if question.is_sql:
            return partial(
                self._engine.sql.run,
                question.text,
                consume,
                params=question.params,
                limit=question.limit,
                from_ns=question.from_ns,
                to_ns=question.to_ns,
            )
        begin, end = question.from_ns, question.to_ns
        plan = compile_query(question.text).plan(from_ns=begin, to_ns=end)
        return partial(
            self._engine.statements.run,
            plan,
            consume,
            from_ns=begin,
            to_ns=end,
            limit=question.limit,
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
