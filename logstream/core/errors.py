"""Every exception LogStream raises on purpose.

LogStreamError
├── ConfigError          the operator must edit a file or a flag  exit 2
├── PluginError          a plugin broke its contract              exit 2
├── ServerUnreachable    no server answers where one should       exit 3
├── BadRequest           the caller sent something unusable       HTTP 400, exit 2
│   ├── QuerySyntaxError   has `.offset`, into the query text
│   ├── EntryRejected      has `.index`, into the batch
│   ├── AlreadyThere       another one has this name              HTTP 409
│   ├── TooLarge           over a limit that the config names     HTTP 413
│   └── UnknownEncoding    a Content-Encoding we do not speak     HTTP 415
├── NotFound             no such entry or saved query             HTTP 404, exit 2
├── Overloaded           we are full; try again later             HTTP 429, exit 4
├── TooManyQueries       so many wait that one more is refused    HTTP 429, exit 4
├── NotReady             replaying or stopping; try again         HTTP 503, exit 4
└── StorageError         the disk or DuckDB refused               HTTP 503, exit 4
    ├── DiskFull           no room to write; try again            HTTP 507
    ├── FolderInUse        another process owns the data folder
    ├── StoreFailed        DuckDB gave up: the process has to be restarted
    ├── QueryTimeout       over the time limit                    HTTP 504
    ├── QueryMemory        over the memory limit
    ├── QueryCancelled     whoever asked has gone                 HTTP 499
    ├── UnreadableDays     it would leave out days, or did
    └── StorageCorrupt     retrying cannot help                   HTTP 500
"""


class LogStreamError(Exception):
    """`code` is a metric label and part of a problem's type: it never holds input."""

    code = "internal"
    retryable = False
    """Whether the same call may succeed later; decides on `Retry-After`."""
    http_status = 500
    exit_code = 1


class ConfigError(LogStreamError):
    code = "config"
    exit_code = 2


class PluginError(LogStreamError):
    code = "plugin"
    exit_code = 2


class ServerUnreachable(LogStreamError):
    code = "server_unreachable"
    retryable = True
    exit_code = 3


class BadRequest(LogStreamError):
    code = "bad_request"
    http_status = 400
    exit_code = 2


class QuerySyntaxError(BadRequest):
    code = "query_syntax"

    def __init__(self, message: str, *, offset: int) -> None:
        super().__init__(message)
        self.offset = offset
        """Into the query text, in characters from 0: where a caret goes."""


class EntryRejected(BadRequest):
    code = "entry_rejected"

    def __init__(self, message: str, *, index: int, reason: str) -> None:
        super().__init__(message)
        self.index = index
        """Of the entry in its batch, from 0."""
        self.reason = reason
        """From the closed set `core.rejections.REASONS`."""


class AlreadyThere(BadRequest):
    code = "already_there"
    http_status = 409


class TooLarge(BadRequest):
    code = "too_large"
    http_status = 413


class UnknownEncoding(BadRequest):
    code = "unknown_encoding"
    http_status = 415


class NotFound(LogStreamError):
    code = "not_found"
    http_status = 404
    exit_code = 2


class Overloaded(LogStreamError):
    code = "overloaded"
    retryable = True
    http_status = 429
    exit_code = 4

    def __init__(self, *, queued_bytes: int, capacity_bytes: int) -> None:
        super().__init__(
            f"The intake holds {queued_bytes} of {capacity_bytes} bytes: "
            "try again, or raise intake.capacity_bytes."
        )
        self.queued_bytes = queued_bytes
        self.capacity_bytes = capacity_bytes


class TooManyQueries(LogStreamError):
    code = "too_many_queries"
    retryable = True
    http_status = 429
    exit_code = 4


class NotReady(LogStreamError):
    code = "not_ready"
    retryable = True
    http_status = 503
    exit_code = 4


class StorageError(LogStreamError):
    code = "storage"
    retryable = True
    http_status = 503
    exit_code = 4


class DiskFull(StorageError):
    code = "disk_full"
    http_status = 507


class FolderInUse(StorageError):
    code = "folder_in_use"
    retryable = False

    def __init__(self, message: str, *, pid: int | None) -> None:
        super().__init__(message)
        self.pid = pid


class QueryTimeout(StorageError):
    code = "query_timeout"
    retryable = False
    http_status = 504


class QueryMemory(StorageError):
    code = "query_memory"


class QueryCancelled(StorageError):
    code = "query_cancelled"
    retryable = False
    http_status = 499


class UnreadableDays(StorageError):
    code = "unreadable_days"


class StoreFailed(StorageError):
    code = "store_failed"


class StorageCorrupt(StorageError):
    code = "storage_corrupt"
    retryable = False
    http_status = 500
