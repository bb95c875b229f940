"""`filter`: drop or keep entries by a query. What it leaves out is counted, not kept.

The query language decides in both forms, Python and SQL, and its SQL is two-valued
(never NULL), so `NOT` of it is exactly the other half.
"""

from collections.abc import Sequence

from logstream.core.entry import Entry
from logstream.core.errors import ConfigError, QuerySyntaxError
from logstream.core.sql import Sql
from logstream.plugins.contracts import BuildContext, Options, Predicate, Rewrite


class FilterOptions(Options, frozen=True, kw_only=True):
    drop: str | None = None
    """Leave out entries that match this query, such as `level:debug env:production`."""

    keep: str | None = None
    """Leave out entries that do not match this query. With `drop` too, an entry has to
    match `keep` and not `drop`."""


class FilterProcessor:
    """Without state: the two predicates and nothing else."""

    def __init__(self, *, drop: Predicate | None, keep: Predicate | None) -> None:
        self._drop = drop
        self._keep = keep

    def process(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        kept = batch
        if self._keep is not None:
            matches = self._keep.matches
            kept = [entry for entry in kept if matches(entry)]
        if self._drop is not None:
            matches = self._drop.matches
            kept = [entry for entry in kept if not matches(entry)]
        return kept

    def rewrite(self) -> Rewrite:
        terms: list[Sql] = []
        if self._keep is not None:
            sql = self._keep.sql
            terms.append(Sql(f"({sql.text})", sql.params))
        if self._drop is not None:
            sql = self._drop.sql
            terms.append(Sql(f"NOT ({sql.text})", sql.params))
        return Rewrite(
            keep=Sql(
                " AND ".join(term.text for term in terms),
                tuple(value for term in terms for value in term.params),
            )
        )


def build_filter(options: FilterOptions, context: BuildContext) -> FilterProcessor:
    """Raises ConfigError: no query at all, or one that does not compile."""
    if options.drop is None and options.keep is None:
        raise ConfigError("give a query: drop, keep, or both")
    return FilterProcessor(
        drop=_compile("drop", options.drop, context),
        keep=_compile("keep", options.keep, context),
    )


def _compile(key: str, query: str | None, context: BuildContext) -> Predicate | None:
    if query is None:
        return None
    if not query.strip():
        raise ConfigError(f"{key}: the query is empty")
    try:
        return context.compile_filter(query)
    except QuerySyntaxError as error:
        caret = " " * error.offset + "^"
        raise ConfigError(f"{key}: {error}\n  {query}\n  {caret}") from None
