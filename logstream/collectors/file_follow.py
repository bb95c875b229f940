"""Which files are followed, and from where: discovery, rotation, restarts.

**Names of positions.** `file:<collector>:<inode>`. A file that is renamed keeps its
inode, so its position stays right without being moved, and what was read is known
after a restart whatever the file is called then. The device is not part of the name,
since it changes when a machine or a container starts anew; should two files on two
devices have one inode, the second is `file:<collector>:<inode>@<hash of its folder>`.
An inode is used again for other files: a position counts only if its fingerprint fits.

**Renamed** (`app.log` → `app.log.1`, then a new `app.log`). The open file is read on
under its old name's account, before the new one. It is closed once nothing leads to it
any more and it has been quiet for `close_after_s`. If it was renamed while nobody
looked, it is found again among the files beside it by its inode and fingerprint, and
its rest is read, whether a pattern matches its new name or not.

**Copied and truncated.** The bytes before our position are no longer what they were.
The copy is found among the files beside it, by the fingerprint, and its unread rest is
read first; then the file from its start. A copy that a pattern matches too is not read
twice: it starts where the original had been read up to. What is written between the
copy and the truncation is lost; that is so by design of this kind of rotation.

**Deleted.** Read to its end, closed after `close_after_s`.
"""

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from logstream.collectors.file_discovery import Discovery, Found, files_in, report
from logstream.collectors.file_paths import folder_of, is_matched, is_related
from logstream.collectors.file_source import EDGE_BYTES, Identity, is_compressed
from logstream.collectors.file_tail import Position, Tail, as_json, from_json
from logstream.collectors.threads import in_thread
from logstream.plugins.contracts import Sink

_log = logging.getLogger(__name__)

_COPY_BYTES = 256
"""Fewer bytes in common do not make a file a copy of another: better twice than never
is a banner that two files begin with."""


class Follower:
    """Owns the open files of one collector.

    Args:
        name: The collector's.
        once: Read what is there: gzip files too, and nothing is waited for.
        from_end: Files found at the very first look are read from their end.
        close_after_s: How long a file that is gone must be quiet to be closed.
    """

    def __init__(
        self,
        name: str,
        patterns: Sequence[str],
        *,
        max_line_bytes: int,
        once: bool,
        from_end: bool,
        close_after_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.discovery = Discovery(patterns, compressed=once)
        self._name = name
        self._patterns = tuple(patterns)
        self._max_line_bytes = max_line_bytes
        self._once = once
        self._from_end = from_end
        self._close_after_s = close_after_s
        self._clock = clock
        self._first = True
        self._tails: dict[Identity, Tail] = {}
        self._gone: dict[Identity, float] = {}
        """Files that no pattern finds any more → when they last had something new."""
        self._unfinished: dict[Identity, float] = {}
        """Files that look like copies in the making → since when."""

    # -- the open files ---------------------------------------------------------------

    def tails(self) -> list[Tail]:
        """In the order to read them: what is gone first, then the oldest first."""
        return sorted(
            self._tails.values(),
            key=lambda tail: (
                tail.source.identity not in self._gone,
                tail.source.changed_ns(),
                tail.path,
            ),
        )

    def paths(self) -> list[str]:
        return [tail.path for tail in self._tails.values()]

    def heard_from(self, tail: Tail) -> None:
        """It had something new."""
        since = self._gone.get(tail.source.identity)
        if since is not None and since > -math.inf:
            self._gone[tail.source.identity] = self._clock()

    def is_over(self, tail: Tail) -> bool:
        """Nothing leads to it any more, and it has been quiet for long enough."""
        since = self._gone.get(tail.source.identity)
        return since is not None and self._clock() - since >= self._close_after_s

    def drop(self, tail: Tail) -> None:
        """Close it. If it is still there, the next scan takes it up again."""
        self._tails.pop(tail.source.identity, None)
        self._gone.pop(tail.source.identity, None)
        tail.source.close()

    def close(self) -> None:
        for tail in list(self._tails.values()):
            self.drop(tail)

    async def restart(self, tail: Tail, sink: Sink) -> None:
        """After `Rewritten`: take up the copy, if there is one, and begin anew."""
        _log.info("A file was truncated or written anew.", extra={"file": tail.path})
        before = tail.position()
        copy = await in_thread(self._find_copy, before)
        tail.rewind()
        moved = [tail] if copy is None else [tail, copy]
        await sink.send([], positions={t.name: as_json(t.position()) for t in moved})

    # -- finding ----------------------------------------------------------------------

    async def scan(self, sink: Sink) -> None:
        """Find files, and where to go on in them."""
        found = await in_thread(self._look)
        first, self._first = self._first, False
        if not (found or first):
            return
        names = {name for each in found for name in each.names(self._name)}
        started = f"file:{self._name}"
        stored = await sink.positions(sorted({*names, started} if first else names))
        for each in found:
            for name in each.names(self._name):
                if (position := from_json(stored.get(name))) is not None:
                    each.stored.append((name, position))
        at_end = first and self._from_end and started not in stored
        moved = await in_thread(self._admit, found, at_end=at_end)
        if at_end:
            moved[started] = {"started": True}
        if moved:
            await sink.send([], positions=moved)

    def _look(self) -> list[Found]:
        found: dict[Identity, Found] = {}
        matched = self.discovery.matched()
        for identity, path in matched.items():
            if tail := self._tails.get(identity):
                tail.path = path
            else:
                found[identity] = Found(path, identity, matched=True)
        for identity in self._tails.keys() - matched.keys():
            self._gone.setdefault(identity, self._clock())
        for identity in self._gone.keys() & matched.keys():
            del self._gone[identity]
        if self._first:
            found.update(
                (each.identity, each) for each in self.discovery.beside(matched)
            )
        return list(found.values())

    # -- taking up --------------------------------------------------------------------

    def _admit(self, found: Iterable[Found], *, at_end: bool) -> dict[str, Any]:
        """Returns the positions to store at once, before anything is read."""
        fresh = [new for each in found if (new := self._take_up(each)) is not None]
        stale = [p for each, _ in fresh for _, p in each.stored]
        known = [*stale, *(tail.position() for tail in self._tails.values())]
        moved: list[Tail] = []
        for each, tail in fresh:
            with _reported(tail):
                if self._is_unfinished(tail):
                    tail.source.close()
                    continue
                self._begin(tail, known, at_end=at_end and not each.stored)
                tail.name = self._free_name(each)
                if tail.offset > 0 or each.stored:
                    moved.append(tail)
                self._follow(tail, gone=False)
        moved.extend(copy for p in stale if (copy := self._find_copy(p)) is not None)
        return {tail.name: as_json(tail.position()) for tail in moved}

    def _take_up(self, found: Found) -> tuple[Found, Tail] | None:
        """Go on where a file was read up to; what is new comes back."""
        if not found.matched and not found.stored:
            return None
        tail = self._tail(found)
        if tail is None:
            return None
        with _reported(tail):
            if not _resume(tail, found.stored):
                if found.matched:
                    return found, tail
                tail.source.close()
            elif found.matched or self._has_rest(tail, found.stored):
                self._follow(tail, gone=not found.matched)
            else:
                tail.source.close()
        return None

    def _tail(self, found: Found) -> Tail | None:
        source = self.discovery.open(found)
        if source is None:
            return None
        return Tail(
            source,
            path=found.path,
            name=self._free_name(found),
            max_line_bytes=self._max_line_bytes,
        )

    def _free_name(self, found: Found) -> str:
        name, other = found.names(self._name)
        taken = any(tail.name == name for tail in self._tails.values())
        return other if taken else name

    def _begin(self, tail: Tail, known: Iterable[Position], *, at_end: bool) -> None:
        """Where to start in a file that was not read before."""
        for position in known:
            if _may_be_copied(position, tail.path) and tail.resume(position):
                return
        if at_end:
            tail.skip_to_last_line()

    def _is_unfinished(self, tail: Tail) -> bool:
        """It begins like a file that is followed, and is shorter: a copy in the making.

        Left alone until it is as long, but not for longer than `close_after_s`.
        """
        identity = tail.source.identity
        size = tail.source.size() or 0
        head = tail.source.read_at(0, EDGE_BYTES)
        alike = len(head) == EDGE_BYTES and any(
            other.head == head
            and size < other.offset
            and is_related(other.path, tail.path)
            for other in self._tails.values()
        )
        if not alike or self._once:
            self._unfinished.pop(identity, None)
            return False
        since = self._unfinished.setdefault(identity, self._clock())
        return self._clock() - since < self._close_after_s

    def _has_rest(self, tail: Tail, stored: Iterable[tuple[str, Position]]) -> bool:
        """Beside our files: whether it was one of them, and there is more of it."""
        path = next(p.path for name, p in stored if name == tail.name)
        tail.path = path
        return (tail.source.size() or 0) > tail.offset and is_matched(
            path, self._patterns
        )

    def _find_copy(self, before: Position) -> Tail | None:
        """Follow the file that has what a truncated one had, and more; or None."""
        for path in files_in(folder_of(before.path)):
            if is_compressed(path) or not _may_be_copied(before, path):
                continue
            identity = self.discovery.identity(path)
            if identity is None or identity in self._tails:
                continue
            tail = self._tail(Found(path, identity, matched=False))
            if tail is None:
                continue
            with _reported(tail):
                if tail.resume(before) and (tail.source.size() or 0) > before.offset:
                    tail.path = before.path
                    self._follow(tail, gone=True)
                    # Nobody writes to a copy: it is over as soon as it is read.
                    self._gone[identity] = -math.inf
                    return tail
                tail.source.close()
        return None

    def _follow(self, tail: Tail, *, gone: bool) -> None:
        self._tails[tail.source.identity] = tail
        if gone:
            self._gone[tail.source.identity] = self._clock()


def _resume(tail: Tail, stored: Iterable[tuple[str, Position]]) -> bool:
    for name, position in stored:
        if tail.resume(position):
            tail.name = name
            return True
    return False


@contextlib.contextmanager
def _reported(tail: Tail) -> Iterator[None]:
    """A file that can not be read costs itself only: the next scan tries again."""
    try:
        yield
    except OSError as error:
        report("A file can not be read.", tail.path, error)
        tail.source.close()


def _may_be_copied(position: Position, path: str) -> bool:
    return position.offset >= _COPY_BYTES and is_related(position.path, path)
