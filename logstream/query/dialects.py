"""Dialects: one compiler of filters for each engine, from the same tree.

What a tree means is settled in `meaning`, as conditions; a dialect says these in the
SQL of its engine, and decides nothing. Values, names of fields among them, are
parameters in all of them.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from logstream.query.nodes import Expr


class EngineSql(msgspec.Struct, frozen=True):
    """An expression for the WHERE of an engine whose parameters have names."""

    text: str
    params: Mapping[str, Any] = {}


class Dialect(Protocol):
    """What a dialect is: `clickhouse.filter_sql`, for one.

    For DuckDB, the engine that LogStream runs, it is `sql.sql_of`: that has two forms,
    a quick one and one that never fails, and parameters by place.
    """

    def __call__(self, expr: Expr) -> EngineSql: ...
