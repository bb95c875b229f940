"""Every metric, declared in one place on one registry.

Labels come from closed sets. The one exception is `source`, which the API's contract
asks for: after `MAX_SOURCES` different ones the rest is counted as `other`.
"""

from collections.abc import Sequence
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from logstream.core.rejections import DEAD_REASONS, REASONS

REGISTRY = CollectorRegistry(auto_describe=True)

MAX_SOURCES = 1000

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_FAST_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1)


def _counter(name: str, text: str, *labels: str, values: Sequence[str] = ()) -> Counter:
    """`values`: of its one label, all there from the start, at 0: an increase from
    nothing at all is one that no alert sees.
    """
    counter = Counter(name, text, labels, registry=REGISTRY)
    for value in values:
        counter.labels(value)
    return counter


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(name, text, labels, registry=REGISTRY)


def _histogram(
    name: str, text: str, buckets: tuple[float, ...] = _SECONDS
) -> Histogram:
    return Histogram(name, text, buckets=buckets, registry=REGISTRY)


RECEIVED = _counter(
    "logstream_logs_received_total", "Entries accepted and acked, by source.", "source"
)
PROCESSED = _counter(
    "logstream_logs_processed_total",
    "Entries that left the worker pool, stored or not.",
)
STORED = _counter("logstream_stored_entries_total", "Entries stored.")
FILTERED = _counter(
    "logstream_filtered_entries_total", "Entries that processors dropped."
)
REJECTED = _counter(
    "logstream_rejected_entries_total",
    "Entries refused at the door.",
    "reason",
    values=REASONS,
)
DEAD = _counter(
    "logstream_dead_letters_total",
    "Entries sent to the dead letters.",
    "reason",
    values=DEAD_REASONS,
)
DEAD_DROPPED = _counter(
    "logstream_dead_letters_dropped_total", "Dead letters dropped for new ones."
)
DeletedReason = Literal["age", "size", "rule", "request"]
DELETED = _counter(
    "logstream_deleted_entries_total",
    "Stored entries that were deleted.",
    "reason",
    values=get_args(DeletedReason),
)
OVERLOADED = _counter(
    "logstream_overloaded_requests_total", "Requests answered with 429 or 507."
)
REPEATED = _counter(
    "logstream_repeated_requests_total",
    "Requests answered again by their Idempotency-Key.",
)
QUERY_SECONDS = _histogram("logstream_query_duration_seconds", "Time a query took.")
QUERIES = _counter(
    "logstream_queries_total", "Queries that ended, by how they did.", "outcome"
)
QUERY_WAIT_SECONDS = _histogram(
    "logstream_query_wait_seconds", "Time a query waited in line for its turn."
)
QUERIES_RUNNING = _gauge("logstream_queries_running", "Queries that run.")
QUERIES_WAITING = _gauge("logstream_queries_waiting", "Queries that wait in line.")
QUEUE_ENTRIES = _gauge("logstream_queue_entries", "Acked entries not stored yet.")
QUEUE_BYTES = _gauge("logstream_queue_bytes", "Bytes of acked entries not stored yet.")
QUEUE_AGE = _gauge(
    "logstream_queue_oldest_age_seconds",
    "Age of the oldest acked entry not stored yet.",
)
QUEUE_STUCK = _gauge(
    "logstream_queue_stuck_entries",
    "Acked entries that cannot be stored just now. Answers lack them, and say so.",
)
RECEIVED_BYTES = _counter(
    "logstream_received_bytes_total", "Bytes of accepted entries, as canonical NDJSON."
)
FSYNC_SECONDS = _histogram(
    "logstream_journal_fsync_duration_seconds", "Time of one fsync.", _FAST_SECONDS
)
GROUP_REQUESTS = _histogram(
    "logstream_journal_group_requests",
    "Requests that shared one fsync.",
    (1, 2, 4, 8, 16, 32, 64, 128),
)
JOURNAL_SEGMENTS = _gauge("logstream_journal_segments", "Segment files on disk.")
JOURNAL_TORN_BYTES = _counter(
    "logstream_journal_torn_bytes_total", "Bytes cut off torn segment ends at start."
)
REPLAYED = _counter(
    "logstream_journal_replayed_entries_total", "Entries replayed at start."
)
REPLAYING = _gauge("logstream_journal_replaying", "1 while the journal is replayed.")
BATCH_SECONDS = _histogram(
    "logstream_batch_duration_seconds", "Time of one batch through the pool."
)
INSERT_SECONDS = _histogram(
    "logstream_insert_duration_seconds", "Time to insert one batch into one partition."
)
PARTITIONS = _gauge("logstream_partitions", "Partition files.")
PARTITIONS_OPEN = _gauge(
    "logstream_partitions_open", "Partition files that are open just now."
)
PARTITIONS_BROKEN = _gauge(
    "logstream_partitions_broken", "Partition files set aside because they do not open."
)
COMPACTIONS = _counter(
    "logstream_compactions_total",
    "Compactions of finished days: done, given_up or failed.",
    "outcome",
)
COMPACTION_SECONDS = _counter(
    "logstream_compaction_seconds_total", "Time that compactions took."
)
STORAGE_BYTES = _gauge("logstream_storage_bytes", "Size of the partition files.")
DISK_FREE_BYTES = _gauge(
    "logstream_disk_free_bytes", "Free space where the data folder is."
)
COLLECTOR_ERRORS = _counter(
    "logstream_collector_errors_total", "Errors that collectors recovered from."
)
BUILD = _gauge("logstream_build_info", "1, labelled with the version.", "version")
