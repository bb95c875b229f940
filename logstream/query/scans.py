"""Scans while compiling: the expressions over entries that a query needs."""

from collections.abc import Sequence
from typing import Any

from logstream.core.plan import First, Scan, ScanColumn
from logstream.core.sql import Sql
from logstream.query.filter import Filter, compile_expr
from logstream.query.nodes import Expr, all_of
from logstream.query.spans import span_of
from logstream.query.times import earlier, fixed_at


class ScanBuilder:
    """One read of the entries, in the making.

    Args:
        at_ns: What "now" is.
        shift_ns: How much earlier all times of filters are meant.
    """

    def __init__(self, name: str, expr: Expr, *, at_ns: int, shift_ns: int = 0) -> None:
        self.name = name
        self.shift_ns = shift_ns
        self._at_ns = at_ns
        self.expr = self._moved(expr)
        self.newest: int | None = None
        self.oldest: int | None = None
        self.first: First | None = None
        self._taken = False
        self.wider_ns = 0
        self.from_ns: int | None = None
        self.to_ns: int | None = None
        self._columns: dict[Any, ScanColumn] = {}

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def narrow(self, expr: Expr) -> None:
        """Only entries that this holds for besides."""
        self.expr = all_of(self.expr, self._moved(expr))

    @property
    def span(self) -> tuple[int | None, int | None]:
        """[from, to) of the times in its filter."""
        return span_of(self.expr)

    def column(self, key: Any, *, safe: Sql, hopeful: Sql | None = None) -> Sql:
        """What an expression over an entry is called behind the scan; equal keys mean
        equal expressions.
        """
        if (found := self._columns.get(key)) is None:
            alias = f"{self.name}_{len(self._columns)}"
            found = ScanColumn(alias, safe, safe if hopeful is None else hopeful)
            self._columns[key] = found
        return Sql(found.alias)

    def has(self, sql: Sql) -> bool:
        """Whether it is one of the columns, and nothing made of them."""
        return any(sql.text == one.alias for one in self._columns.values())

    def own(self, name: str) -> Sql:
        """A column of the entry: `timestamp`, `source`, `level`, `message`, `id`."""
        return self.column(("own", name), safe=Sql(name))

    def fields_json(self) -> Sql:
        """All fields, as JSON text."""
        text = "coalesce(CAST(CAST(fields AS JSON) AS VARCHAR), '{}')"
        return self.column("fields", safe=Sql(text))

    def take_first(self, order: Sql, rows: int, by: Sequence[Sql] = ()) -> bool:
        """Only these rows are needed of each day; False: others are as well.

        Args:
            by: Columns of the scan, and nothing made of them: of each of their values.
        """
        wanted = First(order, rows, tuple(one.text for one in by))
        fits = not self._taken or self.first == wanted
        self.first = wanted if fits else None
        self._taken = True
        if not fits:
            self.newest = self.oldest = None
        return fits

    def test(self, expr: Expr) -> Sql:
        """Whether a filter holds for the entry."""
        made = compile_expr(self._moved(expr))
        return self.column(("test", made.text), safe=made.sql, hopeful=made.fast_sql)

    def build(self, *, is_read_once: bool) -> Scan:
        made: Filter = compile_expr(self.expr)
        columns = tuple(self._columns.values())
        if not columns:
            columns = (ScanColumn(f"{self.name}_0", Sql("1"), Sql("1")),)
        from_ns, to_ns = made.span
        return Scan(
            name=self.name,
            where=made.sql,
            fast=made.where_sql,
            needs=made.needs,
            columns=columns,
            from_ns=max(_given(from_ns, self.from_ns), default=None),
            to_ns=min(_given(to_ns, self.to_ns), default=None),
            newest=self.newest,
            oldest=self.oldest,
            first=self.first,
            is_read_once=is_read_once,
            shift_ns=self.shift_ns,
            wider_ns=self.wider_ns,
        )

    def _moved(self, expr: Expr) -> Expr:
        fixed = fixed_at(expr, self._at_ns)
        return earlier(fixed, self.shift_ns) if self.shift_ns else fixed


def _given(*bounds: int | None) -> list[int]:
    return [bound for bound in bounds if bound is not None]
