"""The keeper: what an operator asks of the whole store, one thing at a time.

Listing it, deleting from it, and retention, which runs every minute on a thread of its
own. What changes the store takes turns, so that no two get in each other's way.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path
from typing import TypeVar

from logstream.config.settings import RetentionConfig
from logstream.core.errors import NotReady, StorageError
from logstream.core.findings import Report
from logstream.storage.backup import BackupDone
from logstream.storage.deletion import Deleted, Deletion
from logstream.storage.listing import StorageState
from logstream.storage.retention import Retention, RetentionState
from logstream.storage.selection import Selection

_log = logging.getLogger(__name__)

_FIRST_S = 3.0
"""A command that opens a folder for a moment leaves it as it is."""
_EVERY_S = 60.0
_TURN_TIMEOUT_S = 60.0
_CLOSE_TIMEOUT_S = 30.0
_THREADS = 2

T = TypeVar("T")
Pause = Callable[[], AbstractContextManager[None]]
"""While it lasts nothing is deleted. Raises NotReady."""


class Keeper:
    """Thread-safe. `start` begins retention, `close` ends it.

    Args:
        describe: Lists the store.
        verify: Checks it.
        left_out: Days of which not all can be read just now.
        backup: Makes one in a folder; given what has the store stand still.
    """

    def __init__(
        self,
        *,
        deletion: Deletion,
        retention: Retention,
        describe: Callable[[], StorageState],
        verify: Callable[[], Report],
        left_out: Callable[[], list[date]],
        backup: Callable[[Path, Pause], BackupDone],
    ) -> None:
        self._deletion = deletion
        self._retention = retention
        self.describe = describe
        self.verify = verify
        self.left_out = left_out
        self._make_backup = backup
        self._backing_up = threading.Lock()
        self._turn = threading.Lock()
        self._threads = ThreadPoolExecutor(_THREADS, "keeper")
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Safe to call twice, and before `start`."""
        self._stop = True
        self._wake.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._thread.ident is not None:
            self._thread.join(_CLOSE_TIMEOUT_S)

    async def run(self, work: Callable[[], T]) -> T:
        """Call it on a thread of the keeper's: it may take long, and queries and the
        decoding of what is sent must not wait behind it.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, work)

    def preview(self, selection: Selection) -> Deleted:
        """What `delete` would take away."""
        return self._deletion.preview(selection)

    def delete(self, selection: Selection) -> Deleted:
        """Take entries away for good. Acked ones that are not stored yet are not seen:
        settle first.

        Raises:
            NotReady: something else holds the store for long.
            StorageError, DiskFull, QueryTimeout: see `Deletion.delete`.
        """
        with self._taking_turn():
            return self._deletion.delete(selection, reason="request")

    def backup(self, folder: Path) -> BackupDone:
        """Copy all that is acked into a folder; only what changed since the last time.

        Raises:
            BadRequest: the folder holds something else.
            NotReady: another backup is being made, or the store does not stand still.
            StorageError, DiskFull: it cannot be written.
        """
        if not self._backing_up.acquire(blocking=False):
            raise NotReady("Another backup is being made: try again.")
        try:
            return self._make_backup(folder, self._taking_turn)
        finally:
            self._backing_up.release()

    def retention(self) -> RetentionState:
        return self._retention.state()

    def set_retention(self, policy: RetentionConfig | None) -> RetentionState:
        """See `Retention.set`; a pass begins at once."""
        self._retention.set(policy)
        self._wake.set()
        return self._retention.state()

    @contextmanager
    def _taking_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=_TURN_TIMEOUT_S):
            raise NotReady("Another change of the whole store takes long: try again.")
        try:
            yield
        finally:
            self._turn.release()

    def _run(self) -> None:
        pause_s = _FIRST_S
        while True:
            self._wake.wait(pause_s)
            self._wake.clear()
            pause_s = _EVERY_S
            if self._stop:
                return
            try:
                with self._taking_turn():
                    self._retention.run(stop=lambda: self._stop)
            except (StorageError, NotReady) as error:
                _log.warning("Retention is tried again in a minute: %s", error)
            except Exception:  # noqa: BLE001 - logged, and tried again
                _log.exception("Retention failed; it is tried again in a minute.")
