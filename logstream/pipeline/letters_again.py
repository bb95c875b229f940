"""Dead letters, sent through the processors again."""

import asyncio
import threading
from collections.abc import Callable, Sequence

from logstream.config.settings import IntakeConfig
from logstream.core.entry import ID_LINE_BITS
from logstream.core.errors import NotReady
from logstream.core.timestamps import now_ns
from logstream.journal.journal import Journal
from logstream.pipeline.decode import decode_lines
from logstream.pipeline.intake import Intake
from logstream.storage.dead_letters import DeadLetter, DeadLetterStore

_REPLAYED = "dead-letters:replayed"
_AT_ONCE = 1000


class LettersAgain:
    """Thread-safe.

    Args:
        outstanding: The segments that are not stored as a whole.
    """

    def __init__(
        self,
        letters: DeadLetterStore,
        intake: Intake,
        journal: Journal,
        *,
        limits: IntakeConfig,
        outstanding: Callable[[], set[int]],
    ) -> None:
        self._letters = letters
        self._intake = intake
        self._journal = journal
        self._limits = limits
        self._outstanding = outstanding
        self._running = threading.Lock()

    async def replay(self, ids: Sequence[int] | None = None) -> int:
        """Send these, or the oldest, through the processors again; returns how many.

        Their ids are stored with them in one frame, so a crash in between neither loses
        nor doubles one. They get new ids. Those of a batch that is not stored as a
        whole yet are left: it would put them there again.

        Raises:
            NotReady: another call does so just now.
            Overloaded, DiskFull, StorageError: they are where they were.
        """
        if not self._running.acquire(blocking=False):
            raise NotReady("Dead letters are being replayed already.")
        try:
            return await self._replay(ids)
        finally:
            self._running.release()

    def remove_replayed(self) -> None:
        """Those that are in the journal; a crash may have come before."""
        found = self._journal.positions.get([_REPLAYED])
        if ids := found.get(_REPLAYED):
            self._letters.remove(ids)

    async def _replay(self, ids: Sequence[int] | None) -> int:
        letters = await asyncio.to_thread(self._find, ids)
        if not letters:
            return 0
        body = b"".join(bytes(letter.entry).rstrip() + b"\n" for letter in letters)
        decoded = decode_lines(
            body, limits=self._limits, received_ns=now_ns(), partial=True
        )
        refused = {rejection.index for rejection in decoded.rejected}
        sent = [one.id for at, one in enumerate(letters) if at not in refused]
        await self._intake.append(decoded, positions={_REPLAYED: sent})
        await asyncio.to_thread(self._letters.remove, sent)
        return len(sent)

    def _find(self, ids: Sequence[int] | None) -> list[DeadLetter]:
        self.remove_replayed()  # if the last call came no further
        if ids is not None:
            found = self._letters.get(ids)
        else:
            found = self._letters.list(limit=_AT_ONCE)
        unfinished = self._outstanding()
        return [one for one in found if one.id >> ID_LINE_BITS not in unfinished]
