"""The journal keeps pace with the workers: while they are behind, segments grow."""

import threading
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

from logstream.core.errors import StorageError
from logstream.journal.files import DiskFiles
from logstream.journal.journal import Journal
from logstream.journal.positions import Positions
from logstream.journal.segment import Segment
from logstream.journal.tickets import Ticket

WAIT_S = 150.0


def test_a_segment_that_is_due_grows_until_the_workers_have_time(
    tmp_path: Path,
) -> None:
    segments: SimpleQueue[Segment] = SimpleQueue()
    acked: SimpleQueue[int] = SimpleQueue()
    has_time, asked = threading.Event(), threading.Event()

    def on_group(group: Sequence[Ticket], outcome: Segment | StorageError) -> None:
        assert isinstance(outcome, Segment)
        for ticket in group:
            acked.put(ticket.done)

    def ask(_: int) -> bool:
        asked.set()
        return has_time.is_set()

    with Journal(
        DiskFiles(tmp_path),
        Positions(None),
        segment_bytes=1_000_000,
        linger_s=0,
        on_segment=segments.put,
        on_group=on_group,
        has_time=ask,
    ) as journal:
        for number in range(5):
            payload = b'{"message":"m"}\n'
            journal.append(Ticket(payload=payload, lines=1, done=number))
            assert acked.get(timeout=WAIT_S) == number  # an ack does not wait
            journal.cut()
            assert asked.wait(WAIT_S)
        assert segments.empty()
        has_time.set()
        assert segments.get(timeout=WAIT_S).entries == 5
    assert segments.empty()
