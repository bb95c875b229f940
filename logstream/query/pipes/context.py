"""`level:error | context before 5 after 5 by source`: what stood around each match.

The entries that are at most so many before or after a match, in the same source or with
the same value of another field: of the whole range, and of a day before and after it.
Matches stay, and none comes twice.
Behind it stand whole entries again, without columns that were added before.
"""

import msgspec

from logstream.core.errors import BadRequest
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.nodes import name_text
from logstream.query.fragments import of
from logstream.query.nodes import All
from logstream.query.pipes import Pipe
from logstream.query.tables import Table
from logstream.query.values import as_text

MOST = 1_000
ROWS = 5
WIDER_NS = 86_400 * 10**9


class Context(msgspec.Struct, frozen=True):
    before: int = ROWS
    after: int = ROWS
    name: str = "source"

    def __str__(self) -> str:
        by = "" if self.name == "source" else f" by {name_text(self.name)}"
        return f"context before {self.before} after {self.after}{by}"

    def apply(self, table: Table) -> Table:
        if table.scan is None or not table.is_open:
            raise BadRequest(
                "context looks around entries, and there are none here any more."
            )
        matches = of("SELECT {} AS id FROM {}", table.scan.own("id"), table.relation)
        # Places first, by what is small; the entries themselves are read only once
        # it is known which.
        places = table.builder.entries(All())
        entries = table.builder.entries(All())
        assert places.scan is not None
        assert entries.scan is not None
        from_ns, to_ns = table.scan.span
        for scan in (places.scan, entries.scan):
            scan.wider_ns = WIDER_NS
            scan.from_ns = None if from_ns is None else from_ns - WIDER_NS
            scan.to_ns = None if to_ns is None else to_ns + WIDER_NS
        time, number = places.scan.own("timestamp"), places.scan.own("id")
        near, found = table.builder.alias(), table.builder.alias()
        key = as_text(places.value(self.name))
        marked = of(
            f"SELECT {{}} AS {near}, max({{}} IN (SELECT {found} FROM {found})) OVER ("
            "PARTITION BY {} ORDER BY {}, {} "
            f"ROWS BETWEEN {self.after:d} PRECEDING AND {self.before:d} FOLLOWING) "
            "AS is_near, ({}) IS NOT NULL AS is_there FROM {}",
            *(number, number, key, time, number, key, places.relation),
        )
        test = of(
            f"{{}} IN (WITH {found} AS MATERIALIZED (SELECT id AS {found} FROM ({{}})) "
            f"SELECT {near} FROM ({{}}) WHERE is_near AND is_there "
            f"UNION ALL SELECT {found} FROM {found})",
            *(entries.scan.own("id"), matches, marked),
        )
        return entries.filtered(test)


def parse(cursor: Cursor) -> Pipe:
    rows: dict[str, int] = {}
    name = "source"
    for option in cursor.options("before", "after", "by"):
        if option == "by":
            name = cursor.name("a field")
        else:
            rows[option] = cursor.whole("a number of entries", most=MOST)
    if not rows:
        return Context(name=name)
    return Context(rows.get("before", 0), rows.get("after", 0), name)
