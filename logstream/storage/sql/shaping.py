"""What SQL gives, as values that JSON has: a SELECT around the statement, by its types.

Done in SQL, since Python's values are not enough: no nanoseconds, no year 10 000.
"""

import re
from collections.abc import Sequence
from typing import Any

from logstream.core.results import Kind, ResultColumn

_INTEGER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BIGNUM")
_NUMBER = re.compile(r"FLOAT|DOUBLE|DECIMAL.*")
_JSON = re.compile(r"JSON|VARIANT|STRUCT\(.*|MAP\(.*|UNION\(.*|.*\]", re.DOTALL)
_TIMES = {
    "TIMESTAMP_NS": ("{0}", "%n"),
    "TIMESTAMP": ("{0}", "%f"),
    "TIMESTAMP_S": ("{0}::TIMESTAMP", "%f"),
    "TIMESTAMP_MS": ("{0}::TIMESTAMP", "%f"),
    "TIMESTAMP WITH TIME ZONE": ("({0} AT TIME ZONE 'UTC')", "%f"),
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

    def around(self, text: str, *, limit: int) -> str:
        """The statement that gives the values of another's first rows."""
        return (
            f"SELECT {self._shown} FROM (\n{text}\n) AS result({self._names}) "
            f"LIMIT {limit:d}"
        )


def probe(text: str) -> str:
    """The statement that tells the types of another's, and reads nothing."""
    return f"SELECT * FROM (\n{text}\n) LIMIT 0"


def _of_type(kind: str, column: str) -> tuple[Kind, str]:
    if kind in _TIMES:
        value, fraction = _TIMES[kind]
        value = value.format(column)
        text = (
            f"rtrim(rtrim(strftime({value}, '%Y-%m-%dT%H:%M:%S.{fraction}'), '0'), '.')"
        )
        return "time", f"CASE WHEN isfinite({column}) THEN {text} || 'Z' END"
    if kind == "BOOLEAN":
        return "boolean", column
    if _INTEGER.fullmatch(kind):
        return "integer", column if kind != "BIGNUM" else f"{column}::VARCHAR"
    if _NUMBER.fullmatch(kind):
        return "number", f"{column}::DOUBLE"
    if kind == "INTERVAL":
        return "duration", f"epoch({column})"
    if _JSON.fullmatch(kind):
        return "json", _as_json(kind, column)
    return "text", f"{column}::VARCHAR"


def _as_json(kind: str, column: str) -> str:
    if kind == "JSON":
        return f"{column}::VARCHAR"
    if kind == "VARIANT":
        return f"{column}::JSON::VARCHAR"
    return f"to_json({column})::VARCHAR"
