"""The console: runs a statement of a user, checked, confined and bounded.

What runs is the text that was checked, inside a SELECT that makes JSON's values of its
results; the parse tree of the whole is looked at again, so that the text is in it as it
was checked, whatever stands in it.
"""

import logging
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from logstream.config.settings import SqlConfig
from logstream.core.errors import BadRequest, QuerySyntaxError, StorageError
from logstream.storage.hub import Hub, first_line, is_fatal
from logstream.storage.partition import Partition
from logstream.storage.partitions import Partitions
from logstream.storage.sql.answer import SqlResult
from logstream.storage.sql.guard import Checked, check, is_inside, syntax_error
from logstream.storage.sql.projecting import project
from logstream.storage.sql.shaping import Shape, probe
from logstream.storage.sql.tables import SqlTables
from logstream.storage.sql.view import NAME, make_view

_log = logging.getLogger(__name__)

T = TypeVar("T")

_TRIES = 3
_DAY = re.compile(r'"?\bd\d{8}(?:p\d+)?(?:g\d+)?\b"?(?:\."?main"?)?(?:\."?entries"?)?')
"""What a day is called in the hub: no name for users."""

_NO_COLUMN = re.compile('Referenced column "([^"\n]{1,100})" not found')
_MAX_MESSAGE = 2_000
_HIS = (
    *(duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException),
    *(duckdb.SyntaxException, duckdb.InvalidInputException, duckdb.DataError),
    *(duckdb.NotSupportedError, duckdb.PermissionException),
    *(duckdb.ConstraintException, duckdb.SequenceException),
)
"""Errors that whoever wrote the SQL can mend."""


class SqlConsole:
    """Thread-safe."""

    def __init__(
        self,
        hub: Hub,
        partitions: Partitions,
        config: SqlConfig,
        tables: SqlTables,
        *,
        timeout_s: float,
        tmp: Path | None = None,
    ) -> None:
        self._tmp = tmp
        self._hub = hub
        self._partitions = partitions
        self._enabled = config.enabled
        self._tables = tables
        self._timeout_s = timeout_s

    def tables(self) -> list[str]:
        """What a statement may read."""
        names = self._tables.names(self._hub)
        return [NAME, *sorted({".".join(path) for path in names if len(path) < 3})]

    def run(
        self,
        text: str,
        consume: Callable[[SqlResult], T],
        *,
        params: Sequence[Any] = (),
        limit: int,
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> T:
        """Hand the result to a consumer, and return what that makes of it. It is
        called again, with the same result from its beginning, when the first way to
        compute it fails.

        Args:
            params: For `?`, or `$1` and so on.
            limit: Rows at most.
            from_ns: `logs` has entries of [from_ns, to_ns) only.

        Raises:
            QuerySyntaxError: it may not be run, or DuckDB does not understand it.
            BadRequest: a value in it cannot be computed; SQL is off.
            QueryTimeout, QueryMemory, StorageError: see `Hub.reading`.
        """
        if not self._enabled:
            raise BadRequest("SQL is off here (sql.enabled).")
        allowed = {(NAME,), *self._tables.names(self._hub)}
        with self._hub.reading(self._timeout_s) as db:
            checked = check(db, text, tables=allowed)
            for left in reversed(range(_TRIES)):
                days = self._days(from_ns, to_ns) if (NAME,) in checked.tables else []
                try:
                    view = partial(make_view, db, days, from_ns=from_ns, to_ns=to_ns)
                    view()
                    self._tables.make_views(self._hub, db, checked.tables)
                    slow = self._begin(db, checked, params, limit)
                    return _either(consume, _faster(db, checked, slow, view), slow)
                except duckdb.Error as error:
                    if left and self._moved(days, from_ns, to_ns):
                        continue
                    raise self._explained(text, error) from error
            raise AssertionError

    def _begin(
        self,
        db: duckdb.DuckDBPyConnection,
        checked: Checked,
        params: Sequence[Any],
        limit: int,
    ) -> SqlResult:
        first = probe(checked.text)
        _expect_inside(db, first, checked)
        db.execute(first, params or None)
        shape = Shape(db.description or ())
        _expect_inside(db, shape.around(checked.text), checked)
        return SqlResult(
            db, checked.text, shape, params=params, limit=limit, tmp=self._tmp
        )

    def _days(self, from_ns: int | None, to_ns: int | None) -> list[Partition]:
        keys = self._partitions.within(from_ns, to_ns)
        return self._partitions.readable(keys)

    def _moved(
        self, days: list[Partition], from_ns: int | None, to_ns: int | None
    ) -> bool:
        """Whether a day was compacted or removed since it was looked up."""
        if not days:
            return False
        now = {day.name for day in self._days(from_ns, to_ns)}
        return any(day.name not in now for day in days)

    def _explained(self, text: str, error: duckdb.Error) -> Exception:
        """What to raise: DuckDB's words, without what is ours in them."""
        if is_fatal(error) or isinstance(
            error, duckdb.InterruptException | duckdb.OutOfMemoryException
        ):
            return error
        if isinstance(error, duckdb.IOException | duckdb.PermissionException):
            _log.warning("A statement could not read: %s", first_line(error))
            return StorageError(f"A table of sql.allow cannot be read: {error}")
        if not isinstance(error, _HIS):
            return error
        found = syntax_error(text, error, lines_before=1)
        message = _DAY.sub(NAME, self._tables.without_paths(str(found)))
        if name := _NO_COLUMN.search(message):
            message += _hint(name[1])
        return QuerySyntaxError(message[:_MAX_MESSAGE], offset=found.offset)


def _hint(name: str) -> str:
    """About a name that is no column of `logs`: what it may have been meant as."""
    if name.isidentifier():
        return f"\nA field is written fields.{name}, a text '{name}'."
    return "\nA text stands in single quotes."


def _faster(
    db: duckdb.DuckDBPyConnection,
    checked: Checked,
    slow: SqlResult,
    make: Callable[..., None],
) -> SqlResult | None:
    """The same result by a way that reads less, and may fail; see `projecting`."""
    found = project(db, checked.node)
    if found is None:
        return None
    try:
        for name, more in found.views.items():
            make(name=name, more=more)
    except duckdb.CatalogException:
        return None
    return slow.by_way_of(found.text)


def _either(
    consume: Callable[[SqlResult], T], fast: SqlResult | None, slow: SqlResult
) -> T:
    if fast is None:
        return consume(slow)
    try:
        return consume(fast)
    except (duckdb.InterruptException, duckdb.OutOfMemoryException):
        raise
    except duckdb.Error as error:
        if is_fatal(error):
            raise
        return consume(slow)


def _expect_inside(db: duckdb.DuckDBPyConnection, text: str, checked: Checked) -> None:
    if not is_inside(db, text, checked):
        raise QuerySyntaxError("The SQL cannot be checked.", offset=0)
