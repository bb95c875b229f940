"""Saved queries: names for queries, shared by all who use one data folder.

They lie in one small file, which each change replaces. A file that is damaged is never
written over: what it holds may be mended by hand.
"""

import errno
import logging
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from logstream.config.nearest import did_you_mean
from logstream.core.durable import write_durably
from logstream.core.errors import (
    AlreadyThere,
    BadRequest,
    DiskFull,
    NotFound,
    StorageError,
)
from logstream.core.findings import Report
from logstream.core.timestamps import format_ns, now_ns

FILE = "saved.json"
MAX_QUERIES = 1_000
MAX_QUERY_CHARACTERS = 8_192
MAX_DESCRIPTION_CHARACTERS = 1_000

_FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

_log = logging.getLogger(__name__)

Compile = Callable[[str], object]
"""Raises QuerySyntaxError, BadRequest: it is no query."""


class SavedQuery(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    query: str
    description: str = ""
    created: str
    """RFC 3339; of what the name stands for now."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `saved.json`."""

    format: int = _FORMAT
    queries: list[SavedQuery]


class SavedQueries:
    """Thread-safe.

    Args:
        path: Where they are kept; None: in memory.
        compile_query: Sees that a query is one.
        wall_ns: The time of day.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        compile_query: Compile,
        wall_ns: Callable[[], int] = now_ns,
    ) -> None:
        self._path = path
        self._compile = compile_query
        self._wall_ns = wall_ns
        self._lock = threading.Lock()
        self._damage = ""
        self._queries: dict[str, SavedQuery] = {}
        try:
            self._queries = _read(path)
        except StorageError as error:
            # Logs are taken and found without them, so this stops no server.
            self._damage = str(error)
            _log.warning("Saved queries cannot be used: %s", error)

    def all(self) -> list[SavedQuery]:
        """By name. Raises StorageError: the file is damaged."""
        self._expect_whole()
        found = self._queries
        return [found[name] for name in sorted(found)]

    def get(self, name: str) -> SavedQuery:
        """Raises NotFound, BadRequest: no name, StorageError: the file is damaged."""
        check_name(name)
        self._expect_whole()
        found = self._queries.get(name)
        if found is None:
            raise _no_such(name, self._queries)
        return found

    def add(
        self, name: str, query: str, *, description: str = "", replace: bool = False
    ) -> SavedQuery:
        """Save one; on disk when this returns. The same again changes nothing.

        Args:
            replace: Take the place of one that has the name.

        Raises:
            QuerySyntaxError, BadRequest: it is no query, or over a limit.
            AlreadyThere: another one has the name.
            DiskFull, StorageError: it cannot be kept. Nothing was changed.
        """
        self._check(name, query, description)
        with self._lock:
            self._expect_whole()
            known = self._queries.get(name)
            if known is not None:
                if (known.query, known.description) == (query, description):
                    return known
                if not replace:
                    raise AlreadyThere(
                        f"{name!r} is another query already: {_shortened(known.query)}"
                    )
            elif len(self._queries) >= MAX_QUERIES:
                raise BadRequest(
                    f"There are {MAX_QUERIES} saved queries, which is the most: remove "
                    "some first."
                )
            made = SavedQuery(
                name=name,
                query=query,
                description=description,
                created=format_ns(self._wall_ns()),
            )
            self._replace({**self._queries, name: made})
            return made

    def remove(self, name: str) -> SavedQuery:
        """Raises as `get` and `add`; nothing was changed then."""
        with self._lock:
            found = self.get(name)
            left = {key: one for key, one in self._queries.items() if key != name}
            self._replace(left)
            return found

    def _check(self, name: str, query: str, description: str) -> None:
        check_name(name)
        if not query.strip():
            raise BadRequest("query: is empty; '*' finds everything.")
        _check_length("query", query, MAX_QUERY_CHARACTERS)
        _check_length("description", description, MAX_DESCRIPTION_CHARACTERS)
        self._compile(query)

    def _expect_whole(self) -> None:
        if self._damage:
            raise StorageError(self._damage)

    def _replace(self, queries: dict[str, SavedQuery]) -> None:
        """Readers have the old ones until the new ones are on disk."""
        if self._path is not None:
            kept = _Kept(queries=list(queries.values()))
            content = msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n"
            try:
                write_durably(self._path, content)
            except OSError as failure:
                kind = DiskFull if failure.errno in _NO_SPACE else StorageError
                raise kind(
                    f"The saved queries cannot be kept ({failure.strerror}): nothing "
                    "was changed."
                ) from None
        self._queries = queries


def check_name(name: str) -> None:
    """Raises BadRequest: no saved query can have this name."""
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"name: {name[:70]!r} is none; up to 64 letters, digits, '.', '_' and '-' "
            "are, with a letter or a digit first."
        )


def verify_saved(path: Path, report: Report, *, compile_query: Compile) -> None:
    """The file, and that its queries still compile."""
    try:
        found = _read(path)
    except StorageError as error:
        report.problem(path.name, str(error))
        return
    for one in found.values():
        try:
            compile_query(one.query)
        except BadRequest as error:
            report.problem(path.name, f"{one.name!r} does not compile: {error}")


def _read(path: Path | None) -> dict[str, SavedQuery]:
    if path is None:
        return {}
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
        if kept.format != _FORMAT:
            raise StorageError(f"{path} is of another version of LogStream.")
        for one in kept.queries:
            check_name(one.name)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, BadRequest) as error:  # msgspec's are ValueErrors
        raise StorageError(
            f"{path} is damaged ({error}): mend it, or move it away to begin with none."
        ) from None
    return {one.name: one for one in kept.queries}


def _check_length(what: str, text: str, most: int) -> None:
    if len(text) > most:
        raise BadRequest(f"{what}: has {len(text)} characters, more than {most}.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest(f"{what}: has half of a surrogate pair.") from None


def _no_such(name: str, known: Iterable[str]) -> NotFound:
    guess = did_you_mean(name[:64], known) or "."
    return NotFound(f"No saved query is called {name[:70]!r}{guess}")


def _shortened(query: str) -> str:
    return query if len(query) <= 100 else query[:99] + "…"
