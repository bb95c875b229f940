"""A filter: a query in the two forms that the rest of LogStream runs.

Example:
    >>> query = compile_filter("level:error timeout")
    >>> query.sql.text
    "(level = ?) AND ((contains(lower(message), ?)) AND (regexp_matches(…, ?)))"
"""

from collections.abc import Iterable, Sequence
from functools import cached_property

from logstream.core.doubts import settled
from logstream.core.entry import Entry
from logstream.core.errors import BadRequest
from logstream.core.needs import Need
from logstream.core.sql import Sql
from logstream.core.timestamps import now_ns
from logstream.query.glob import glob_of
from logstream.query.layouts import BEHIND_WHERE, HOPEFUL, Layout
from logstream.query.limits import MAX_DEPTH, MAX_TERMS
from logstream.query.matching import Matcher, matcher_of
from logstream.query.needs import needs_of
from logstream.query.nodes import And, Expr, Match, Not, Or, any_of, fold_tree
from logstream.query.parser import parse
from logstream.query.spans import span_of
from logstream.query.sql import sql_of
from logstream.query.times import fixed_at

MAX_LOOKS = 500
"""Calls of `variant_extract` in one statement. DuckDB makes room for the results of
all of them on each thread, 0.2 MB each, and that is in none of its limits."""


class Filter:
    """A compiled query: a `plugins.contracts.Predicate`. Immutable, thread-safe."""

    def __init__(self, expr: Expr, *, fixed: Expr, sql: Sql) -> None:
        self._expr = expr
        self._fixed = fixed
        self._sql = sql

    @property
    def expr(self) -> Expr:
        return self._expr

    @cached_property
    def text(self) -> str:
        """The query in canonical form: equal queries read the same. Times that depend
        on now stay as they are; in all else, now is when it was compiled.
        """
        return str(self._expr)

    @property
    def sql(self) -> Sql:
        """TRUE or FALSE for any entry, never NULL: `NOT` of it is the other half.
        It never fails, whatever the values are.
        """
        return self._sql

    @cached_property
    def fast_sql(self) -> Sql:
        """The same, 5 to 20 times faster on fields, but it may fail: run it on stored
        entries, and on any error of DuckDB's but a time-out run `sql`.
        """
        return self.sql_for(HOPEFUL)

    @cached_property
    def where_sql(self) -> Sql:
        """The same to stand behind WHERE: it is NULL for some entries, for FALSE."""
        return self.sql_for(BEHIND_WHERE)

    @cached_property
    def needs(self) -> Need | None:
        """What every entry that matches holds; None: nothing is known."""
        return needs_of(self._fixed)

    @cached_property
    def span(self) -> tuple[int | None, int | None]:
        """Every match lies in [from, to), in nanoseconds; None: an open end."""
        return span_of(self._fixed)

    def sql_for(self, layout: Layout) -> Sql:
        """The same, faster, for entries of which something is known."""
        sql = sql_of(self._fixed, layout)
        return sql if _looks_in(sql) <= MAX_LOOKS else self._sql

    @cached_property
    def _matcher(self) -> Matcher:
        """Made when it is needed: queries of the store never do."""
        return matcher_of(self._fixed)

    def matches(self, entry: Entry) -> bool:
        return self._matcher(entry)

    def __repr__(self) -> str:
        return f"Filter({self.text!r})"


def compile_filter(text: str) -> Filter:
    """Compile query text; the empty one matches every entry.

    Raises:
        QuerySyntaxError: it is no query, or over a limit; has the offset.
        BadRequest: it would take too much memory to run.
    """
    return compile_expr(parse(text))


def compile_expr(expr: Expr, *, at_ns: int | None = None) -> Filter:
    """Compile a tree that a program made.

    Args:
        at_ns: What "now" is, in nanoseconds; None: the time of the call.

    Raises:
        BadRequest: over a limit of the language, or a value that is not of the kind
            that its name has, such as `timestamp:soon`.
    """
    terms, depth = fold_tree(expr, _size)
    if terms > MAX_TERMS or depth > MAX_DEPTH:
        raise BadRequest(
            f"A query has at most {MAX_TERMS} terms, {MAX_DEPTH} levels deep; "
            f"this one has {terms} terms and {depth} levels."
        )
    fixed = fixed_at(expr, now_ns() if at_ns is None else at_ns)
    sql = sql_of(fixed)
    if _looks_in(sql) > MAX_LOOKS:
        raise BadRequest(
            "The query looks too often into fields of fields: use fewer terms with "
            "a dot in the name."
        )
    return Filter(expr, fixed=fixed, sql=sql)


def source_is(source: str) -> Expr:
    """Entries of one source."""
    return Match("source", glob_of(source))


def level_in(levels: Iterable[str]) -> Expr:
    """Entries of any of these levels, by any of their names. Of none: no entry."""
    return any_of(*(Match("level", glob_of(level)) for level in levels))


def _looks_in(sql: Sql) -> int:
    """Where nothing is known."""
    looks = sql.text.count("variant_extract(")
    if looks > MAX_LOOKS:
        looks = settled(sql, frozenset()).text.count("variant_extract(")
    return looks


def _size(node: Expr, inner: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Terms, and levels of parentheses and NOT in canonical text."""
    if not inner:
        return 1, 0
    depths = [depth for _, depth in inner]
    match node:
        case And(terms):
            depth = max(
                depth + isinstance(term, Or)
                for term, depth in zip(terms, depths, strict=True)
            )
        case Not(term):
            depth = depths[0] + 1 + isinstance(term, And | Or)
        case _:
            depth = max(depths)
    return sum(count for count, _ in inner), depth
