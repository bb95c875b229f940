"""Waiting until something happens in folders.

The system's notices come within milliseconds, but can be missing: on network file
systems, for links into other folders, when the queue overflows, in the moment before a
watch stands. So a wait also ends by itself after a few seconds.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Self

import watchfiles
from watchfiles._rust_notify import WatchfilesRustInternalError

from logstream.telemetry.metrics import COLLECTOR_ERRORS

_log = logging.getLogger(__name__)

Folders = Mapping[str, bool]
"""Folder → whether with all below it."""

Wait = Callable[[Folders], Awaitable[None]]
"""Returns when it is time to look again: soon after a change, and now and then."""

_SETTLE_S = 0.3
"""What happened before a new watch stood is found by looking again so soon."""
_DEBOUNCE_MS = 200
_STEP_MS = 20


class FolderWatch:
    """An async context manager that owns the watching tasks."""

    def __init__(self, *, poll_s: float) -> None:
        self._poll_s = poll_s
        self._changed = asyncio.Event()
        self._folders: Folders = {}
        self._tasks: list[asyncio.Task[None]] = []
        # It logs each change it sees, and a log of our own may be what changes.
        logging.getLogger("watchfiles").setLevel(logging.WARNING)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def wait(self, folders: Folders) -> None:
        timeout_s = self._poll_s
        if folders != self._folders:
            await self._stop()
            self._folders = dict(folders)
            for deep in (False, True):
                if paths := [path for path, below in folders.items() if below is deep]:
                    self._tasks.append(asyncio.create_task(self._watch(paths, deep)))
            timeout_s = min(_SETTLE_S, timeout_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        self._changed.clear()

    async def _watch(self, paths: list[str], deep: bool) -> None:
        try:
            async for _ in watchfiles.awatch(
                *paths,
                watch_filter=None,
                recursive=deep,
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                ignore_permission_denied=True,
            ):
                self._changed.set()
        except (OSError, WatchfilesRustInternalError) as error:
            # Out of watches, or a folder went away: looking every `poll_s` still works.
            COLLECTOR_ERRORS.inc()
            _log.warning(
                "Folders can not be watched and are looked at now and then instead.",
                extra={"folders": paths, "error": str(error)},
            )

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
            self._tasks.clear()
