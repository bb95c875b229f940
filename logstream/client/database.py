"""The database: a folder that this process opens, or a server."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec

from logstream.client.answer import Answer, Form
from logstream.core.errors import BadRequest
from logstream.core.relative_time import FORMS, parse_time
from logstream.core.timestamps import TimestampError, now_ns

Moment = str | int | float | None
"""RFC 3339, a number since 1970, `-15m`, `today`; None: open."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A query, or a statement of SQL."""

    text: str
    is_sql: bool = False
    params: tuple[Any, ...] = ()
    from_ns: int | None = None
    to_ns: int | None = None
    limit: int


class Place(Protocol):
    """Where the entries are."""

    where: str

    def ask(self, question: Question, form: Form) -> bytes:
        """The whole answer, as Arrow IPC or as the JSON of a `Table`."""
        ...

    def add(self, lines: bytes) -> int:
        """Store NDJSON; returns how many entries, once they are fsynced."""
        ...

    def close(self) -> None: ...


class Database:
    """Made by `open_folder` and `connect`. A context manager; use from one thread."""

    def __init__(self, place: Place, stack: ExitStack) -> None:
        self._place = place
        self._stack = stack
        self._closed = False

    @property
    def where(self) -> str:
        """The folder or the address."""
        return self._place.where

    def query(
        self,
        text: str = "",
        *,
        from_: Moment = None,
        to: Moment = None,
        limit: int = 10_000,
    ) -> Answer:
        """What a query of LogStream's language finds, pipes and all.

        Args:
            from_: Begin, inclusive.
            to: End, exclusive.
            limit: Rows at most.
        """
        return self._answer(text, from_, to, limit)

    def sql(
        self,
        text: str,
        params: Sequence[Any] = (),
        *,
        from_: Moment = None,
        to: Moment = None,
        limit: int = 10_000,
    ) -> Answer:
        """What a SELECT over the view `logs` finds.

        Args:
            params: For `?`, in order.
        """
        return self._answer(text, from_, to, limit, is_sql=True, params=tuple(params))

    def add(self, entries: Iterable[Mapping[str, Any]]) -> int:
        """Store entries; returns how many, once they are on disk.

        Raises:
            EntryRejected: one is no entry; then none is stored.
            Overloaded, DiskFull, StorageError: try again; none is stored.
        """
        self._expect_open()
        encode = msgspec.json.Encoder().encode
        lines = b"".join(encode(entry) + b"\n" for entry in entries)
        return self._place.add(lines) if lines else 0

    def add_lines(self, lines: bytes) -> int:
        """The same of NDJSON, as it is."""
        self._expect_open()
        return self._place.add(lines)

    def close(self) -> None:
        """Let go of the folder or the connection. Safe to call twice."""
        self._closed = True
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<logstream.Database of {self.where}, {state}>"

    def _answer(
        self,
        text: str,
        from_: Moment,
        to: Moment,
        limit: int,
        *,
        is_sql: bool = False,
        params: tuple[Any, ...] = (),
    ) -> Answer:
        question = Question(
            text=text,
            is_sql=is_sql,
            params=params,
            from_ns=_ns(from_),
            to_ns=_ns(to),
            limit=limit,
        )

        def ask(form: Form) -> bytes:
            self._expect_open()
            return self._place.ask(question, form)

        return Answer(ask)

    def _expect_open(self) -> None:
        if self._closed:
            raise BadRequest(f"The database {self.where} is closed.")


def open_folder(
    path: str | os.PathLike[str], *, config: str | os.PathLike[str] | None = None
) -> Database:
    """Open a data folder, which nobody else may have open; it is made if missing.

    Args:
        config: A config file; None: `./logstream.yaml`, if it is there.

    Raises:
        FolderInUse: another process has it: use `connect` for a server.
        ConfigError, PluginError, StorageError: as told.
    """
    from logstream.client.local import open_place

    with ExitStack() as stack:
        place = stack.enter_context(
            open_place(os.fspath(path), Path(config) if config is not None else None)
        )
        return Database(place, stack.pop_all())
    raise AssertionError


def connect(url: str, *, timeout_s: float = 120.0) -> Database:
    """Talk to a server.

    Raises:
        ConfigError: the URL is not one of HTTP. Whether somebody answers shows at the
            first question (ServerUnreachable).
    """
    from logstream.client.remote import RemotePlace

    with ExitStack() as stack:
        place = RemotePlace(url, timeout_s=timeout_s)
        stack.callback(place.close)
        return Database(place, stack.pop_all())
    raise AssertionError


def _ns(moment: Moment) -> int | None:
    if moment is None:
        return None
    try:
        return parse_time(str(moment), now_ns=now_ns())
    except TimestampError as error:
        raise BadRequest(f"This time {error}: write {FORMS}.") from None
