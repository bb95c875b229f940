"""`timechart 5m count() by level | anomalies`: which values stand out in a series.

A value is compared with the median of its series, in units of the median distance from
it (MAD): score = 0.6745 (value - median) / MAD. For normal values, that is about the
number of standard deviations. Where more than half of the values are the same, the mean
distance is taken instead. A score above 3.5, either way, stands out. A few outliers do
not move a median as they would a mean.
"""

import msgspec

from logstream.core.errors import BadRequest
from logstream.core.results import Kind
from logstream.core.sql import Sql
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import name_text, number_text
from logstream.query.expressions.tokens import Mark
from logstream.query.fragments import of
from logstream.query.pipes import Pipe
from logstream.query.tables import Table
from logstream.query.values import Typed, as_number

THRESHOLD = 3.5
_MADE = ("expected", "score", "is_anomaly", "explanation")
_NUMBERS = ("number", "integer", "duration")


class Anomalies(msgspec.Struct, frozen=True):
    name: str | None = None
    """None: the first column of numbers."""
    threshold: float = THRESHOLD

    def __str__(self) -> str:
        text = "anomalies"
        if self.name is not None:
            text += f" of {name_text(self.name)}"
        if self.threshold == THRESHOLD:
            return text
        return f"{text} threshold {number_text(self.threshold)}"

    def apply(self, table: Table) -> Table:
        if table.is_open:
            raise BadRequest(
                "anomalies looks at numbers over time, such as `timechart 5m count() | "
                "anomalies`."
            )
        name, kind = self._value(table)
        value, middle, far, mean = (table.builder.alias() for _ in range(4))
        series = [
            one.sql.text
            for key, one in table.columns.items()
            if isinstance(one, Typed)
            and key != name
            and one.kind in ("text", "boolean")
        ]
        over = f"OVER (PARTITION BY {', '.join(series)})" if series else "OVER ()"
        distance = f"abs({value} - {middle})"
        relation = of(
            f"(SELECT *, median({distance}) {over} AS {far}, "
            f"avg({distance}) {over} AS {mean} FROM ("
            f"SELECT *, median({value}) {over} AS {middle} FROM ("
            f"SELECT *, {{}} AS {value} FROM {{}})))",
            *(as_number(table.value(name)), table.relation),
        )
        held = msgspec.structs.replace(table.with_order(), relation=relation)
        score = (
            f"CASE WHEN {far} > 0 THEN 0.6745 * ({value} - {middle}) / {far} "
            f"WHEN {mean} > 0 THEN ({value} - {middle}) / (1.253314 * {mean}) "
            f"WHEN {value} IS NOT NULL THEN 0 END"
        )
        found = held.with_columns(
            [
                ("expected", Typed(Sql(f"({middle})"), kind)),
                ("score", Typed(Sql(f"round({score}, 3)"), "number")),
            ]
        )
        return self._told(found, name, value, middle)

    def _told(self, table: Table, name: str, value: str, middle: str) -> Table:
        score = table.typed("score").sql.text
        test = f"coalesce(abs({score}) > {float(self.threshold)!r}, FALSE)"
        told = of(
            f"CASE WHEN {test} THEN concat({{}}, ' is ', {_shown(value)}, ', ', "
            f"CASE WHEN {score} > 0 THEN 'above' ELSE 'below' END, "
            f"' the usual ', {_shown(middle)}, ' (score ', {_shown(score)}, ')') END",
            Sql("?::VARCHAR", (name,)),
        )
        return table.with_columns(
            [
                ("is_anomaly", Typed(Sql(f"({test})"), "boolean")),
                ("explanation", Typed(told, "text")),
            ]
        )

    def _value(self, table: Table) -> tuple[str, Kind]:
        """The column to look at, and its kind."""
        for name in _MADE:
            if name in table.columns:
                raise BadRequest(f"There is a column {name!r} already: rename it.")
        if self.name is not None:
            value = table.value(self.name)
            is_span = isinstance(value, Typed) and value.kind == "duration"
            return self.name, "duration" if is_span else "number"
        for name, value in table.columns.items():
            if isinstance(value, Typed) and value.kind in _NUMBERS:
                return name, "duration" if value.kind == "duration" else "number"
        raise BadRequest("There is no column of numbers here.")


def _shown(number: str) -> str:
    """With three digits behind the point at most, and none that are not needed."""
    return f"regexp_replace(round({number}, 3)::VARCHAR, '\\.0$', '')"


def parse(cursor: Cursor) -> Pipe:
    name, threshold = None, THRESHOLD
    for option in cursor.options("of", "threshold"):
        if option == "of":
            name = cursor.name("a column")
            continue
        here = cursor.here
        if here.mark is not Mark.NUMBER or here.number <= 0:
            cursor.expected("a number above zero")
        threshold = cursor.next().number
    return Anomalies(name, threshold)
