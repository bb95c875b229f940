"""Adoption: the segments that an earlier process left in the journal."""

import logging

from logstream.journal.files import DiskFiles, SegmentFile, SegmentFiles
from logstream.journal.journal import Journal
from logstream.journal.recovery import recover
from logstream.journal.segment import Segment
from logstream.telemetry import metrics

_log = logging.getLogger(__name__)


def adopt(files: SegmentFiles, journal: Journal) -> list[Segment]:
    """Give the journal what is whole of each; those that are to be loaded, in order.

    A segment that holds nothing any more is unlinked.
    """
    if not isinstance(files, DiskFiles):
        return []
    found: list[Segment] = []
    for number, path in list(files.existing()):
        whole = recover(number, path)
        if whole.torn_bytes:
            metrics.JOURNAL_TORN_BYTES.inc(whole.torn_bytes)
            _log.warning(
                "A segment had %d bytes that were never acked, or are damaged: %s",
                whole.torn_bytes,
                path,
            )
        if not whole.entries and not whole.positions and not whole.answers:
            path.unlink()
            continue
        segment = Segment(SegmentFile.found(number, path, whole.size), replayed=True)
        segment.entries = whole.entries
        segment.positions = dict(whole.positions)
        segment.answers = dict(whole.answers)
        journal.positions.note(segment.positions)
        journal.answers.note(segment.answers)
        journal.adopt(segment)
        found.append(segment)
    return found
