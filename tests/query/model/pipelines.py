"""Filters with pipes behind them, as text."""

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st

from tests.query.model.overview_pipes import (
    anomalies,
    compare,
    context,
    facets,
    patterns,
    sample,
    unpack,
)
from tests.query.model.queries import (
    FILTERS,
    OWN,
    TIMES,
    Draw,
    Names,
    conditions,
    name_text,
    names_of,
    some,
    terms,
)

counts = st.sampled_from([0, 1, 2, 3, 100])
_TIME_KEYS = ("bucket(timestamp, 1h)", "_time(5m)", "bucket(timestamp, 1d)")


@st.composite
def pipelines(draw: Draw) -> str:
    names = Names()
    parts = [draw(FILTERS)]
    if draw(st.integers(0, 3)) == 0:
        parts[0] = f"({parts[0]}) {draw(TIMES)}"
    for _ in range(draw(st.integers(0, 4))):
        choices = [*_ALWAYS]
        if names.is_open:
            choices += _OF_ENTRIES
        parts.append(draw(st.sampled_from(choices))(draw, names))
    return " | ".join(parts)


def _rows(draw: Draw, _: Names) -> str:
    return f"{draw(st.sampled_from(['head', 'tail', 'offset']))} {draw(counts)}"


def _where(draw: Draw, names: Names) -> str:
    return f"where {draw(conditions(names.usable))}"


def _where_in(draw: Draw, names: Names) -> str:
    inner = name_text(draw(st.sampled_from(["t", "n", "source", "o.k"])))
    sign = draw(st.sampled_from(["in", "not in"]))
    left = draw(terms(names.usable, 0))
    return f"where {left} {sign} ({draw(FILTERS)} | fields {inner})"


def _sort(draw: Draw, names: Names) -> str:
    keys = [
        draw(terms(names.usable, 1)) + draw(st.sampled_from(["", " desc"]))
        for _ in range(draw(st.integers(1, 2)))
    ]
    if not names.is_open:
        # What is the same otherwise stands in any order.
        keys += [
            name_text(one) for one, kind in names.columns.items() if kind != "json"
        ]
    limit = draw(st.sampled_from(["", "", " limit 2"]))
    return f"sort by {', '.join(keys)}{limit}"


def _eval(draw: Draw, names: Names) -> str:
    parts = []
    for name in some(draw, ["p", "q", "n", "o", "m", "o.k", "message"], 2):
        value = draw(terms(names.usable) | conditions(names.usable, 0))
        parts.append(f"{name_text(name)} = {value}")
        names.columns[name] = "any"
        names.gone -= {name}
    return f"eval {', '.join(parts)}"


def _fields(draw: Draw, names: Names) -> str:
    chosen = some(draw, names.there)
    kinds = {name: names.columns.get(name, "any") for name in chosen}
    was_open = names.is_open
    names.columns, names.is_open = kinds, False
    if was_open and draw(st.booleans()):
        kinds["other"] = "any"
        return f"fields {names_of(chosen)}, t as other"
    return f"fields {names_of(chosen)}"


def _drop(draw: Draw, names: Names) -> str:
    chosen = some(draw, names.there, 2)
    if not names.is_open and len(chosen) == len(names.columns):
        return "head 3"
    for name in chosen:
        names.columns.pop(name, None)
        names.gone.add(name)
    return f"drop {names_of(chosen)}"


def _rename(draw: Draw, names: Names) -> str:
    old = draw(st.sampled_from(names.there))
    new = draw(st.sampled_from(["r", "s"]))
    if new in names.columns:
        return "offset 1"
    kind = names.columns.pop(old, "any")
    names.columns = {**names.columns, new: kind}
    return f"rename {name_text(old)} as {new}"


def _dedup(draw: Draw, names: Names) -> str:
    rows = draw(st.sampled_from(["", " 2"]))
    return f"dedup{rows} {names_of(some(draw, names.usable or ['t'], 2))}"


def _aggregate(draw: Draw, names: Names, at: int) -> str:
    usable = names.usable or ["t"]
    one = name_text(draw(st.sampled_from(usable)))
    tame = "n" if names.is_open and "n" not in names.columns else "(1 + 1)"
    choices = [
        *("count()", f"count({one})", f"uniq({one})", f"min({one})", f"max({one})"),
        *(f"sum({tame})", f"avg({tame})", f"median({tame})", f"quantile({tame}, 0.9)"),
        f"count_if({draw(conditions(usable, 0))})",
        f"uniq({one}, {name_text(draw(st.sampled_from(usable)))})",
        *(f"values({one})", f"stddev({tame})", f"p95({tame})", f"rate({tame})"),
    ]
    if names.is_open:
        choices += [f"first({one})", f"last({one})", "count() if (level:error n:>1)"]
        choices += ["rate()", "rate() if (source:web)"]
    return f"{draw(st.sampled_from(choices))} as v{at}"


def _kind(aggregate: str) -> str:
    return "json" if aggregate.startswith(("values", "first", "last")) else "any"


def _aggregates(draw: Draw, names: Names) -> tuple[str, dict[str, str]]:
    made = [_aggregate(draw, names, at) for at in range(draw(st.integers(1, 3)))]
    return ", ".join(made), {f"v{at}": _kind(one) for at, one in enumerate(made)}


def _stats(draw: Draw, names: Names) -> str:
    text, columns = _aggregates(draw, names)
    keys: list[str] = []
    kinds: dict[str, str] = {}
    for at in range(draw(st.integers(0, 2))):
        is_time = names.is_open and draw(st.integers(0, 3)) == 0
        if is_time:
            keys.append(f"{draw(st.sampled_from(_TIME_KEYS))} as k{at}")
        else:
            keys.append(f"{draw(terms(names.usable, 1))} as k{at}")
        kinds[f"k{at}"] = "time" if is_time else "any"
    names.columns, names.is_open = {**kinds, **columns}, False
    return f"stats {text} by {', '.join(keys)}" if keys else f"stats {text}"


def _top(draw: Draw, names: Names) -> str:
    name = draw(st.sampled_from(["top", "rare"]))
    keys = [
        f"{name_text(one)} as k{at}"
        for at, one in enumerate(some(draw, names.usable or ["t"], 2))
    ]
    text = f"{name} {draw(st.sampled_from([1, 2, 10]))} {', '.join(keys)}"
    names.columns = {f"k{at}": "any" for at in range(len(keys))}
    names.columns |= {"count": "any", "percent": "any"}
    names.is_open = False
    return text


def _timechart(draw: Draw, names: Names) -> str:
    text, columns = _aggregates(draw, names)
    by = ""
    if draw(st.booleans()):
        key = name_text(draw(st.sampled_from([*OWN, "t", "m"])))
        by = f" by {key} as k limit {draw(st.sampled_from([1, 2, 5]))}"
        columns = {"k": "any", **columns}
    names.columns, names.is_open = {"timestamp": "time", **columns}, False
    return f"timechart {draw(st.sampled_from(['5m', '1h', '1d']))} {text}{by}"


def _filter(draw: Draw, _: Names) -> str:
    return f"filter {draw(FILTERS)}"


def _replace(draw: Draw, names: Names) -> str:
    name = draw(st.sampled_from([one for one in names.usable if one != "o"] or ["t"]))
    names.columns[name.removeprefix("fields.")] = "any"
    form = draw(
        st.sampled_from(
            ['replace "a" with "bc"', r'replace_regexp "([ab])c?" with "<\1\0>"']
        )
    )
    return f"{form} in {name_text(name)}"


def _extract(draw: Draw, names: Names) -> str:
    source = name_text(draw(st.sampled_from(names.usable or ["t"])))
    names.columns |= {"e": "any", "f": "any"}
    form = draw(
        st.sampled_from(
            [
                'extract "<e>/<f>"',
                'extract "<e> <f>:"',
                r'extract_regexp "(?P<e>a+)(?P<f>\w)?"',
            ]
        )
    )
    return f"{form} from {source}"


def _join(draw: Draw, names: Names) -> str:
    if "jc" in names.columns:
        return "head 5"
    key = draw(
        st.sampled_from(
            [one for one in ("t", "source") if one in names.usable] or ["t"]
        )
    )
    inner = f"{draw(FILTERS)} | stats count() as jc, max(n) as jd by {key}"
    names.columns |= {"jc": "any", "jd": "any"}
    return f"join by ({key}) ({inner}) {draw(st.sampled_from(['left', 'inner']))}"


def _transaction(draw: Draw, names: Names) -> str:
    keys = some(draw, [one for one in names.usable if one != "first"] or ["t"], 2)
    names.columns = dict.fromkeys(keys, "any")
    names.columns |= {"first": "time", "last": "time", "duration": "any"}
    names.columns |= {"count": "any", "messages": "json"}
    names.is_open = False
    return (
        f"transaction by {names_of(keys)}{draw(st.sampled_from(['', ' maxpause 1m']))}"
    )


_Pipe = Callable[[Any, Names], str]
_ALWAYS: tuple[_Pipe, ...] = (
    *(_rows, _where, _where, _where_in, _sort, _eval, _eval, _fields, _drop, _rename),
    *(_dedup, _stats, _stats, _top, _replace, _extract, _join),
    *(unpack, patterns),
)
_OF_ENTRIES: tuple[_Pipe, ...] = (
    *(_stats, _timechart, _timechart, _filter, _transaction, sample, context),
    *(facets, compare, compare, anomalies, unpack),
)
