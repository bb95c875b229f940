"""What SQL gives, in types that results have: a SELECT around the statement."""

import re
from collections.abc import Sequence
from typing import Any

from logstream.core.results import Kind, ResultColumn

_INTEGER = re.compile(r"U?(TINY|SMALL|BIG)?INT(EGER)?")
_NUMBER = re.compile(r"FLOAT|DOUBLE|DECIMAL.*")
_JSON = re.compile(r"JSON|VARIANT|STRUCT\(.*|MAP\(.*|UNION\(.*|.*\]", re.DOTALL)
_TIMES = {
    "TIMESTAMP_NS": "{0}",
    "TIMESTAMP": "{0}",
    "TIMESTAMP_S": "{0}",
    "TIMESTAMP_MS": "{0}",
    "TIMESTAMP WITH TIME ZONE": "({0} AT TIME ZONE 'UTC')",
    "TIMESTAMP_NS WITH TIME ZONE": "({0} AT TIME ZONE 'UTC')",
}


class Shape:
    """Of the results of one statement.

    Args:
        described: `cursor.description` of the statement.
    """

    def __init__(self, described: Sequence[Sequence[Any]]) -> None:
        kinds: list[Kind] = []
        shown = []
        for at, (_, kind, *_) in enumerate(described):
            name, sql = _of_type(str(kind), f"c{at}")
            kinds.append(name)
            shown.append(sql)
        self.columns = tuple(
            ResultColumn(str(one[0]), kind)
            for one, kind in zip(described, kinds, strict=True)
        )
        self._shown = ", ".join(shown)
        self._names = ", ".join(f"c{at}" for at in range(len(kinds)))

    def around(self, text: str) -> str:
        """The statement that gives another's rows in these types."""
        return f"SELECT {self._shown} FROM (\n{text}\n) AS given({self._names})"


def probe(text: str) -> str:
    """The statement that tells the types of another's, and reads nothing."""
    return f"SELECT * FROM (\n{text}\n) LIMIT 0"


def _of_type(kind: str, column: str) -> tuple[Kind, str]:
    if kind in _TIMES:
        # Beyond the years 1677 to 2262 there are no nanoseconds: null.
        value = _TIMES[kind].format(column)
        return "time", f"TRY_CAST({value} AS TIMESTAMP_NS)"
    if kind == "BOOLEAN":
        return "boolean", column
    if _INTEGER.fullmatch(kind) and kind != "UBIGINT":
        return "integer", column
    if kind in ("UBIGINT", "HUGEINT", "UHUGEINT", "BIGNUM"):
        return "integer", f"{column}::BIGINT"
    if _NUMBER.fullmatch(kind):
        return "number", f"{column}::DOUBLE"
    if kind == "INTERVAL":
        return "duration", f"epoch({column})"
    if kind in ("JSON", "VARIANT"):
        return "json", column
    if _JSON.fullmatch(kind):
        return "json", f"to_json({column})"
    return "text", f"{column}::VARCHAR"
