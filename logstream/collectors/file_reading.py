"""Reading the followed files in turn, and sending what was read.

One file at a time and one batch at a time: a position moves only when its entries are
on disk, and the files of one rotation keep their order.
"""

import enum
from collections.abc import Callable

from logstream.collectors.delivery import deliver
from logstream.collectors.entry_maker import EntryMaker
from logstream.collectors.file_discovery import report
from logstream.collectors.file_follow import Follower
from logstream.collectors.file_source import Identity
from logstream.collectors.file_tail import Chunk, Rewritten, Tail, as_json
from logstream.collectors.threads import in_thread
from logstream.core.entry import Entry
from logstream.plugins.contracts import Sink

_TURN_CHUNKS = 64
"""Megabytes read from one file before the others have their turn."""


class _Step(enum.Enum):
    READ = enum.auto()
    IDLE = enum.auto()
    """Nothing to read now."""
    REORDERED = enum.auto()
    """The files are others now: ask again which comes first."""


class Reading:
    """One run: the files, and the maker of entries of each.

    Args:
        maker_of: Makes a new one for a path.
        progress: Told after each delivery.
    """

    def __init__(
        self,
        follower: Follower,
        sink: Sink,
        *,
        maker_of: Callable[[str], EntryMaker],
        progress: Callable[[Tail], None],
    ) -> None:
        self.follower = follower
        self._sink = sink
        self._maker_of = maker_of
        self._progress = progress
        self._makers: dict[Identity, EntryMaker] = {}
        self._restarted: set[Identity] = set()
        """Files begun anew in this round: one that changes all the time may wait."""

    async def once(self) -> None:
        """Read each file to the end that it has now."""
        await self.follower.scan(self._sink)
        while tails := self.follower.tails():
            await self._finish(tails[0])

    async def round(self) -> None:
        """Find new files and read every file up to its end."""
        self._restarted.clear()
        await self.follower.scan(self._sink)
        while await self._turns():
            pass

    async def _turns(self) -> bool:
        """A turn for each file; whether there is more to read."""
        more = False
        for tail in self.follower.tails():
            step = await self._turn(tail)
            if step is _Step.REORDERED:
                return True
            more = more or step is _Step.READ
        return more

    async def _turn(self, tail: Tail) -> _Step:
        for _ in range(_TURN_CHUNKS):
            step = await self._step(tail, last=False)
            if step is _Step.IDLE and self.follower.is_over(tail):
                return await self._drain(tail)
            if step is not _Step.READ:
                return step
        return _Step.READ

    async def _finish(self, tail: Tail) -> None:
        size = tail.source.size()
        while size is None or tail.offset < size:
            step = await self._step(tail, last=False)
            if step is _Step.REORDERED:
                return
            if step is _Step.IDLE:
                break
        await self._drain(tail)

    async def _drain(self, tail: Tail) -> _Step:
        """Read what is left, a line without an end too, and close the file."""
        while True:
            step = await self._step(tail, last=True)
            if step is _Step.REORDERED:
                return step
            if step is _Step.IDLE:
                self._close(tail)
                return step

    async def _step(self, tail: Tail, *, last: bool) -> _Step:
        """Read some lines and send them."""
        maker = self._maker(tail)
        try:
            found = await in_thread(_read, tail, maker, last=last)
        except Rewritten:
            if tail.source.identity in self._restarted:
                return _Step.IDLE
            self._restarted.add(tail.source.identity)
            await self.follower.restart(tail, self._sink)
            return _Step.REORDERED
        except OSError as error:
            report("A file can not be read.", tail.path, error)
            self._close(tail)
            return _Step.REORDERED
        if found is None:
            maker.pause()
            return _Step.IDLE
        chunk, entries = found
        positions = {tail.name: as_json(tail.position(chunk))}
        await deliver(self._sink, maker, chunk.lines, entries, positions)
        tail.accept(chunk)
        self.follower.heard_from(tail)
        self._progress(tail)
        return _Step.READ

    def _maker(self, tail: Tail) -> EntryMaker:
        maker = self._makers.get(tail.source.identity)
        if maker is None or maker.fields["file"] != tail.path:
            maker = self._maker_of(tail.path)
            self._makers[tail.source.identity] = maker
        return maker

    def _close(self, tail: Tail) -> None:
        self._makers.pop(tail.source.identity, None)
        self.follower.drop(tail)


def _read(
    tail: Tail, maker: EntryMaker, *, last: bool
) -> tuple[Chunk, list[Entry]] | None:
    """In a thread: the disk, and the parser."""
    chunk = tail.read(last=last)
    if chunk is None:
        return None
    return chunk, maker.make(chunk.lines, chunk.notes)
