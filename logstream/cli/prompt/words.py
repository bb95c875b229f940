"""What may stand at the cursor: for completion. Text in, words out."""

import re
from collections.abc import Iterable, Sequence

import msgspec

from logstream.core.levels import LEVELS
from logstream.query.expressions.aggregates import AGGREGATES
from logstream.query.expressions.functions import FUNCTIONS
from logstream.query.pipes.registry import PIPES

HELP, QUIT = "\\help", "\\quit"
COMMANDS = (HELP, QUIT)

COLUMNS = ("timestamp", "source", "level", "message")
_WORD = re.compile(r"[\w.@\\-]*\Z")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_VALUE = re.compile(r"(?:^|[\s(])(source|level):([\w.@-]*)\Z")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"?|\'(?:[^\'\\]|\\.)*\'?')
_KEYWORDS = (
    *("SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "HAVING", "LIMIT", "OFFSET"),
    *(
        "DISTINCT",
        "AS",
        "AND",
        "OR",
        "NOT",
        "IN",
        "IS NULL",
        "LIKE",
        "ILIKE",
        "BETWEEN",
    ),
    *(
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "WITH",
        "JOIN",
        "LEFT JOIN",
        "ON",
        "USING",
    ),
    *("UNION ALL", "DESC", "ASC", "count(*)", "sum(", "avg(", "min(", "max("),
    *("date_trunc(", "quantile_cont(", "regexp_extract("),
)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the store has."""

    fields: Sequence[str] = ()
    sources: Sequence[str] = ()
    tables: Sequence[str] = ("logs",)


class Candidates(msgspec.Struct, frozen=True, kw_only=True):
    typed: str
    """The end of the text that a word takes the place of."""
    words: Sequence[str]


def query_words(text: str, known: Known) -> Candidates:
    """For the query language, behind this text."""
    if text.startswith("\\"):
        return _beginning(text, COMMANDS)
    bare = _QUOTED.sub(lambda found: "_" * len(found[0]), text)
    if value := _VALUE.search(bare):
        values = LEVELS if value[1] == "level" else known.sources
        return _beginning(value[2], values)
    typed = _typed(bare)
    head, bar, pipe = bare[: len(bare) - len(typed)].rpartition("|")
    if not bar:
        fields = [f"{name}:" for name in (*COLUMNS, *known.fields)]
        return _beginning(typed, [*fields, "AND", "OR", "NOT"])
    if not pipe.strip():
        return _beginning(typed, sorted(PIPES))
    del head
    calls = [f"{name}(" for name in (*AGGREGATES, *FUNCTIONS)]
    names = (*COLUMNS, *known.fields)
    return _beginning(typed, [*names, "by", "as", *dict.fromkeys(calls)])


def sql_words(text: str, known: Known) -> Candidates:
    """For SQL, behind this text."""
    if text.startswith("\\"):
        return _beginning(text, COMMANDS)
    typed = _typed(_QUOTED.sub(lambda found: "_" * len(found[0]), text))
    before = text[: len(text) - len(typed)].rstrip().upper()
    if before.endswith((" FROM", "JOIN", "\nFROM")):
        return _beginning(typed, known.tables)
    fields = [f"fields.{name}" for name in known.fields if _IDENTIFIER.fullmatch(name)]
    return _beginning(typed, [*COLUMNS, "fields", "id", *fields, *_KEYWORDS])


def _typed(text: str) -> str:
    found = _WORD.search(text)
    return found[0] if found else ""


def _beginning(typed: str, words: Iterable[str]) -> Candidates:
    """Those that go on from what is typed; case does not count."""
    folded = typed.casefold()
    found = [word for word in words if word.casefold().startswith(folded)]
    return Candidates(typed=typed, words=found)
