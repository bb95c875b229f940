"""What there is, for completion: asked once, while the person begins to type."""

import re
import threading
from typing import Self

from logstream.api.analyses import names_text
from logstream.cli.backend import Backend, Search
from logstream.cli.prompt.words import Known
from logstream.core.errors import LogStreamError

_PLAIN = re.compile(r"[\w.@-]+")
"""What needs no quotes, wherever it stands."""


class Learning:
    """Asks on a thread of its own. Use as a context manager, whose end waits for it.

    A backend is for one thread at a time: `wait` before it is used.

    Args:
        sql: Learn the tables of SQL too.
    """

    def __init__(self, backend: Backend, *, sql: bool = False) -> None:
        self._backend = backend
        self._sql = sql
        self.known = Known()
        """So far."""
        self._thread = threading.Thread(target=self._learn, name="learning")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()

    def wait(self) -> None:
        self._thread.join()

    def _learn(self) -> None:
        try:
            found = self._backend.table(Search(text=names_text(""), limit=0))
            fields = [str(row[0]) for row in found.rows]
            sources = self._backend.sources()
            tables = self._backend.sql_tables() if self._sql else self.known.tables
        except LogStreamError:
            return  # a prompt works without, and says itself what goes wrong
        self.known = Known(
            fields=list(filter(_PLAIN.fullmatch, fields)),
            sources=list(filter(_PLAIN.fullmatch, sources)),
            tables=tables,
        )
