"""An answer: the rows of a statement, as many as were asked for, bounded in bytes."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from logstream.core.errors import TooLarge
from logstream.core.sql import Sql
from logstream.storage.formats import FormatName, write
from logstream.storage.results import BATCH_ROWS, Result
from logstream.storage.sql.shaping import Shape

MAX_BYTES = 64 * 1_048_576


class SqlResult(Result):
    """The first rows of a statement of a user. Valid inside the consumer only.

    Args:
        text: A SELECT that gives columns of this shape.
        params: For its parameters, by their order.
    """

    def __init__(
        self,
        db: duckdb.DuckDBPyConnection,
        text: str,
        shape: Shape,
        *,
        params: Sequence[Any],
        limit: int,
        tmp: Path | None,
    ) -> None:
        # The limits stand in the text: `?` beside a user's `$2` would be the wrong one.
        whole = shape.around(text)
        statement = Sql(f"{whole} LIMIT {limit:d}", tuple(params))
        super().__init__(db, statement, shape.columns, tmp=tmp)
        more = Sql(f"{whole} LIMIT {limit + 1:d}", tuple(params))
        self._one_more = Result(db, more, shape.columns)
        self._rows = limit
        self._again = partial(
            SqlResult, db, shape=shape, params=params, limit=limit, tmp=tmp
        )
        self.truncated = False
        """Whether there are more; known when `batches` is at its end."""

    def by_way_of(self, text: str) -> "SqlResult":
        """The same rows, from another statement that gives them."""
        return self._again(text)

    def batches(self, size: int = BATCH_ROWS) -> Iterator[list[tuple[Any, ...]]]:
        left = self._rows
        self.truncated = False
        for rows in self._one_more.batches(size):
            self.begun = True
            self.truncated = len(rows) > left
            if kept := rows[:left]:
                yield kept
            left -= len(kept)

    def look_for_more(self) -> None:
        """Behind Arrow and Parquet, of which no row more than wanted is read."""
        self.truncated = self.given == self._rows and self._rows < sum(
            len(rows) for rows in self._one_more.batches()
        )


def body_of(result: SqlResult, name: FormatName) -> bytes:
    """All of it in a format.

    Raises:
        TooLarge: that is more than `MAX_BYTES`.
    """
    parts: list[bytes] = []
    held = 0

    def take(part: bytes) -> None:
        nonlocal held
        held += len(part)
        if held > MAX_BYTES:
            raise TooLarge(
                f"The result has more than {MAX_BYTES} bytes: select less of it, or "
                "set a smaller limit."
            )
        parts.append(part)

    write(result, name, take)
    if name in ("arrow", "parquet"):
        result.look_for_more()
    return b"".join(parts)
