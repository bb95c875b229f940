"""DuckDB as the hub opens and closes it: while a read is on its way out, too."""

import logging
import threading

import duckdb
import pytest

from logstream.config.settings import StorageConfig
from logstream.storage import hub as hub_module
from logstream.storage.hub import Hub

_ENDLESS = "SELECT sum(range % 7) FROM range(9000000000000000)"


class Read:
    """A query that does not end by itself, on a thread of its own."""

    def __init__(self, hub: Hub) -> None:
        self._cursor = hub.cursor()
        self._cursor.execute("SET enable_progress_bar = true")
        self._cursor.execute("SET enable_progress_bar_print = false")
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        while self._cursor.query_progress() < 0:  # none is running
            assert self._thread.is_alive()

    def _run(self) -> None:
        with pytest.raises(duckdb.InterruptException):
            self._cursor.execute(_ENDLESS)

    def cancel(self) -> None:
        """Time and again: an interrupt before a query has begun is forgotten."""
        while self._thread.is_alive():
            self._cursor.interrupt()
            self._thread.join(0.01)


def test_a_close_waits_for_a_read_that_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "_CLOSE_S", 150.0)
    hub = Hub(StorageConfig(), tmp=None)
    read = Read(hub)
    timer = threading.Timer(0.05, read.cancel)
    timer.start()
    hub.close()
    timer.join()
    with pytest.raises(duckdb.ConnectionException):
        hub.cursor()


def test_a_close_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hub_module, "_CLOSE_S", 0.0)
    hub = Hub(StorageConfig(), tmp=None)
    read = Read(hub)
    with caplog.at_level(logging.WARNING):
        hub.close()
    assert "left open" in caplog.text
    read.cancel()
    hub.close()


def test_without_a_folder_nothing_is_spilled() -> None:
    """DuckDB's default is `.tmp` where the process was started."""
    hub = Hub(StorageConfig(), tmp=None)
    cursor = hub.cursor()
    found = cursor.execute("SELECT current_setting('temp_directory')").fetchall()
    cursor.close()
    hub.close()
    assert found == [("",)]
