"""What `query.py` asks, and the best SQL that we could write for the same answer."""

from typing import NamedTuple

from logstream.query.templates import TEMPLATES

_BOUNDED = r"(?:^|[^a-z0-9_]){}(?:$|[^a-z0-9_])"
_COUNT = "SELECT count(*) FROM {entries} WHERE "
_DAY_NS = 86_400 * 10**9


class Case(NamedTuple):
    text: str
    sql: str
    params: tuple[object, ...] = ()


def _filter(text: str, where: str, *params: object) -> Case:
    return Case(f"{text} | stats count()", _COUNT + where, params)


FILTERS = (
    Case("* | stats count()", "SELECT count(*) FROM {entries}"),
    _filter("level:error", "level = 'error'"),
    _filter("level:>=warn", "level IN ('warn', 'error', 'fatal')"),
    _filter("source:w*", "source LIKE 'w%'"),
    _filter("timestamp:>=2026-10-02", "timestamp >= '2026-10-02'::TIMESTAMP_NS"),
    _filter("id:<1000000", "id < 1000000"),
    _filter(
        "error",
        "contains(lower(message), 'error') AND regexp_matches(lower(message), ?)",
        _BOUNDED.format("error"),
    ),
    _filter(
        '"gateway timed out"',
        "contains(lower(message), 'gateway timed out') "
        "AND regexp_matches(lower(message), ?)",
        _BOUNDED.format("gateway timed out"),
    ),
    _filter("*tatic*", "contains(lower(message), 'tatic')"),
    _filter(
        "pay*out",
        "contains(lower(message), 'pay') AND regexp_matches(lower(message), ?)",
        _BOUNDED.format(r"pay[^ \t\n\r\f\v]*out"),
    ),
    _filter(r"/GET .* 50\d/", "regexp_matches(message, 'GET .* 50[0-9]')"),
    _filter("host:web-1", "fields.host::VARCHAR = 'web-1'"),
    _filter("host:web-*", "fields.host::VARCHAR LIKE 'web-%'"),
    _filter("host:in(web-1, web-2)", "fields.host::VARCHAR IN ('web-1', 'web-2')"),
    _filter("path:/^\\/cart/", "regexp_matches(fields.path::VARCHAR, '^/cart')"),
    _filter("status:200", "fields.status::INT = 200"),
    _filter("status:>=500", "fields.status::INT >= 500"),
    _filter("status:[400 TO 499]", "fields.status::INT BETWEEN 400 AND 499"),
    _filter("duration_ms:>250ms", "fields.duration_ms::DOUBLE > 250"),
    _filter("bytes:>30kB", "fields.bytes::BIGINT > 30000"),
    _filter("ip:198.51.100.0/25", "regexp_full_match(fields.ip::VARCHAR, ?)",
            r"198\.51\.100\.(?:[0-9]{1,2}|1[01][0-9]|12[0-7])"),
    _filter("user:*", "fields.user::VARCHAR IS NOT NULL"),
    # Missing, null, or the text `null`.
    _filter("user:null", "(fields.user::VARCHAR <> 'null') IS NOT TRUE"),
    _filter("-user:frank7", "(fields.user::VARCHAR = 'frank7') IS NOT TRUE"),
    _filter("job.name:resize_image", "fields.job.name::VARCHAR = 'resize_image'"),
    _filter("mfa:true", "fields.mfa::BOOLEAN"),
    _filter(
        "host:web-1 OR status:500",
        "fields.host::VARCHAR = 'web-1' OR fields.status::INT = 500",
    ),
    _filter("*:frank7", "contains(fields::JSON::VARCHAR, 'frank7')"),
)  # fmt: skip

_HOST = "fields.host::VARCHAR"
_TOOK = "fields.duration_ms::DOUBLE"
_HOUR = "make_timestamp_ns(epoch_ns(timestamp) // 3600000000000 * 3600000000000)"
_HOURS = "epoch_ns(timestamp) // 3600000000000"
_EVERY_HOUR = "every AS (SELECT unnest(range(min(t), max(t) + 1)) AS t FROM g)"
_PERCENT = "round(100.0 * count(*) / sum(count(*)) OVER (), 3)"
_SHAPE = (
    "regexp_replace(regexp_replace(s, '[0-9a-f]{{16}}', '<hex>', 'g'), "
    "'[0-9]+', '<num>', 'g')"
)

_PARTS = ", ".join(
    f"count(*) FILTER (timestamp >= lo + (hi - lo) / 10 * {part}) AS n{part}"
    for part in range(1, 10)
)
_SUMS = ", ".join(f"sum(n{part}) AS n{part}" for part in range(1, 10))

STATS = (
    Case(
        "status:>=500 | stats count() by source",
        "SELECT source, count(*) FROM {entries} WHERE fields.status::INT >= 500 "
        "GROUP BY 1 ORDER BY 1",
    ),
    Case(
        "* | stats count() by status",
        "SELECT fields.status::VARCHAR, count(*) FROM {entries} GROUP BY 1 ORDER BY 1",
    ),
    Case(
        "* | stats avg(duration_ms) by host",
        f"SELECT {_HOST}, avg({_TOOK}) FROM {{entries}} GROUP BY 1 ORDER BY 1",
    ),
    Case(
        "* | stats count() by bucket(timestamp, 1h), level",
        f"SELECT {_HOUR}, level, count(*) FROM {{entries}} GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    Case(
        "* | stats median(duration_ms), p95(duration_ms)",
        "SELECT quantile_cont(d, 0.5), quantile_cont(d, 0.95) "
        f"FROM (SELECT {_TOOK} AS d FROM {{entries}})",
    ),
    Case(
        "* | stats uniq(trace_id)",
        "SELECT count(DISTINCT fields.trace_id::VARCHAR) FROM {entries}",
    ),
    Case(
        "* | stats uniq_approx(trace_id)",
        "SELECT approx_count_distinct(fields.trace_id::VARCHAR) FROM {entries}",
    ),
    Case(
        "* | stats sum(bytes), min(bytes), max(bytes), stddev(bytes)",
        "SELECT sum(b), min(b), max(b), stddev_samp(b) "
        "FROM (SELECT fields.bytes::DOUBLE AS b FROM {entries})",
    ),
    Case(
        "* | stats values(host), first(host), last(host)",
        f"SELECT list_sort(list(DISTINCT h)), arg_min(h, t), arg_max(h, t) "
        f"FROM (SELECT {_HOST} AS h, timestamp AS t FROM {{entries}})",
    ),
    Case(
        "* | stats count() if (level:error) as e, count() as n by source",
        "SELECT source, count(*) FILTER (WHERE level = 'error'), count(*) "
        "FROM {entries} GROUP BY 1 ORDER BY 1",
    ),
    Case(
        "* | top 10 host",
        f"SELECT {_HOST} AS h, count(*) AS n, {_PERCENT} FROM {{entries}} "
        f"WHERE {_HOST} IS NOT NULL GROUP BY 1 ORDER BY n DESC, h LIMIT 10",
    ),
    Case(
        "* | rare 10 path",
        f"SELECT fields.path::VARCHAR AS h, count(*) AS n, {_PERCENT} FROM {{entries}} "
        "WHERE fields.path::VARCHAR IS NOT NULL GROUP BY 1 ORDER BY n, h LIMIT 10",
    ),
    Case(
        "* | timechart 1h count() by level",
        f"WITH g AS MATERIALIZED (SELECT {_HOURS} AS t, level AS l, count(*) AS n "
        "FROM {entries} GROUP BY 1, 2), "
        f"{_EVERY_HOUR} SELECT make_timestamp_ns(t * 3600000000000), l, coalesce(n, 0) "
        "FROM every CROSS JOIN (SELECT DISTINCT l FROM g) LEFT JOIN g USING (t, l) "
        "ORDER BY 1, 2",
    ),
    Case(
        "* | timechart 1h count() as n | anomalies",
        f"WITH g AS MATERIALIZED (SELECT {_HOURS} AS t, count(*) AS n "
        "FROM {entries} GROUP BY 1), "
        f"{_EVERY_HOUR} SELECT t, n, m, f, s, abs(s) > 3.5 FROM (SELECT *, "
        "0.6745 * (n - m) / f AS s FROM (SELECT *, median(abs(n - m)) OVER () AS f "
        "FROM (SELECT *, median(n) OVER () AS m FROM (SELECT "
        "make_timestamp_ns(t * 3600000000000) AS t, coalesce(n, 0) AS n "
        "FROM every LEFT JOIN g USING (t))))) ORDER BY 1",
    ),
    Case(
        "* | stats count() as n by host | compare 1d",
        f"SELECT * FROM (SELECT {_HOST} AS h, count(*) FROM {{entries}} GROUP BY 1) a "
        f"FULL JOIN (SELECT {_HOST} AS h, count(*) FROM {{entries}} WHERE FALSE "
        "GROUP BY 1) b USING (h) ORDER BY 1",
    ),
    Case(
        "level:error | transaction by host maxpause 30s",
        "SELECT h, min(t), max(t), count(*), list(m) FROM (SELECT *, sum(b) OVER "
        "(PARTITION BY h ORDER BY t) AS p FROM (SELECT *, (epoch_ns(t) - "
        "lag(epoch_ns(t)) OVER (PARTITION BY h ORDER BY t) > 30000000000)::INT AS b "
        f"FROM (SELECT {_HOST} AS h, timestamp AS t, message AS m FROM {{entries}} "
        f"WHERE level = 'error' AND {_HOST} IS NOT NULL))) GROUP BY h, p",
    ),
    Case(
        "* | patterns limit 20",
        "WITH RECURSIVE b AS (SELECT min(timestamp) AS lo, max(timestamp) AS hi "
        "FROM {entries}), m AS MATERIALIZED (SELECT "
        f"{_SHAPE} AS pattern, sum(n) AS n, min(a) AS a, max(z) AS z, any_value(t) "
        f"AS t, {_SUMS} FROM (SELECT translate(t, '123456789', '000000000') AS s, "
        f"sum(n) AS n, min(a) AS a, max(z) AS z, any_value(t) AS t, {_SUMS} FROM "
        f"(SELECT message AS t, count(*) AS n, min(timestamp) AS a, max(timestamp) "
        f"AS z, {_PARTS} FROM {{entries}}, b GROUP BY 1) GROUP BY 1) GROUP BY 1), "
        f"{TEMPLATES} SELECT name, sum(n) AS n, min(a), max(z), any_value(t), {_SUMS} "
        "FROM m JOIN named USING (pattern) GROUP BY 1 ORDER BY n DESC LIMIT 20",
    ),
    Case(
        "* | facets 10",
        "SELECT k, v, count(*) AS n FROM (SELECT unnest(map_keys(f)) AS k, "
        "unnest(map_values(f)) AS v FROM (SELECT fields::JSON::MAP(VARCHAR, VARCHAR) "
        "AS f FROM {entries} ORDER BY timestamp DESC LIMIT 20000)) "
        "GROUP BY 1, 2 QUALIFY row_number() OVER (PARTITION BY k ORDER BY n DESC) < 11",
    ),
    Case(
        "* | field_names",
        "SELECT k, count(*) FROM (SELECT unnest(json_keys(fields::JSON)) AS k FROM "
        "{entries} ORDER BY timestamp DESC LIMIT 20000) GROUP BY 1",
    ),
)

_ERRORS = "FROM {entries} WHERE level = 'error' ORDER BY timestamp DESC, id DESC"
"""Entries of one moment have an order too."""

ROWS = (
    Case(
        "level:error | head 100 | fields message", f"SELECT message {_ERRORS} LIMIT 100"
    ),
    Case(
        "level:error | tail 100 | fields message",
        "SELECT message FROM {entries} WHERE level = 'error' "
        "ORDER BY timestamp, id LIMIT 100",
    ),
    Case(
        "level:error | offset 1000 | head 100 | fields message",
        f"SELECT message {_ERRORS} LIMIT 100 OFFSET 1000",
    ),
    Case(
        "level:error | sort by duration_ms desc | head 10 "
        "| fields message, duration_ms",
        f"SELECT message, {_TOOK} AS d FROM {{entries}} WHERE level = 'error' "
        "ORDER BY d DESC NULLS LAST, timestamp DESC, id DESC LIMIT 10",
    ),
    Case(
        "* | where duration_ms > 500 | stats count()",
        f"{_COUNT}{_TOOK} > 500",
    ),
    Case(
        "* | where user in (status:500 | fields user) | stats count()",
        f"{_COUNT}fields.user::VARCHAR IN (SELECT fields.user::VARCHAR "
        "FROM {entries} WHERE fields.status::INT = 500)",
    ),
    Case(
        "* | filter status:>=500 | stats count()",
        f"{_COUNT}fields.status::INT >= 500",
    ),
    Case(
        "level:error | dedup host | stats count()",
        f"SELECT count(*) FROM (SELECT DISTINCT ON ({_HOST}) 1 FROM {{entries}} "
        f"WHERE level = 'error' ORDER BY {_HOST}, timestamp DESC, id DESC)",
    ),
    Case("* | sample 100 | stats count()", f"{_COUNT}hash(id) % 100 = 0"),
    Case(
        "level:fatal | head 5 | context before 2 after 2 | fields message",
        "SELECT message FROM (SELECT message, level, max(level = 'fatal') OVER "
        "(PARTITION BY source ORDER BY timestamp ROWS BETWEEN 2 PRECEDING AND "
        "2 FOLLOWING) AS near FROM {entries}) WHERE near LIMIT 25",
    ),
    Case(
        "level:error | drop user_agent, path | head 100",
        "SELECT timestamp, source, level, message, json_merge_patch(fields::JSON, "
        '\'{{"user_agent": null, "path": null}}\') FROM (SELECT * '
        f"{_ERRORS} LIMIT 100)",
    ),
    Case(
        "level:error | rename duration_ms as ms | head 100 | fields ms",
        f"SELECT {_TOOK} {_ERRORS} LIMIT 100",
    ),
    Case(
        "* | eval s = duration_ms / 1000 | stats sum(s)",
        f"SELECT sum({_TOOK} / 1000) FROM {{entries}}",
    ),
    Case(
        '* | extract "<method> <path> <code> " | stats count() by code',
        "SELECT e.c, count(*) FROM (SELECT regexp_extract(message, "
        "'(?s)(.*?) (.*?) (.*?) ', ['m', 'p', 'c']) AS e FROM {entries}) GROUP BY 1",
    ),
    Case(
        r'* | extract_regexp "(?P<code>\d{3}) \d+ms" | stats count() by code',
        "SELECT regexp_extract(message, '([0-9]{{3}}) [0-9]+ms', 1), count(*) "
        "FROM {entries} GROUP BY 1",
    ),
    Case(
        "* | unpack logfmt fields op | stats count(op)",
        r"""SELECT count(nullif(regexp_extract(message, """
        r"""'(?:^|\s)op=("(?:[^"\\]|\\.)*"|[^\s"]*)', 1), '')) FROM {entries}""",
    ),
    Case(
        "* | unpack json fields op | stats count(op)",
        "SELECT count(json_extract_string(TRY_CAST(message AS JSON), '/op')) "
        "FROM {entries}",
    ),
    Case(
        '* | replace "GET" with "get" | where contains(message, "get") | stats count()',
        f"{_COUNT}contains(replace(message, 'GET', 'get'), 'get')",
    ),
    Case(
        r'* | replace_regexp "\d+" with "#" | stats uniq(message)',
        "SELECT count(DISTINCT regexp_replace(message, '[0-9]+', '#', 'g')) "
        "FROM {entries}",
    ),
    Case(
        "* | join by (host) (* | stats count() as n by host) | stats sum(n)",
        f"SELECT sum(r.n) FROM (SELECT {_HOST} AS h FROM {{entries}}) l JOIN "
        f"(SELECT {_HOST} AS h, count(*) AS n FROM {{entries}} GROUP BY 1) r USING (h)",
    ),
)

CASES = (*FILTERS, *STATS, *ROWS)
SAME_AS = {"limit": "head", "skip": "offset", "uniq": "dedup", "fields": "head"}
"""Other names of pipes."""
