"""Queries to try, as text, and entries that they find something in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from logstream.core.entry import Entry

Draw = Any
"""What a composite strategy draws with."""

TAME = st.integers(-5, 9) | st.integers(-20, 40).map(lambda one: one / 4)
"""Their sums are exact in any order."""
EXTREME = st.sampled_from(
    [0, -0.0, 1e-7, 1e16, 1e100, -1e100, 2**53 + 1, 2**63, 2**64 - 1, -(2**63), 0.1]
)
TEXTS = st.sampled_from(
    [
        *(
            "",
            "a",
            "A",
            "ab",
            "b",
            "é",
            "É",
            "a b",
            "aaa",
            "a/b/c",
            "it's",
            '"q"',
            "😀",
        ),
        *("5", "5.0", "-3", " 7 ", "1e3", "0x5", "nan", "inf", "-Infinity", "1e400"),
        *("true", "TRUE", "false", "no", "null", "[1]", "{}", "10.0.0.1", "\\", "a%b"),
    ]
)
SCALARS = TEXTS | TAME | EXTREME | st.booleans() | st.none()
OBJECTS = st.dictionaries(st.sampled_from(["k", "l", "K"]), SCALARS, max_size=2)
ANY = SCALARS | OBJECTS | st.lists(SCALARS, max_size=2)

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "n": TAME | TAME.map(str),
    "t": TEXTS,
    "m": ANY,
    "x": EXTREME | TAME,
    "o": OBJECTS | st.dictionaries(st.just("k"), OBJECTS, max_size=1),
    "o.k": SCALARS,
    "é b": TEXTS | TAME,
}
OWN = ("source", "level", "message")
NAMES = (*FIELDS, *OWN, "o.k.l", "fields.t", "gone")

fields = st.fixed_dictionaries({}, optional=dict(FIELDS))
begun = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, DAY = 3600, 86_400
moments = st.sampled_from(
    [
        *(0, 1, 59, 60, 299, 300, HOUR - 1, HOUR, 2 * HOUR + 5),
        # Before and after what is asked about.
        *(-1, -HOUR, -3 * HOUR, 60 - DAY, -DAY, -2 * DAY, 3 * HOUR, DAY + 60),
    ]
)


class Drawn(msgspec.Struct, frozen=True):
    """An entry of some day."""

    second: int
    source: str
    level: str
    message: str
    fields: dict[str, Any]

    def entry(self, day: int, number: int) -> Entry:
        """Of a day, with an id."""
        when = begun + timedelta(days=day, seconds=self.second)
        return Entry(
            id=number,
            timestamp=when.strftime("%Y-%m-%dT%H:%M:%SZ"),
            source=self.source,
            level=self.level,
            message=self.message,
            fields=self.fields,
        )


entries = st.builds(
    Drawn,
    second=moments,
    source=st.sampled_from(["web", "auth"]),
    level=st.sampled_from(["info", "error"]),
    message=st.sampled_from(
        [
            *("login a", "Error: b", "", "GET /a 200", "GET /b 404", "é 5", "5"),
            *('t=7 n="a b" m="\\"q\\"" t=8', "n=12.5 from 10.0.0.1:80 at 12:00:01"),
            *("0xdeadbeef 2026-01-01T10:00:00Z 1,5", "cafe0123 a1b2 é1 1é"),
            '{"n": 3, "t": "js", "o": {"l": 1, "k": null}, "m": [1], "x": true}',
            '{"o": {"k": {"l": "deep"}}, "m": {"k": 2}, "n": null, "t": "5"}',
            *('{"o": 5, "u": 1.5, "source": "s"}', '[{"n": 1}]', '"t"', '{"n": 3'),
        ]
    ),
    fields=fields,
)

FILTERS = st.sampled_from(
    [
        *("*", "*", "*", "level:error", "source:web", "n:>2", "t:a*", "-m:true", "x:*"),
        *("o.k:a OR n:<3", "*:5", "m:null", "-(level:error source:web)", "t:/^a/i"),
    ]
)

TIMES = st.sampled_from(
    ["_time:>=@60", "_time:[@-3600 TO @3600}", "_time:<@300", "NOT _time:@1"]
)
"""@n is n seconds behind the begin of what is asked about."""


def name_text(name: str) -> str:
    plain = name.isascii() and " " not in name
    return name if plain and name != "in" else f"`{name}`"


def names_of(names: list[str]) -> str:
    return ", ".join(map(name_text, names))


def some(draw: Draw, of: list[str], most: int = 3) -> list[str]:
    return list(
        draw(st.lists(st.sampled_from(of), min_size=1, max_size=most, unique=True))
    )


class Names(msgspec.Struct):
    """What may be named, at some point of a query."""

    is_open: bool = True
    columns: dict[str, str] = {}
    """What was made, by kind: any, time or json."""
    gone: set[str] = set()

    @property
    def usable(self) -> list[str]:
        """In expressions."""
        found = [name for name, kind in self.columns.items() if kind == "any"]
        if self.is_open:
            found += [one for one in NAMES if one not in self.columns]
        return found

    @property
    def there(self) -> list[str]:
        return [*dict.fromkeys((*self.columns, *self.usable))]


@st.composite
def quoted(draw: Draw) -> str:
    text: str = draw(TEXTS)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


numbers = st.sampled_from(["0", "1", "2.5", "7", "1e3", "5m", "90s", "4KiB", "0.25"])


@st.composite
def terms(draw: Draw, names: list[str], depth: int = 2) -> str:
    """Something that has a value."""
    leaf = [numbers, quoted(), st.sampled_from(["true", "null", "false"])]
    if names:
        of_names = st.sampled_from(names).map(name_text)
        leaf = [of_names, of_names, of_names, *leaf]
    if depth == 0 or draw(st.booleans()):
        found: str = draw(st.one_of(leaf))
        return found
    inner = terms(names, depth - 1)
    form = draw(st.sampled_from(_FORMS))
    return _filled(draw, form, inner)


def _filled(draw: Draw, form: str, inner: st.SearchStrategy[str]) -> str:
    first, *others = form.split("{}")
    return first + "".join(draw(inner) + other for other in others)


_FORMS = (
    *("({} + {})", "({} - {})", "({} * {})", "({} / {})", "({} % {})", "(-{})"),
    *("abs({})", "floor({})", "ceil({})", "round({})", "round({}, 1)", "sqrt({})"),
    *("ln({})", "log2({})", "least({}, {}, 3)", "greatest({}, {})", "number({})"),
    *("lower({})", "upper({})", "trim({})", "text({})", "md5({})", "length({})"),
    *('replace({}, "a", {})', 'split({}, "/", 2)', "substr({}, 2)", "substr({}, 1, 2)"),
    *("concat({}, {})", "contains({}, {})", "starts_with({}, {})", "ends_with({}, {})"),
    *("if({}, {}, {})", "if({} > {}, {})", "case({}, {}, {}, {}, {})", "bucket({}, 2)"),
    *("coalesce({}, {})", "null_if({}, {})", "is_null({})", "exists({})"),
)
_TESTS = (
    *("{} = {}", "{} != {}", "{} < {}", "{} <= {}", "{} > {}", "{} >= {}"),
    *('{} ~ "^[a-e]"', '{} !~ "5$"', "{} in ({}, {})", "{} not in ({}, 5)", "({})"),
    *("{} is null", "{} is not null"),
)


@st.composite
def conditions(draw: Draw, names: list[str], depth: int = 2) -> str:
    """What holds or not."""
    kind = draw(st.sampled_from(["and", "or", "not", "one", "one", "one"]))
    if depth == 0 or kind == "one":
        return _filled(draw, draw(st.sampled_from(_TESTS)), terms(names, 1))
    inner = conditions(names, depth - 1)
    if kind == "not":
        return f"not ({draw(inner)})"
    return f"(({draw(inner)}) {kind} ({draw(inner)}))"
