"""Damage: whether a day reads to its last block."""

from collections.abc import Iterable, Iterator

import duckdb

from logstream.core.errors import StorageError
from logstream.storage.control import QueryControl
from logstream.storage.hub import Hub
from logstream.storage.partition import Partition, is_corrupt

_READ_ALL = """
SELECT max(id), max(timestamp), max(source), max(level), max(length(message)),
    max(length(CAST(fields AS VARCHAR))), (SELECT max(segment) FROM {name}.applied)
FROM {name}.entries
"""


def damaged_ones(
    hub: Hub, partitions: Iterable[Partition], control: QueryControl
) -> Iterator[Partition]:
    """Those of these that do not read, as far as the time of this query goes."""
    for partition in partitions:
        if partition.path is not None and not _is_sound(hub, partition, control):
            yield partition


def _is_sound(hub: Hub, partition: Partition, control: QueryControl) -> bool:
    """As far as anybody knows."""
    cursor = hub.cursor()
    try:
        with control.stopping(cursor):
            cursor.execute(_READ_ALL.format(name=partition.name)).fetchall()
    except duckdb.Error as error:
        return not is_corrupt(error)
    except StorageError:
        return True  # there was no time to find out
    finally:
        cursor.close()
    return True
