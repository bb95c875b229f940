"""A piece of SQL and its parameters: how `query` and `storage` talk, as strangers."""

from typing import Any

import msgspec


class Sql(msgspec.Struct, frozen=True):
    """A boolean or value expression over the columns of an entry.

    The columns are `id BIGINT, timestamp TIMESTAMP_NS, source VARCHAR, level VARCHAR,
    message VARCHAR, fields VARIANT`. No value from outside ever stands in `text`:
    values, field names included, are `?` and stand in `params`, in order.
    """

    text: str
    params: tuple[Any, ...] = ()


TRUE = Sql("TRUE")

SAID = "logstream: "
"""In front of what a statement says itself, by `error(…)`, to who asked."""
