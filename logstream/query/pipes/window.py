"""`offset 20 | head 10` as one step: of each day 30 rows are read, and not all."""

from collections.abc import Iterator, Sequence

import msgspec

from logstream.query.pipes import Pipe
from logstream.query.pipes.head import Head
from logstream.query.pipes.offset import Offset
from logstream.query.tables import Table


class Window(msgspec.Struct, frozen=True):
    """Not in the language; its `str` is that of the pipes that it stands for."""

    offset: int
    rows: int

    def __str__(self) -> str:
        return f"{Offset(self.offset)} | {Head(self.rows)}"

    def apply(self, table: Table) -> Table:
        return table.limited(self.rows, self.offset)


def steps_of(pipes: Sequence[Pipe]) -> Iterator[tuple[int, Pipe]]:
    """What is to be applied, each with the number of pipes before it."""
    at = 0
    while at < len(pipes):
        pipe, behind = pipes[at], pipes[at + 1 : at + 2]
        if isinstance(pipe, Offset) and behind and isinstance(behind[0], Head):
            yield at, Window(pipe.rows, behind[0].rows)
            at += 2
        else:
            yield at, pipe
            at += 1
