"""What holds for every query: it prints as it parses, and SQL and Python agree."""

import random
from collections.abc import Callable
from typing import Any, Protocol

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logstream.core.entry import Entry
from logstream.core.errors import BadRequest, QuerySyntaxError
from logstream.core.levels import LEVELS
from logstream.core.sql import Sql
from logstream.core.timestamps import format_ns
from logstream.query import (
    All,
    Anywhere,
    Bound,
    Compare,
    Exists,
    Expr,
    Filter,
    In,
    Layout,
    Match,
    Not,
    Range,
    Regex,
    Says,
    Wild,
    all_of,
    any_of,
    compile_expr,
    compile_filter,
    glob_of,
    parse,
)

NOT_ITS_FORM = (
    duckdb.ConversionException,
    duckdb.NotImplementedException,
    duckdb.InvalidInputException,
)
"""What the fast form fails with."""

MILLENNIUM_NS = 946_684_800 * 10**9

KEYS = [
    "took_ms",
    "a",
    "b",
    "a.b",
    "a.b.c",
    "c",
    "status",
    "",
    "é",
    'q"',
    "[0]",
    "$",
    "A",
    "id",
]
NAMES = ["took_ms", *KEYS, "b.a", "a.c", "fields.a", "fields.id", "fields", "c.", ".c"]
NUMBERS = [0, 1, -1, 5, 5.0, 5.5, 500, -0.0, 1e16, 1e300, 1e-7, 2**53 + 1, 2**64 - 1]
TEXTS = [
    *("", "5", "5.0", "05", " 5 ", "+5", "5e0", "1_0", "1.10", "1e400", "nan", "inf"),
    *("-0", ".5", "5.", "0x5", "true", "false", "null", "5,0", "\u00a05", "+-5"),
    *("web-1", "web-2", "Web-1", "a%b", "a_b", "a\\b", "a*b", "a?b", "a\nb", "[a]"),
    *(
        "250ms",
        "1.5s",
        "3h2m",
        "-1m",
        "2\u00b5s",
        "1h 2m",
        "10MB",
        "1.5 KiB",
        "10",
        "ms",
    ),
    *("10.0.0.1", "10.1.2.3", "::ffff:10.0.0.1", "2001:db8::1", "2001:DB8:0::0:1"),
    *("10.0.0.256", "010.0.0.1", "::", "::1", "1::2::3", "10.0.0.0/8", "2001:db8::/32"),
    *("[1]", '["a"]', "[a", "a\n", "Aa", "1e16", "1e-07"),
    *("{a}", "[", "{", "[]", "{}", "é", "É", "😀", "aaa", "abab", '"', "z", "~"),
]
WORDS = [
    *("error", "Error", "ERROR:", "terrorist", "err", "or", "_error", "error_", "x.y"),
    *("İ", "I", "ΟΔΟΣ", "οδος", "ß", "ẞ", "é", "\u212a", "k", "a*b", "user=", "=bob"),
    *(" ", " ", " ", "\n", "\t", "\v", "\u00a0", "-", ".", "(", '"', "\\", "7", "^$"),
]

any_text = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6
)
texts = st.sampled_from(TEXTS) | any_text
numbers = st.sampled_from(NUMBERS) | st.floats(allow_nan=False, allow_infinity=False)
integers = st.integers(-(2**63), 2**64 - 1)
scalars = texts | numbers | integers | st.booleans() | st.none()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=5,
)
messages = st.lists(st.sampled_from(WORDS) | any_text, max_size=6).map("".join)
sources = st.sampled_from(["auth", "Auth", "web", "web-1", "5", ""])
levels = st.sampled_from([*LEVELS, "audit", "5"])
instants = st.sampled_from([0, 1, 999, 10**9]).map(lambda ns: MILLENNIUM_NS + ns)

entries = st.builds(
    Entry,
    id=st.integers(1, 3) | st.integers(1, 2**63 - 1),
    timestamp=instants.map(format_ns),
    source=sources,
    level=levels,
    message=messages,
    fields=st.dictionaries(st.sampled_from(KEYS), values, max_size=4),
)


def globs(pieces: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.lists(pieces | st.sampled_from(Wild), max_size=5).map(
        lambda parts: glob_of(*parts)
    )


operands = texts | numbers.map(repr) | integers.map(str)
names = st.sampled_from(NAMES)
operators = st.sampled_from(["=", ">", ">=", "<", "<="])
bounds = st.builds(Bound, operands, st.booleans())
open_bounds = st.none() | bounds


def ranges(names: Any, bounds: Any) -> st.SearchStrategy[Expr]:
    ends = st.tuples(st.none() | bounds, st.none() | bounds)
    return st.builds(
        lambda name, pair: Range(name, *pair),
        names,
        ends.filter(lambda pair: pair != (None, None)),
    )


def on_column(
    name: str, operands: st.SearchStrategy[str], *, wild: bool = False
) -> st.SearchStrategy[Expr]:
    column = st.just(name)
    matched = globs(operands).filter(lambda glob: not glob.is_any)
    return st.one_of(
        st.builds(Compare, column, operators, operands),
        ranges(column, st.builds(Bound, operands, st.booleans())),
        st.builds(Match, column, matched if wild else operands.map(glob_of)),
        st.builds(Exists, column),
    )


says = globs(st.sampled_from(WORDS) | any_text).filter(
    lambda glob: bool(glob.parts) and not glob.is_any
)
NETWORKS = [
    *("10.0.0.0/8", "10.0.0.0/9", "10.0.0.1/32", "0.0.0.0/0", "10.1.0.0/15", "::/0"),
    *("2001:db8::/32", "::1/128", "2001:db8::/33", "10.0.0.0/33", "fe80::/10"),
]
networks = st.sampled_from(NETWORKS)
quantities = st.sampled_from(
    ["250ms", "1.5s", "0s", "3h2m", "-1m", "10MB", "1KiB", "0b", "1000", "2us", "1w"]
)
PATTERNS = [
    *(
        "a",
        "^a",
        "a$",
        "^a$",
        r"\bweb\b",
        r"\d+",
        r"[^a-z]",
        "a|e",
        "(a|b)*c?",
        "(a+)+$",
    ),
    *(r"\Bb", "a.b", "^$", "é", r"\s", r"[\w-]{3,}", "a{2}", "(ab){2,3}", "x*", r"\."),
    *(
        "[A-F]",
        "ß",
        "\u212a",
        "k",
        "İ",
        r"\S\W",
        "$^",
        r"(\b)*a",
        "[é-ü]",
        r"\/",
        "a/b",
    ),
]
patterns = st.sampled_from(PATTERNS)
flags = st.sampled_from(["", "i", "s", "is"])
dates = st.sampled_from(["2000-01-01", "2000-01", "1999-12-31", "now-1h", "today"])
level_names = st.sampled_from([*LEVELS, "WARNING", "Err", "crit", "4"])
leaves: st.SearchStrategy[Expr] = st.one_of(
    st.builds(Says, says),
    st.builds(Says, says),
    st.builds(Match, names, globs(texts).filter(lambda glob: not glob.is_any)),
    st.builds(Match, names, operands.map(glob_of)),
    st.builds(Compare, names, operators, operands),
    ranges(names, bounds),
    st.builds(Exists, names),
    st.builds(Match, names, networks.map(glob_of)),
    st.builds(Compare, names, operators, quantities),
    ranges(names, st.builds(Bound, quantities, st.booleans())),
    st.builds(In, names, st.lists(operands | networks, min_size=1).map(tuple)),
    st.builds(Regex, names, patterns, flags),
    st.builds(Regex, st.sampled_from(["message", "level", "source"]), patterns, flags),
    st.builds(Anywhere, globs(texts).filter(lambda g: bool(g.parts) and not g.is_any)),
    st.builds(Anywhere, operands.filter(bool).map(glob_of)),
    st.builds(In, st.just("level"), st.lists(level_names, min_size=1).map(tuple)),
    on_column("level", level_names),
    st.builds(Match, st.just("level"), globs(levels).filter(lambda g: not g.is_any)),
    st.builds(Match, st.just("level"), texts.map(glob_of)),
    on_column("source", sources, wild=True),
    on_column("message", messages, wild=True),
    on_column("id", st.sampled_from(["0", "1", "2", "3", "0003", str(2**63 - 1)])),
    on_column("timestamp", instants.map(format_ns) | dates),
    st.just(All()),
).filter(lambda leaf: getattr(leaf, "field", "") != "id" or leaf_is_of_ids(leaf))


def leaf_is_of_ids(leaf: Any) -> bool:
    """The name `id` also stands among the fields' names, with other operands."""
    try:
        compile_expr(leaf)
    except BadRequest:
        return False
    return True


exprs = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.lists(inner, min_size=2, max_size=4).map(lambda terms: all_of(*terms)),
        st.lists(inner, min_size=2, max_size=4).map(lambda terms: any_of(*terms)),
    ),
    max_leaves=6,
)


class Store(Protocol):
    def hold(self, entries: list[Entry]) -> None: ...
    def finds(self, sql: Sql) -> list[bool]: ...


def python_finds(query: Filter, entries: list[Entry]) -> list[bool]:
    return [query.matches(entry) for entry in entries]


@given(exprs)
def test_printing_then_parsing_is_the_identity(expr: Expr) -> None:
    """Whatever a query can say, its text says too."""
    assert parse(str(expr)) == expr


@given(st.text(st.sampled_from(list('ab1 :>=<*?"\\()[]{}-|~\nTOANDRé.,\0/in'))))
def test_any_text_is_a_query_or_a_clear_error(text: str) -> None:
    """And the offset of the error lies in the text, or right behind it."""
    try:
        expr = parse(text)
    except QuerySyntaxError as raised:
        error = raised
    else:
        assert parse(str(expr)) == expr
        return
    assert 0 <= error.offset <= len(text)
    assert str(error).endswith(f" (character {error.offset + 1})")


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(entries, min_size=1, max_size=8), st.lists(exprs, min_size=1, max_size=6)
)
def test_sql_and_python_agree(
    store: Store, entries: list[Entry], exprs: list[Expr]
) -> None:
    """Entry by entry, for any query; and the SQL is never NULL."""
    store.hold(entries)
    for expr in exprs:
        query = compile_expr(expr)
        assert store.finds(query.sql) == python_finds(query, entries), query


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(entries, min_size=1, max_size=6), exprs)
def test_what_is_known_of_the_entries_changes_no_answer(
    store: Store, entries: list[Entry], expr: Expr
) -> None:
    store.hold(entries)
    keys = {key for entry in entries for key in entry.fields}
    query = compile_expr(expr)
    expected = python_finds(query, entries)
    assert store.finds(query.sql_for(Layout(keys=keys))) == expected
    try:
        found = store.finds(query.sql_for(Layout(keys=keys, hopeful=True)))
    except NOT_ITS_FORM:
        return
    assert found == expected


def _lifelike(seed: int, count: int) -> list[Entry]:
    """Entries of three shapes in turn, so that columns are shredded in part."""
    rnd = random.Random(seed)
    shapes: list[Callable[[], dict[str, Any]]] = [
        lambda: {"status": rnd.choice([200, 404, 500]), "a": {"b": rnd.randrange(9)}},
        lambda: {"status": rnd.choice(["500", "ok", "05", 5.5]), "a.b": "5"},
        lambda: {"c": rnd.choice(TEXTS), "é": rnd.choice([True, 1, 0.0, None, [1]])},
    ]
    return [
        Entry(
            id=index + 1,
            timestamp=format_ns(MILLENNIUM_NS + index),
            source=rnd.choice(["auth", "web"]),
            level=rnd.choice(LEVELS),
            message=" ".join(rnd.choices(WORDS, k=3)),
            fields=shapes[index * 3 // count](),
        )
        for index in range(count)
    ]


LIFELIKE = _lifelike(1, 3000)


@pytest.fixture(scope="module")
def sealed_day(sealed: Any) -> Any:
    sealed.hold(LIFELIKE)
    sealed.db.execute("CHECKPOINT day")
    return sealed


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(exprs)
def test_shredded_storage_changes_no_answer(sealed_day: Store, expr: Expr) -> None:
    """Pruning and pushdown only happen on rows that were written by a checkpoint."""
    query = compile_expr(expr)
    expected = python_finds(query, LIFELIKE)
    assert sealed_day.finds(query.sql) == expected
    try:
        found = sealed_day.finds(query.fast_sql)
    except NOT_ITS_FORM:
        return
    assert found == expected


@pytest.mark.parametrize(
    "text",
    [
        *("status:500", "status:>=500", "status:[5 TO 300]", "-status:500", "status:*"),
        *("a.b:5", "a.b:>4", "-a.b:*", "c:*b", "c:web-?", "c:>=web", "é:1", "é:>=1"),
        *("é:true", "é:<1", "c:{Web TO [}", "missing:1", "-missing:>1", "status:ok"),
    ],
)
def test_shredded_storage_answers_common_queries(sealed_day: Store, text: str) -> None:
    query = compile_filter(text)
    expected = python_finds(query, LIFELIKE)
    assert sealed_day.finds(query.sql) == expected
    assert any(expected) != (text == "missing:1")
    known = Layout(keys={"status", "a", "a.b", "c", "é"}, hopeful=True)
    try:
        assert sealed_day.finds(query.sql_for(known)) == expected
    except NOT_ITS_FORM:
        assert text[:6] in ("status", "a.b:>4") or text[0] == "é"
