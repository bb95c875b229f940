"""How many days are open is told, whatever they are opened and let go of for."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from logstream.config.settings import StorageConfig
from logstream.storage.holding import holding
from logstream.storage.hub import Hub
from logstream.storage.partition import Key
from logstream.storage.partitions import Partitions
from logstream.telemetry.metrics import REGISTRY

DAYS = [date(2026, 1, 1) + timedelta(days=at) for at in range(4)]


@pytest.fixture
def hub() -> Iterator[Hub]:
    found = Hub(StorageConfig(), tmp=None)
    yield found
    found.close()


def told() -> float | None:
    return REGISTRY.get_sample_value("logstream_partitions_open")


def test_it_is_the_number_of_those_that_are_attached(hub: Hub, tmp_path: Path) -> None:
    partitions = Partitions(hub, tmp_path, max_open=2)
    assert told() == 0
    with holding():
        for number, day in enumerate(DAYS, start=1):
            partitions.attach(Key(day))
            assert told() == number, "those in use stay open"
    partitions.checkpoint(lambda _: False)
    assert told() == len(partitions.attached()) == 2
    [one, other] = partitions.attached()
    assert partitions.remove(one, unsettled=()) == 0
    assert told() == 1
    partitions.set_aside(other.key, other)
    assert told() == 0


def test_in_memory_all_are(hub: Hub) -> None:
    partitions = Partitions(hub, None, max_open=2)
    for day in DAYS:
        partitions.attach(Key(day))
    partitions.checkpoint(lambda _: False)
    assert told() == len(DAYS)
