"""The seam for other engines: what a filter means is settled before it becomes SQL."""

import re
from pathlib import Path

import pytest

from logstream.query import parse
from logstream.query.clickhouse import filter_sql
from logstream.query.dialects import Dialect, EngineSql
from tests.query.test_query_docs import rows

QUERY = Path(__file__).resolve().parents[2] / "logstream/query"


def texts(raw: str) -> str:
    return (
        "arrayMap(r -> if(JSONType(r) = 'String', JSONExtractString(r), r), "
        f"arrayFilter(r -> JSONType(r) NOT IN ('Null', 'Object', 'Array'), {raw}))"
    )


def values(raw: str) -> str:
    return texts(f"if(JSONType({raw}) = 'Array', JSONExtractArrayRaw({raw}), [{raw}])")


A = "JSONExtractRaw(fields, {p1:String})"
WAYS = (
    "if(JSONType(JSONExtractRaw(fields, {p0:String}, {p1:String})) != 'Null', "
    "JSONExtractRaw(fields, {p0:String}, {p1:String}), "
    "JSONExtractRaw(fields, {p2:String}))"
)
SPOKEN = (
    "(position(lowerUTF8(message), {p0:String}) > 0) AND "
    "(match(lowerUTF8(message), {p1:String}))"
)
MOMENTS = (
    "timestamp BETWEEN fromUnixTimestamp64Nano({p0:Int64}) "
    "AND fromUnixTimestamp64Nano({p1:Int64})"
)
HAS = "arrayExists(t -> has({p0:Array(String)}, t), " + values(A) + ")"
NUMBER = "ifNull(toFloat64OrNull(t) BETWEEN {p0:Float64} AND {p1:Float64}, FALSE)"
TABLE: list[tuple[str, str, list[object]]] = [
    ("*", "TRUE", []),
    ("*err*", "position(lowerUTF8(message), {p0:String}) > 0", ["err"]),
    ("err", SPOKEN, ["err", "(?:^|[^a-z0-9_])err(?:$|[^a-z0-9_])"]),
    ("id:5", "id BETWEEN {p0:Int64} AND {p0:Int64}", [5]),
    ("id:in(1, 2)", "has({p0:Array(Int64)}, id)", [(1, 2)]),
    ("level:>=error", "has({p0:Array(String)}, level)", [("error", "fatal")]),
    ("source:<b", "(source < {p0:String})", ["b"]),
    ("source:a*", "match(source, {p0:String})", [r"\A(?s:a.*)\z"]),
    ("_time:2025-05-13", MOMENTS, [1747094400000000000, 1747180799999999999]),
    ("a:*", "JSONType(JSONExtractRaw(fields, {p0:String})) != 'Null'", ["a"]),
    ("a.b:*", f"JSONType({WAYS}) != 'Null'", ["a", "b", "a.b"]),
    ("a:x", HAS, [("x",), "a"]),
    ("NOT a:x", f"NOT ({HAS})", [("x",), "a"]),
    ("a:x OR a:y", f"({HAS})", [("x", "y"), "a"]),
    ("a:null", f"({HAS}) OR (JSONType({A}) = 'Null')", [("null",), "a"]),
    (
        "a:x?",
        f"arrayExists(t -> match(t, {{p0:String}}), {values(A)})",
        [r"\A(?s:x.)\z", "a"],
    ),
    (
        "a:/x/",
        f"arrayExists(t -> match(t, {{p0:String}}), {values(A)})",
        [r"\x{78}", "a"],
    ),
    ("a:>=x", f"arrayExists(t -> (t >= {{p0:String}}), {values(A)})", ["x", "a"]),
    (
        "a:[1 TO 2]",
        f"arrayExists(t -> {NUMBER}, {values(A.replace('p1', 'p2'))})",
        [1.0, 2.0, "a"],
    ),
]


@pytest.mark.parametrize(("text", "sql", "params"), TABLE)
def test_a_filter_in_the_sql_of_clickhouse(
    text: str, sql: str, params: list[object]
) -> None:
    named = {f"p{at}": value for at, value in enumerate(params)}
    assert filter_sql(parse(text)) == EngineSql(sql, named)


LITERALS = {"Null", "Object", "Array", "String", "", "-", "[0-9]"}
QUERIES = [query for query, _, _ in rows()]


def check(found: EngineSql) -> None:
    """Each value has a name, and no text stands in quotes that is not our own."""
    named = re.findall(r"\{(p[0-9]+):[A-Z][A-Za-z0-9()]+\}", found.text)
    assert set(named) == set(found.params)
    assert set(re.findall(r"'([^']*)'", found.text)) <= LITERALS
    assert "?" not in found.text


@pytest.mark.parametrize("query", QUERIES)
def test_every_kind_of_filter_has_its_sql(query: str) -> None:
    check(filter_sql(parse(query)))


FORMS = (
    *("{}", "{}:a", "a:{}", "a:>={}", "a:[{} TO *]", "a:in({}, b)", "*:{}"),
    *("source:{}", "message:={}", "level:{}", "a:~{}"),
)
HOSTILE = ("x' OR 1=1 --", "?", "{p0:String}", "\\'", "a;b", "`", "/*", "%", "$1")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_is_in_the_text(form: str, value: str) -> None:
    given = f"zq7{re.escape(value) if form == 'a:~{}' else value}"
    quoted = '"' + given.replace("\\", "\\\\").replace('"', '\\"') + '"'
    found = filter_sql(parse(form.replace("{}", quoted)))
    check(found)
    assert "zq7" not in found.text
    assert form == "a:~{}" or "zq7" in str(found.params)


def test_clickhouse_is_a_dialect() -> None:
    dialect: Dialect = filter_sql
    assert dialect(parse("*")) == EngineSql("TRUE")


SQL_FUNCTION = re.compile(
    r"\b(variant_\w+|json_\w+|list_\w+|regexp_\w+|epoch_\w+|make_timestamp_ns|strftime|"
    r"quantile_cont|arg_max|arg_min|approx_\w+|split_part|string_split|row_number|"
    r"concat_ws|time_bucket)\("
)
DUCKDB = {
    *(
        "filter",
        "tables",
        "sql",
        "any_field",
        "field_tests",
        "field_sql",
        "field_forms",
        "patching",
        "grouping",
        "value_tests",
        "spoken",
        "values",
        "entry_fields",
        "templates",
        "varying",
    ),
    *("expressions/functions", "expressions/time_functions", "expressions/sql"),
    "expressions/aggregates",
    *("pipes/anomalies", "pipes/columns", "pipes/compare", "pipes/dedup"),
    *("pipes/facets", "pipes/field_names", "pipes/patterns", "pipes/replace"),
    *("pipes/timechart", "pipes/transaction", "pipes/unpack"),
}
"""Where DuckDB's own functions are named; see docs/adr."""


def test_functions_of_duckdb_are_named_in_known_places() -> None:
    """Who writes a dialect of pipes has these files to say again, and no others."""
    found = set()
    for path in QUERY.rglob("*.py"):
        code = re.sub(r'"""[\s\S]*?"""', "", path.read_text(encoding="utf-8"))
        if SQL_FUNCTION.search(code):
            found.add(path.relative_to(QUERY).with_suffix("").as_posix())
    assert found == DUCKDB
