"""Reads of a data folder that Ctrl-C ends at once.

DuckDB does not look for signals while a statement runs, and Python handles them on the
main thread alone: so the statement runs on another one, while this one waits.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from logstream.storage.control import QueryControl, bounded_by

T = TypeVar("T")


def interruptibly(read: Callable[[], T], *, timeout_s: float) -> T:
    """What `read` returns or raises.

    Args:
        read: Runs on a thread of its own, as one query.
        timeout_s: Of the whole of it.

    Raises:
        KeyboardInterrupt: and the read has ended.
    """
    control = QueryControl(timeout_s)
    found: Future[T] = Future()

    def run() -> None:
        try:
            with bounded_by(control):
                found.set_result(read())
        except BaseException as error:  # noqa: BLE001 - delivered to who waits
            found.set_exception(error)

    thread = threading.Thread(target=run, name="query")
    thread.start()
    try:
        return found.result()
    except KeyboardInterrupt:
        control.cancel()
        raise
    finally:
        thread.join()
