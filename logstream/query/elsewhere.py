"""What other query languages call things: what to write here instead, for errors."""

import re
from collections.abc import Iterable
from typing import Final

from logstream.config.nearest import nearest

_PIPES: Final = {
    **dict.fromkeys(("table", "keep", "project", "select"), "fields a, b"),
    **dict.fromkeys(("delete", "del", "rm", "remove"), "drop a, b"),
    **dict.fromkeys(("search", "grep"), "filter level:error, or where a = 1"),
    **dict.fromkeys(("order", "order_by", "orderby"), "sort by a desc"),
    **dict.fromkeys(("math", "extend", "set", "label_format"), "eval a = b + 1"),
    **dict.fromkeys(("take", "first"), "head 10"),
    **dict.fromkeys(("last",), "tail 10"),
    **dict.fromkeys(("mv",), "rename a as b"),
    **dict.fromkeys(("distinct",), "dedup a, b"),
    **dict.fromkeys(("chart", "summarize", "aggregate", "group"), "stats count() by a"),
    **dict.fromkeys(
        ("count", "sum", "avg", "min", "max", "count_over_time"), "stats count() by a"
    ),
    **dict.fromkeys(("eventstats", "streamstats"), "stats, and join for its columns"),
    **dict.fromkeys(("bin", "bucket", "hits"), "stats count() by _time(5m)"),
    **dict.fromkeys(("rex", "regexp", "parse", "grok"), 'extract_regexp "(?P<a>\\w+)"'),
    **dict.fromkeys(("pattern",), 'extract "user=<user> from <ip>"'),
    **dict.fromkeys(("spath", "json", "unpack_json", "fromjson"), "unpack json"),
    **dict.fromkeys(("logfmt", "unpack_logfmt", "kv"), "unpack logfmt fields a, b"),
    **dict.fromkeys(("cluster", "collapse_nums"), "patterns"),
    **dict.fromkeys(("fieldsummary", "field_values"), "facets, or field_names"),
    **dict.fromkeys(("stream_context",), "context before 5 after 5"),
    **dict.fromkeys(
        ("anomalydetection", "predict"), "timechart 5m count() | anomalies"
    ),
    **dict.fromkeys(("timewrap", "delta"), "compare 1d"),
    **dict.fromkeys(("lookup",), "join by (a) (another query)"),
    **dict.fromkeys(("format", "line_format"), 'eval message = concat(a, " ", b)'),
    **dict.fromkeys(("fillnull",), 'eval a = coalesce(a, "none")'),
}
_AGGREGATES: Final = {
    **dict.fromkeys(
        ("dc", "distinct_count", "count_distinct", "count_uniq", "cardinality"),
        "uniq(a)",
    ),
    **dict.fromkeys(("estdc", "approx_count_distinct"), "uniq_approx(a)"),
    **dict.fromkeys(("mean", "average", "avg_over_time"), "avg(a)"),
    **dict.fromkeys(("stdev", "std", "stddev_samp"), "stddev(a)"),
    **dict.fromkeys(("perc", "percentile", "pct", "perc95"), "quantile(a, 0.95)"),
    **dict.fromkeys(("quantile_over_time",), "quantile(a, 0.95)"),
    **dict.fromkeys(("uniq_values", "list", "array_agg", "collect"), "values(a)"),
    **dict.fromkeys(("earliest", "row_min"), "first(a)"),
    **dict.fromkeys(("latest", "row_max", "row_any"), "last(a)"),
    **dict.fromkeys(("count_over_time", "hits"), "count()"),
    **dict.fromkeys(("sum_over_time",), "sum(a)"),
    **dict.fromkeys(("rate_sum", "bytes_rate", "bytes_over_time"), "rate(a)"),
    **dict.fromkeys(("limit",), "count() by a limit 5"),
    **dict.fromkeys(("countif",), "count_if(a > 1), or count() if (level:error)"),
}
_QUANTILE = re.compile(r"p(?:erc)?(\d\d?(?:\.\d+)?)")
_FUNCTIONS: Final = {
    **dict.fromkeys(("match", "regexp_matches", "like", "ilike"), 'matches(a, "x+")'),
    **dict.fromkeys(("rex", "regexp_extract", "extract"), 'find(a, "id=([0-9]+)")'),
    **dict.fromkeys(
        ("strftime", "date_format", "format_date"), 'format_time(a, "%H:%M")'
    ),
    **dict.fromkeys(("strptime", "to_time", "to_timestamp", "parse_time"), "time(a)"),
    **dict.fromkeys(("tonumber", "to_number", "toint", "int", "float"), "number(a)"),
    **dict.fromkeys(("tostring", "to_string", "str", "string"), "text(a)"),
    **dict.fromkeys(("len", "strlen", "size"), "length(a)"),
    **dict.fromkeys(("substring", "mid"), "substr(a, 1, 3)"),
    **dict.fromkeys(("isnull", "isempty"), "is_null(a)"),
    **dict.fromkeys(("isnotnull", "isnotempty", "has"), "exists(a)"),
    **dict.fromkeys(("ifnull", "nvl", "default"), 'coalesce(a, "none")'),
    **dict.fromkeys(("nullif",), 'null_if(a, "-")'),
    **dict.fromkeys(("mvindex", "split_part"), 'split(a, "/", 2)'),
    **dict.fromkeys(("includes", "strpos"), 'contains(a, "x")'),
    **dict.fromkeys(("startswith", "prefix"), 'starts_with(a, "x")'),
    **dict.fromkeys(("endswith", "suffix"), 'ends_with(a, "x")'),
    **dict.fromkeys(("iff",), 'if(a > 1, "many", "one")'),
    **dict.fromkeys(("tolower", "lcase"), "lower(a)"),
    **dict.fromkeys(("toupper", "ucase"), "upper(a)"),
    **dict.fromkeys(("relative_time", "time_bucket", "date_trunc"), "bucket(a, 1h)"),
    **dict.fromkeys(("span", "bin"), "bucket(a, 1h)"),
    **dict.fromkeys(("unix_timestamp", "to_unixtime"), "epoch(a)"),
    **dict.fromkeys(
        ("sum", "avg", "min", "max", "count", "median", "uniq", "values"),
        "stats, and compute with its columns in the next pipe",
    ),
}
_OF_STATS: Final = (
    *("count", "count_if", "uniq", "sum", "avg", "min", "max", "median", "stddev"),
    *("p50", "p90", "p95", "p99", "quantile", "first", "last", "values", "rate"),
)
_BEHIND: Final = {
    **dict.fromkeys(("like", "ilike"), 'contains(a, "x"), or a ~ "x.*y"'),
    **dict.fromkeys(("contains", "has"), 'contains(a, "x")'),
    **dict.fromkeys(("matches", "rlike"), 'a ~ "x.*y"'),
    **dict.fromkeys(("startswith", "starts_with"), 'starts_with(a, "x")'),
    **dict.fromkeys(("between",), "a >= 1 and a <= 5"),
    **dict.fromkeys(("span",), "it as in timechart 5m count(), or by _time(5m)"),
    **dict.fromkeys(("having",), "| where n > 1"),
    **dict.fromkeys(("order",), "| sort by n desc"),
    **dict.fromkeys(("descending",), "desc"),
    **dict.fromkeys(("ascending",), "asc"),
    **dict.fromkeys(("group",), "by a"),
}


def pipe_hint(name: str, known: Iterable[str]) -> str:
    """What to say about a name that is no pipe, behind that; empty: nothing."""
    return _hint(_PIPES.get(name), name, known, "")


def aggregate_hint(name: str, known: Iterable[str], option: str | None) -> str:
    """The same; `option` is what could have stood there too, and is near."""
    if option is not None and name not in _AGGREGATES:
        return f": did you mean {option}?"
    if quantile := _QUANTILE.fullmatch(name):
        share = f"{float(quantile[1]) / 100:.6g}"
        return f": write quantile(a, {share})"
    return _hint(_AGGREGATES.get(name), name, known, "()")


def function_hint(name: str, known: Iterable[str]) -> str:
    return _hint(_FUNCTIONS.get(name), name, known, "()")


def sign_hint(sign: str) -> str:
    """Of a sign that is none in expressions."""
    return ": write and" if sign == "&" else ""


def behind_hint(word: str) -> str:
    """Of a word behind what is a whole already."""
    found = _BEHIND.get(word)
    return f": write {found}" if found else ""


def apart_hint(word: str, value: str) -> str:
    """Of a value in quotes right behind a word, such as `host="web"`, and of a function
    in a filter.
    """
    if value == "(" and word in _OF_STATS:
        return f": write | stats {word}(…)"
    name = word.lstrip("{").rstrip("=!~<>")
    if name == word or not name or not value.startswith('"'):
        return ""
    return f": write {name}:{value}" if len(value) <= 40 else f": write {name}:…"


def _hint(found: str | None, name: str, known: Iterable[str], mark: str) -> str:
    if found is not None:
        return f": write {found}"
    near = nearest(name, known)
    return f": did you mean {near}{mark}?" if near else ""
