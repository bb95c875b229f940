"""Filters in the SQL of ClickHouse: text, and values beside it as typed parameters.

The table is `id Int64, timestamp DateTime64(9), source, level, message, fields String`,
with the fields as JSON text: a path into a column of type JSON would be SQL text, and
with functions on JSON text it is a parameter.

A value is an array of texts here: one for a value, one for each element of an array,
none for what is missing, null or an object. So each condition is said once.
"""

from collections.abc import Sequence
from typing import Any, assert_never

from logstream.core.sql import TRUE, Sql
from logstream.query.conditions import (
    Absent,
    Always,
    Condition,
    Either,
    Fits,
    IdBetween,
    IdIn,
    InAnyField,
    InNetwork,
    Like,
    NumberBetween,
    OfText,
    OneOf,
    Present,
    QuantityBetween,
    Speaks,
    TextBetween,
    TimeBetween,
)
from logstream.query.dialects import EngineSql
from logstream.query.fragments import FALSE, join, of, text_between
from logstream.query.glob import Glob, Wild
from logstream.query.meaning import condition_of
from logstream.query.names import Column, Path
from logstream.query.networks import V6, v4_pattern, v6_ends
from logstream.query.nodes import And, Expr, Not, Or, fold_tree
from logstream.query.options import with_options_merged
from logstream.query.quantities import DURATION, SIZE, UNITS
from logstream.query.regexps import found_by_re2
from logstream.query.words import escape, words_of

_UNIT = r"([0-9]+(?:\.[0-9]+)?)(us|\x{b5}s|\x{3bc}s|ms|ns|w|d|h|m|s)"
_SCALARS = r'("(?:[^"\\]|\\.)*"|[^\s{}\[\],:"]+)\s*(:?)'
"""Of JSON text; a colon stands behind what is a key."""


def filter_sql(expr: Expr) -> EngineSql:
    """TRUE or FALSE for any entry. Times that depend on now mean that of the call.

    Raises:
        BadRequest: see `condition_of`.
    """

    def visit(node: Expr, inner: Sequence[Sql]) -> Sql:
        match node:
            case And():
                return join(" AND ", inner)
            case Or(terms):
                stays, merged = with_options_merged(terms, inner)
                return join(" OR ", [*stays, *map(_condition, merged)])
            case Not():
                return of("NOT ({})", inner[0])
            case _:
                return _condition(condition_of(node))

    return _named(fold_tree(expr, visit))


def _named(sql: Sql) -> EngineSql:
    """With a name and a type for each value; the same ones have one name."""
    text, *others = sql.text.split("?")
    names: dict[tuple[str, Any], str] = {}
    for value, other in zip(sql.params, others, strict=True):
        kind = _type_of(value)
        name = names.setdefault((kind, value), f"p{len(names)}")
        text += f"{{{name}:{kind}}}{other}"
    return EngineSql(text, {name: value for (_, value), name in names.items()})


def _type_of(value: Any) -> str:
    match value:
        case str():
            return "String"
        case int():
            return "Int64"
        case float():
            return "Float64"
        case _:
            return f"Array({_type_of(value[0])})"


def _condition(condition: Condition) -> Sql:
    match condition:
        case Always():
            return TRUE
        case Speaks(glob):
            return _speaks(glob)
        case IdBetween(low, high):
            return of("id BETWEEN ? AND ?", low, high)
        case IdIn(ids):
            return Sql("has(?, id)", (ids,))
        case TimeBetween(low_ns, high_ns):
            ends = "fromUnixTimestamp64Nano(?) AND fromUnixTimestamp64Nano(?)"
            return of(f"timestamp BETWEEN {ends}", low_ns, high_ns)
        case Either(conditions):
            return join(" OR ", [_condition(one) for one in conditions])
        case _:
            return _of_fields(condition)


def _of_fields(
    condition: Present | Absent | NumberBetween | InAnyField | OfText,
) -> Sql:
    match condition:
        case Present(path):
            return of("JSONType({}) != 'Null'", _raw(path))
        case Absent(path):
            return of("JSONType({}) = 'Null'", _raw(path))
        case InAnyField(texts, glob):
            any_path = Path((("",),))
            test = OneOf(any_path, texts) if glob is None else Like(any_path, glob)
            return _any_of(_texts(_any_raw()), test)
        case NumberBetween(path):
            return _any_of(_texts(_elements(path)), condition)
        case _:
            if isinstance(condition.subject, Column):
                return _test(condition, Sql(condition.subject.name))
            return _any_of(_texts(_elements(condition.subject)), condition)


def _speaks(glob: Glob) -> Sql:
    words = words_of(glob)
    holds = Sql("position(lowerUTF8(message), ?) > 0", (words.needle,))
    if words.is_plain:
        return holds
    matches = Sql("match(lowerUTF8(message), ?)", (words.re2(),))
    return join(" AND ", (holds, matches)) if words.needle else matches


def _raw(path: Path) -> Sql:
    """The value as JSON text, of the first way that leads to one; else empty."""
    ways = [Sql(f"JSONExtractRaw(fields{', ?' * len(way)})", way) for way in path.ways]
    if len(ways) == 1:
        return ways[0]
    return of("if(JSONType({}) != 'Null', {}, {})", ways[0], ways[0], ways[1])


def _elements(path: Path) -> Sql:
    raw = _raw(path)
    return of(
        "if(JSONType({}) = 'Array', JSONExtractArrayRaw({}), [{}])", raw, raw, raw
    )


def _any_raw() -> Sql:
    """All that is in the fields, at any depth."""
    found = Sql("extractAllGroupsVertical(fields, ?)", (_SCALARS,))
    return of("arrayMap(g -> g[1], arrayFilter(g -> g[2] = '', {}))", found)


def _texts(raw: Sql) -> Sql:
    return of(
        "arrayMap(r -> if(JSONType(r) = 'String', JSONExtractString(r), r), "
        "arrayFilter(r -> JSONType(r) NOT IN ('Null', 'Object', 'Array'), {}))",
        raw,
    )


def _any_of(texts: Sql, condition: OfText | NumberBetween) -> Sql:
    return of("arrayExists(t -> {}, {})", _test(condition, Sql("t")), texts)


def _test(condition: OfText | NumberBetween, text: Sql) -> Sql:
    match condition:
        case OneOf(_, texts):
            return of("has({}, {})", Sql("?", (texts,)), text) if texts else FALSE
        case Like(_, glob):
            return _like(text, glob)
        case TextBetween(_, low, high):
            return text_between(text, low, high)
        case Fits(_, pattern):
            return of("match({}, ?)", text, found_by_re2(pattern))
        case NumberBetween(_, low_number, high_number):
            return _between(of("toFloat64OrNull({})", text), low_number, high_number)
        case QuantityBetween():
            return _between(_quantity(condition, text), condition.low, condition.high)
        case InNetwork():
            return _in_network(condition, text)
        case _:
            assert_never(condition)


def _between(number: Sql, low: float, high: float) -> Sql:
    return of("ifNull({} BETWEEN ? AND ?, FALSE)", number, float(low), float(high))


def _like(text: Sql, glob: Glob) -> Sql:
    signs = {Wild.ANY: ".*", Wild.ONE: "."}
    pattern = "".join(
        signs[part] if isinstance(part, Wild) else escape(part) for part in glob.parts
    )
    return of("match({}, ?)", text, rf"\A(?s:{pattern})\z")


def _in_network(condition: InNetwork, text: Sql) -> Sql:
    network = condition.network
    if network.version == 4:
        pattern = rf"\A(?:{v4_pattern(network)})\z"
        return of("{} = ? OR match({}, ?)", text, condition.text, text, pattern)
    low, high = v6_ends(network)
    digits = of("lower(hex(IPv6StringToNumOrDefault({})))", text)
    return of(
        "{} = ? OR match({}, ?) AND {} BETWEEN ? AND ?",
        *(text, condition.text, text, rf"\A(?:{V6})\z", digits, low, high),
    )


def _quantity(condition: QuantityBetween, text: Sql) -> Sql:
    number = of("toFloat64OrNull({})", text)
    read = _seconds(text) if condition.kind == "duration" else _bytes(text)
    return of("coalesce({} * ?, {})", number, condition.scale, read)


def _seconds(text: Sql) -> Sql:
    units = {**UNITS["duration"], "\u00b5s": 1e-6, "\u03bcs": 1e-6}
    total = of(
        "arraySum(g -> toFloat64OrZero(g[1]) * transform(g[2], ?, ?, 0.), "
        "extractAllGroupsVertical({}, ?))",
        *(tuple(units), tuple(units.values()), text, _UNIT),
    )
    return of(
        "if(match({}, ?) AND match({}, '[0-9]'), if(startsWith({}, '-'), -1, 1) * {}, "
        "NULL)",
        *(text, rf"\A(?:{DURATION})\z", text, text, total),
    )


def _bytes(text: Sql) -> Sql:
    units = UNITS["size"]
    return of(
        "if(match({}, ?), toFloat64OrNull(extractGroups({}, ?)[1]) * "
        "transform(lower(extractGroups({}, ?)[2]), ?, ?, NULL), NULL)",
        *(text, rf"\A(?:{SIZE})\z", text, SIZE, text, SIZE),
        *(tuple(units), tuple(units.values())),
    )
