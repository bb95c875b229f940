"""A query: a filter, and pipes behind it.

Example:
    >>> str(compile_query("level:error | stats count() by source | head"))
    'level:error | stats count() by source | head 10'
"""

from functools import cached_property

from logstream.core.errors import QuerySyntaxError
from logstream.core.plan import Plan
from logstream.query.builder import PlanBuilder
from logstream.query.expressions.cursor import Cursor
from logstream.query.filter import Filter, compile_expr
from logstream.query.finishing import finish
from logstream.query.limits import check_written_out
from logstream.query.nodes import Expr, all_of
from logstream.query.pipes import Pipe
from logstream.query.pipes.compare import limited_behind
from logstream.query.pipes.registry import parse_pipe
from logstream.query.pipes.window import steps_of
from logstream.query.tables import Table

MAX_PIPES = 50


class Query:
    """Immutable, thread-safe; equal ones read the same."""

    def __init__(self, expr: Expr, pipes: tuple[Pipe, ...]) -> None:
        self.expr = expr
        self.pipes = pipes

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Query):
            return NotImplemented
        return (self.expr, self.pipes) == (other.expr, other.pipes)

    def __hash__(self) -> int:
        return hash((self.expr, self.pipes))

    def __str__(self) -> str:
        """Canonical text."""
        return " | ".join([str(self.expr), *map(str, self.pipes)])

    def __repr__(self) -> str:
        return f"Query({str(self)!r})"

    @cached_property
    def filter(self) -> Filter:
        return compile_expr(self.expr)

    def narrowed(self, *exprs: Expr) -> "Query":
        """With conditions more on the entries."""
        return Query(all_of(self.expr, *exprs), self.pipes)

    def plan(
        self,
        *,
        from_ns: int | None = None,
        to_ns: int | None = None,
        limit: int | None = None,
        ids: bool = False,
    ) -> Plan:
        """What gives its rows.

        Args:
            from_ns, to_ns: The span that it will be run over, where that is known.
            limit: Rows at most; None: all.

        Raises:
            BadRequest: a pipe asks for what is not there, or a value is not of the kind
                that its name has.
        """
        builder = PlanBuilder(from_ns=from_ns, to_ns=to_ns)
        return finish(self.table(builder), limit=limit, ids=ids)

    def table(self, builder: PlanBuilder) -> Table:
        """Its rows, as part of a plan."""
        first = builder.scans
        table = builder.entries(self.expr)
        pipes = limited_behind(self.pipes)
        for at, pipe in steps_of(pipes):
            builder.enter(Query(self.expr, pipes[:at]), first)
            table = pipe.apply(table)
        return table


def compile_query(text: str) -> Query:
    """Compile query text, and see that it can be planned.

    Raises:
        QuerySyntaxError: it is no query, or over a limit; has the offset.
        BadRequest: it asks for what cannot be.
    """
    query = parse_query(text)
    if query.pipes:
        query.plan()
    return query


def parse_query(text: str) -> Query:
    """The query that a text is.

    Raises:
        QuerySyntaxError: it is none, or over a limit.
    """
    cursor = Cursor(text)
    try:
        query = parse_inner(cursor)
        if cursor.sees(")"):
            cursor.fail("this ')' closes nothing")
        if cursor.is_near_a_limit:
            check_written_out(lambda: parse_inner(Cursor(str(query))))
    except RecursionError:
        raise QuerySyntaxError("This query is too deep.", offset=0) from None
    return query


def parse_inner(cursor: Cursor) -> Query:
    """The query that begins where the cursor stands, to a `)` or the end."""
    expr = cursor.filter()
    pipes: list[Pipe] = []
    while cursor.accept("|"):
        pipes.append(parse_pipe(cursor))
        if len(pipes) > MAX_PIPES:
            cursor.fail(f"a query has at most {MAX_PIPES} pipes")
    return Query(expr, tuple(pipes))
