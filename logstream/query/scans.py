"""Scans while compiling: the expressions over entries that a query needs."""

from typing import Any

from logstream.core.plan import Scan, ScanColumn
from logstream.core.sql import Sql
from logstream.query.filter import Filter, compile_expr
from logstream.query.nodes import Expr, all_of


class ScanBuilder:
    """One read of the entries, in the making."""

    def __init__(self, name: str, expr: Expr) -> None:
        self.name = name
        self.expr = expr
        self.newest: int | None = None
        self.shift_ns = 0
        self.from_ns: int | None = None
        self.to_ns: int | None = None
        self._columns: dict[Any, ScanColumn] = {}

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def narrow(self, expr: Expr) -> None:
        """Only entries that this holds for besides."""
        self.expr = all_of(self.expr, expr)

    def column(self, key: Any, *, safe: Sql, hopeful: Sql | None = None) -> Sql:
        """What an expression over an entry is called behind the scan; equal keys mean
        equal expressions.
        """
        if (found := self._columns.get(key)) is None:
            alias = f"{self.name}_{len(self._columns)}"
            found = ScanColumn(alias, safe, safe if hopeful is None else hopeful)
            self._columns[key] = found
        return Sql(found.alias)

    def own(self, name: str) -> Sql:
        """A column of the entry: `timestamp`, `source`, `level`, `message`, `id`."""
        return self.column(("own", name), safe=Sql(name))

    def fields_json(self) -> Sql:
        """All fields, as JSON text."""
        text = "coalesce(CAST(CAST(fields AS JSON) AS VARCHAR), '{}')"
        return self.column("fields", safe=Sql(text))

    def test(self, expr: Expr) -> Sql:
        """Whether a filter holds for the entry."""
        made = compile_expr(expr)
        return self.column(("test", made.text), safe=made.sql, hopeful=made.fast_sql)

    def build(self) -> Scan:
        made: Filter = compile_expr(self.expr)
        columns = tuple(self._columns.values())
        if not columns:
            columns = (ScanColumn(f"{self.name}_0", Sql("1"), Sql("1")),)
        from_ns, to_ns = made.span
        return Scan(
            name=self.name,
            where=made.sql,
            fast=made.fast_sql,
            needs=made.needs,
            columns=columns,
            from_ns=max(_given(from_ns, self.from_ns), default=None),
            to_ns=min(_given(to_ns, self.to_ns), default=None),
            newest=self.newest,
            shift_ns=self.shift_ns,
        )


def _given(*bounds: int | None) -> list[int]:
    return [bound for bound in bounds if bound is not None]
