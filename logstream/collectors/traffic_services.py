"""What the services of the generated traffic write: web, auth, database, worker.

A *flow* is one thing that happens, such as a request or a job: some lines of one or
more services that share a `trace_id`. Everything is drawn from one `random.Random`
by table look-ups: this is the inner loop of benchmarks, at about 3 µs a line.
"""

import random
from collections.abc import Callable
from math import exp
from statistics import NormalDist
from typing import Any

from logstream.collectors.traffic_incidents import Incident

Record = tuple[int, str, str, str, dict[str, Any]]
"""Nanoseconds, source, level, message, fields."""
Add = Callable[[Record], None]

MAX_FLOW_NS = 20 * 1_000_000_000
"""No line of a flow comes later than this after the flow began."""

_MS = 1_000_000
_TABLE = 4096
_NORMAL = [NormalDist().inv_cdf((i + 0.5) / _TABLE) for i in range(_TABLE)]


def _log_normal(median: float, sigma: float) -> list[float]:
    return [median * exp(sigma * z) for z in _NORMAL]


def _weighted(pairs: dict[Any, int]) -> list[Any]:
    return [value for value, weight in pairs.items() for _ in range(weight)]


_ROUTES = _weighted(
    {
        ("GET", "/"): 12,
        ("GET", "/products"): 18,
        ("GET", "/products/{}"): 26,
        ("GET", "/search?q=item{}"): 10,
        ("GET", "/static/app.js"): 10,
        ("POST", "/cart"): 8,
        ("POST", "/checkout"): 4,
        ("GET", "/api/orders/{}"): 8,
        ("PUT", "/api/profile"): 2,
        ("DELETE", "/cart/{}"): 2,
    }
)
_STATUS = _weighted({200: 1800, 201: 60, 204: 40, 304: 70, 404: 22, 400: 5, 500: 3})
_FAILURES = (500, 502, 503, 503, 504)
_AGENTS = _weighted(
    {
        "Mozilla/5.0 (X11; Linux x86_64; rv:138.0) Gecko/20100101 Firefox/138.0": 5,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) Safari/605.1.15": 6,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/136.0.0.0": 9,
        "curl/8.13.0": 2,
        "ShopApp/4.2 (Android 15)": 6,
        "Googlebot/2.1 (+http://www.google.com/bot.html)": 2,
    }
)
_NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "judy")
_USERS = [f"{name}{number}" for number in ("", 7, 42, 99) for name in _NAMES]
_IPS = [f"198.51.100.{i}" for i in range(1, 120)] + [f"192.0.2.{i}" for i in range(80)]
_HOSTS = ("web-1", "web-2", "web-3")
_QUERIES = (
    ("SELECT * FROM products WHERE category = $1 ORDER BY rank", "products"),
    ("SELECT o.*, l.* FROM orders o JOIN lines l ON l.order_id = o.id", "orders"),
    ("UPDATE stock SET free = free - $1 WHERE product_id = $2", "stock"),
    ("INSERT INTO orders (user_id, total) VALUES ($1, $2)", "orders"),
    ("SELECT count(*) FROM sessions WHERE seen > now() - interval '5m'", "sessions"),
)
_JOBS = (
    ("send_email", "mail"),
    ("resize_image", "media"),
    ("charge_card", "payments"),
    ("rebuild_index", "search"),
    ("export_report", "reports"),
)
_JOB_FAILURES = (
    "SMTP server refused the connection",
    "payment gateway timed out after 10 s",
    "image is truncated",
)
_WEB_MS = _log_normal(18.0, 0.9)
_QUERY_MS = _log_normal(420.0, 0.6)
_JOB_MS = _log_normal(350.0, 1.0)

LINES_PER_FLOW = 1.3
"""Mean; a test holds the promised rate to it."""


def add_flow(
    rng: random.Random, at_ns: int, incident: Incident | None, add: Add
) -> None:
    """Draw one flow that begins at `at_ns` and hand its lines to `add`."""
    draw = rng.random()
    if incident is not None and draw < 0.3 * incident.severity:
        _INCIDENT_FLOWS[incident.kind](rng, at_ns, incident, add)
    elif draw < 0.82:
        _request(rng, at_ns, incident, add)
    elif draw < 0.90:
        _session(rng, at_ns, add)
    elif draw < 0.98:
        _job(rng, at_ns, 0.25 if incident else 0.04, add)
    else:
        _upkeep(rng, at_ns, add)


def _trace(rng: random.Random) -> str:
    return f"{rng.getrandbits(64):016x}"


def _request(
    rng: random.Random, at_ns: int, incident: Incident | None, add: Add
) -> None:
    random_ = rng.random
    status = _STATUS[int(random_() * len(_STATUS))]
    duration_ms = _WEB_MS[int(random_() * _TABLE)]
    cause = ""
    if incident is not None and incident.kind in ("database_overload", "bad_deploy"):
        duration_ms *= 1 + 6 * incident.severity
        if random_() < 0.35 * incident.severity:
            status = _FAILURES[int(random_() * len(_FAILURES))]
            cause = incident.kind
    _access(rng, at_ns, (status, duration_ms, cause), add)


def _access(
    rng: random.Random, at_ns: int, outcome: tuple[int, float, str], add: Add
) -> None:
    """One line of an access log. `outcome`: status, milliseconds, why it failed."""
    status, duration_ms, cause = outcome
    random_ = rng.random
    method, path = _ROUTES[int(random_() * len(_ROUTES))]
    if path[-1] == "}":
        path = path.replace("{}", str(int(random_() * 5000)))
    end_ns = at_ns + int(min(duration_ms, 15_000.0) * _MS)
    trace_id = _trace(rng)
    fields: dict[str, Any] = {
        "method": method,
        "path": path,
        "status": status,
        "duration_ms": round(duration_ms, 2),
        "bytes": int(random_() * 40_000) + 180,
        "ip": _IPS[int(random_() * len(_IPS))],
        "user_agent": _AGENTS[int(random_() * len(_AGENTS))],
        "host": _HOSTS[int(random_() * len(_HOSTS))],
        "trace_id": trace_id,
    }
    if random_() < 0.4:
        fields["user"] = _USERS[int(random_() * len(_USERS))]
    level = "info" if status < 400 else "warn" if status < 500 else "error"
    message = f"{method} {path} {status} {duration_ms:.0f}ms"
    add((end_ns, "web", level, message, fields))
    if status >= 500:
        _failure_cause(rng, (at_ns, end_ns), (trace_id, cause), add)
    elif duration_ms > 120 and path[0:7] != "/static":
        _slow_query(rng, end_ns - _MS, duration_ms * 0.8, trace_id, add)


def _failure_cause(
    rng: random.Random, span_ns: tuple[int, int], why: tuple[str, str], add: Add
) -> None:
    """The lines of other services that tell why a request failed."""
    at_ns, end_ns = span_ns
    trace_id, cause = why
    fields: dict[str, Any]
    if cause == "bad_deploy":
        fields = {
            "trace_id": trace_id,
            "host": "web-3",
            "version": "2025.5.2",
            "error": "KeyError",
        }
        text = (
            "Unhandled exception in checkout\n"
            'Traceback (most recent call last):\n  File "/srv/shop/checkout.py", '
            "line 214, in total\nKeyError: 'currency'"
        )
        add((end_ns, "web", "error", text, fields))
    elif rng.random() < 0.7:
        waited_ms = round(_QUERY_MS[int(rng.random() * _TABLE)] * 4, 1)
        fields = {
            "trace_id": trace_id,
            "duration_ms": waited_ms,
            "pool": {"size": 40, "waiting": int(rng.random() * 90) + 10},
        }
        text = "Connection pool exhausted: no connection became free"
        add((at_ns + _MS, "database", "error", text, fields))
    else:
        fields = {"trace_id": trace_id, "table": "stock"}
        text = "Deadlock detected: transaction was rolled back"
        add((at_ns + _MS, "database", "error", text, fields))


def _slow_query(
    rng: random.Random, at_ns: int, duration_ms: float, trace_id: str, add: Add
) -> None:
    statement, table = _QUERIES[int(rng.random() * len(_QUERIES))]
    fields = {
        "trace_id": trace_id,
        "duration_ms": round(duration_ms, 1),
        "table": table,
        "statement": statement,
        "rows": int(rng.random() * 20_000),
    }
    message = f"Slow query on {table}: {duration_ms:.0f} ms"
    add((at_ns, "database", "warn", message, fields))


def _session(rng: random.Random, at_ns: int, add: Add) -> None:
    user = _USERS[int(rng.random() * len(_USERS))]
    ip = _IPS[int(rng.random() * len(_IPS))]
    if rng.random() < 0.12:
        _failed_logins(rng, at_ns, (user, ip, 1 + int(rng.random() * 3)), add)
        return
    session_id = f"s-{rng.getrandbits(40):010x}"
    fields = {
        "user": user,
        "ip": ip,
        "session_id": session_id,
        "mfa": rng.random() < 0.3,
        "trace_id": _trace(rng),
    }
    add((at_ns, "auth", "info", f"User {user} logged in", fields))
    kind = rng.random()
    later_ns = at_ns + int(rng.random() * 15_000) * _MS
    fields = {"user": user, "session_id": session_id, "trace_id": _trace(rng)}
    if kind < 0.5:
        add((later_ns, "auth", "debug", "Session token refreshed", fields))
    elif kind < 0.8:
        add((later_ns, "auth", "info", f"User {user} logged out", fields))


def _failed_logins(
    rng: random.Random, at_ns: int, who: tuple[str, str, int], add: Add
) -> None:
    user, ip, times = who
    step_ns = 12_000 * _MS // max(times, 10)
    for attempt in range(1, times + 1):
        fields = {
            "user": user,
            "ip": ip,
            "attempt": attempt,
            "reason": "bad_password",
            "trace_id": _trace(rng),
        }
        when_ns = at_ns + (attempt - 1) * step_ns + int(rng.random() * step_ns)
        add((when_ns, "auth", "warn", f"Failed login attempt for {user}", fields))
    if times >= 5:
        fields = {"user": user, "ip": ip, "attempts": times}
        text = f"Account {user} locked after {times} failed logins"
        add((at_ns + times * step_ns, "auth", "error", text, fields))


def _job(rng: random.Random, at_ns: int, failing: float, add: Add) -> None:
    name, queue = _JOBS[int(rng.random() * len(_JOBS))]
    job_id = f"j-{rng.getrandbits(32):08x}"
    trace_id = _trace(rng)

    def line(when_ns: int, level: str, text: str, attempt: int, **more: Any) -> None:
        job = {"id": job_id, "name": name, "attempt": attempt}
        fields = {"job": job, "queue": queue, "trace_id": trace_id, **more}
        add((when_ns, "worker", level, text, fields))

    attempt = 1
    line(at_ns, "debug", f"Job {name} started", attempt)
    while True:
        duration_ms = min(_JOB_MS[int(rng.random() * _TABLE)], 5_000.0)
        at_ns += int(duration_ms * _MS)
        spent = round(duration_ms, 1)
        if rng.random() >= failing:
            text = f"Job {name} finished"
            line(at_ns, "info", text, attempt, duration_ms=spent)
            return
        cause = _JOB_FAILURES[int(rng.random() * len(_JOB_FAILURES))]
        if attempt == 3:
            text = f"Job {name} failed for good: {cause}"
            line(at_ns, "error", text, attempt, duration_ms=spent, error=cause)
            return
        text = f"Job {name} failed, trying again: {cause}"
        line(at_ns, "warn", text, attempt, duration_ms=spent, error=cause)
        attempt += 1


def _upkeep(rng: random.Random, at_ns: int, add: Add) -> None:
    kind = rng.random()
    if kind < 0.4:
        fields: dict[str, Any] = {
            "duration_ms": round(rng.random() * 4000, 1),
            "buffers": int(rng.random() * 9000),
        }
        text = f"Checkpoint complete: wrote {fields['buffers']} buffers"
        add((at_ns, "database", "info", text, fields))
    elif kind < 0.7:
        _slow_query(rng, at_ns, _QUERY_MS[int(rng.random() * _TABLE)], _trace(rng), add)
    else:
        depth = int(rng.random() * 40)
        queue = _JOBS[int(rng.random() * len(_JOBS))][1]
        fields = {"queue": queue, "depth": depth}
        add((at_ns, "worker", "debug", f"Queue {queue} holds {depth} jobs", fields))


def _overload(rng: random.Random, at_ns: int, incident: Incident, add: Add) -> None:
    duration_ms = _QUERY_MS[int(rng.random() * _TABLE)] * (2 + 6 * incident.severity)
    _slow_query(rng, at_ns, duration_ms, _trace(rng), add)


def _bad_deploy(rng: random.Random, at_ns: int, incident: Incident, add: Add) -> None:
    duration_ms = _WEB_MS[int(rng.random() * _TABLE)] * (1 + incident.severity)
    _access(rng, at_ns, (500, duration_ms, "bad_deploy"), add)


def _stuffing(rng: random.Random, at_ns: int, incident: Incident, add: Add) -> None:
    user = _USERS[int(rng.random() * len(_USERS))]
    times = 2 + int(rng.random() * 7)
    _failed_logins(rng, at_ns, (user, incident.region, times), add)


def _backlog(rng: random.Random, at_ns: int, incident: Incident, add: Add) -> None:
    past = (at_ns - incident.start_ns) / (incident.end_ns - incident.start_ns)
    depth = int(4000 * incident.severity * (1 - abs(2 * past - 1))) + 50
    fields = {"queue": "payments", "depth": depth}
    add((at_ns, "worker", "warn", f"Queue payments is behind: {depth} jobs", fields))
    _job(rng, at_ns + _MS, 0.6, add)


_INCIDENT_FLOWS: dict[str, Callable[[random.Random, int, Incident, Add], None]] = {
    "database_overload": _overload,
    "bad_deploy": _bad_deploy,
    "credential_stuffing": _stuffing,
    "queue_backlog": _backlog,
}
