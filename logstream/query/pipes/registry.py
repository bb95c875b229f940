"""The pipes by name."""

from collections.abc import Callable
from typing import Final

from logstream.config.nearest import nearest
from logstream.query.elsewhere import behind_hint, pipe_hint
from logstream.query.expressions.cursor import Cursor
from logstream.query.expressions.tokens import Mark
from logstream.query.pipes import (
    Pipe,
    anomalies,
    compare,
    context,
    dedup,
    drop,
    eval,  # noqa: A004
    extract,
    facets,
    field_names,
    fields,
    filter,  # noqa: A004
    head,
    join,
    offset,
    patterns,
    rename,
    replace,
    sample,
    sort,
    stats,
    tail,
    timechart,
    top,
    transaction,
    unpack,
    where,
)

PIPES: Final[dict[str, Callable[[Cursor], Pipe]]] = {
    "anomalies": anomalies.parse,
    "compare": compare.parse,
    "context": context.parse,
    "dedup": dedup.parse,
    "drop": drop.parse,
    "eval": eval.parse,
    "extract": extract.parse_extract,
    "extract_regexp": extract.parse_regexp,
    "facets": facets.parse,
    "field_names": field_names.parse,
    "fields": fields.parse,
    "filter": filter.parse,
    "head": head.parse,
    "join": join.parse,
    "limit": head.parse,
    "offset": offset.parse,
    "patterns": patterns.parse,
    "rare": top.parse_rare,
    "rename": rename.parse,
    "replace": replace.parse_replace,
    "replace_regexp": replace.parse_regexp,
    "sample": sample.parse,
    "skip": offset.parse,
    "sort": sort.parse,
    "stats": stats.parse,
    "tail": tail.parse,
    "timechart": timechart.parse,
    "top": top.parse_top,
    "transaction": transaction.parse,
    "uniq": dedup.parse,
    "unpack": unpack.parse,
    "where": where.parse,
}

_OF_NAMES = ("dedup", "drop", "fields", "rare", "top", "transaction", "uniq", "unpack")


def parse_pipe(cursor: Cursor) -> Pipe:
    """A pipe, from its name to its end.

    Raises:
        QuerySyntaxError: it is none.
    """
    if cursor.sees("|"):
        cursor.fail("expected the name of a pipe: for || write OR, in expressions or")
    start = cursor.here
    name = cursor.name("the name of a pipe, such as stats").lower()
    if name not in PIPES:
        cursor.fail(f"there is no pipe {name!r}{pipe_hint(name, PIPES)}", start)
    pipe = PIPES[name](cursor)
    if not cursor.at_end():
        wanted = "'|' or the end of the query"
        hint = _hint(cursor, of_names=name in _OF_NAMES)
        cursor.fail(f"expected {wanted}, found {cursor.here.shown}{hint}")
    return pipe


def _hint(cursor: Cursor, *, of_names: bool) -> str:
    """What to say about what stands behind a whole pipe, behind that."""
    here = cursor.here
    is_word = here.mark is Mark.NAME and not here.is_quoted
    word = here.text.lower() if is_word else ""
    found = behind_hint(word)
    if not found and word not in PIPES:
        found = cursor.meant()
    if found:
        return found
    if of_names and cursor.sees_name():
        pipe = f", or | {word}" if word in PIPES else ""
        return f": write a comma between names{pipe}"
    if word in PIPES:
        return f": write | {word}"
    near = nearest(word, PIPES)
    return f": did you mean | {near}?" if near else ""
