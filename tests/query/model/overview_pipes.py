"""Pipes of which few stand in a query, as text: overviews and comparisons."""

import hypothesis.strategies as st

from tests.query.model.queries import OWN, Draw, Names, name_text, names_of, some


def sample(draw: Draw, _: Names) -> str:
    return f"sample {draw(st.sampled_from([1, 2, 3]))}"


def context(draw: Draw, names: Names) -> str:
    names.columns, names.gone = {}, set()
    by: str = draw(st.sampled_from(["", "", " by t", " by level", " by o.k"]))
    sides = [draw(st.sampled_from(["", f"{side} 1", f"{side} 2"])) for side in _SIDES]
    return " ".join(["context", *filter(None, sides)]) + by


_SIDES = ("before", "after")


def unpack(draw: Draw, names: Names) -> str:
    source = name_text(draw(st.sampled_from(["message", *(names.usable or ["t"])])))
    form = draw(st.sampled_from(["json", "logfmt", "all"]))
    if form == "all" and names.is_open:
        return f"unpack json from {source}"
    chosen = some(draw, ["n", "t", "m", "o", "o.k", "o.l", "u"])
    names.columns |= dict.fromkeys(chosen, "any")
    form = form.replace("all", "json")
    return f"unpack {form} from {source} fields {names_of(chosen)}"


def patterns(draw: Draw, names: Names) -> str:
    source = name_text(draw(st.sampled_from([*names.usable, "message"])))
    limit = draw(st.sampled_from(["", " limit 2"]))
    has_time = names.is_open or "timestamp" in names.columns
    names.columns = dict.fromkeys(("pattern", "count", "percent", "sample"), "any")
    if has_time:
        names.columns |= {"first": "time", "last": "time", "trend": "json"}
    names.is_open = False
    return f"patterns from {source}{limit}"


def facets(draw: Draw, names: Names) -> str:
    names.columns = dict.fromkeys(("field", "value", "count", "percent"), "any")
    names.is_open = False
    return f"facets {draw(st.sampled_from([1, 10]))}"


def compare(draw: Draw, names: Names) -> str:
    """With what it stands behind, and an order."""
    made = [
        *("count()", "sum(n)", "avg(n)", "uniq(t)", "rate()", "count_if(n > 2)"),
        *("median(n)", "values(t)", "count() if (level:error)"),
    ]
    chosen = [f"{one} as v{at}" for at, one in enumerate(some(draw, made))]
    numbers = ", ".join(chosen)
    if "n" in names.columns:
        numbers = "count() as v0"
    key = name_text(draw(st.sampled_from([*OWN, "t", "m", "o.k"])))
    front = [draw(st.sampled_from(_FRONTS)).format(numbers=numbers, key=key)]
    kinds = {"k": "any"} if " as k" in front[0] else {}
    if "timestamp" in front[0]:
        kinds["timestamp"] = "time"
    shown = "count" if "as v0" not in front[0] else "v0"
    if draw(st.booleans()):
        behind = [f"where {shown} > 1"]
        if "limit 1" not in front[0]:  # the order of series is not the model's
            behind += ["head 2", "head 0"]
        front.append(draw(st.sampled_from(behind)))
    if kinds.get("k") and draw(st.integers(0, 3)) == 0:
        kinds["r"] = kinds.pop("k")
        front.append(f"rename k as r | eval c = r, d = {shown} * 2")
    span = draw(st.sampled_from(["", " 1h", " 3h", " 1d"]))
    keys = [*kinds, *(["timestamp"] if "timechart" in front[0] else [])]
    kind = "json" if numbers.startswith("values") and shown == "v0" else "any"
    names.columns, names.is_open = {**kinds, shown: kind}, False
    if "timechart" in front[0]:
        names.columns["timestamp"] = "time"
    order = f" | sort by {names_of(keys)}" if keys else ""
    return f"{' | '.join(front)} | compare{span}{order}"


_FRONTS = (
    *("stats {numbers}", "stats {numbers} by {key} as k", "top 1 {key} as k"),
    *("rare 2 {key} as k", "stats {numbers} by {key} as k, _time(1h)"),
    *("timechart 1h {numbers}", "timechart 30m {numbers} by {key} as k limit 1"),
)


def anomalies(draw: Draw, names: Names) -> str:
    key = draw(st.sampled_from(["", " by source as k", " by t as k limit 2"]))
    threshold = draw(st.sampled_from(["", " threshold 1", " threshold 0.25"]))
    number = "(1 + 1)" if "n" in names.columns else "n"
    front = f"timechart {draw(st.sampled_from(['5m', '30m', '1h']))} "
    front += draw(st.sampled_from(["count() as v0", f"avg({number}) as v0"]))
    names.columns = {"timestamp": "time", **({"k": "any"} if key else {}), "v0": "any"}
    names.columns |= dict.fromkeys(("expected", "score"), "any")
    names.columns |= dict.fromkeys(("is_anomaly", "explanation"), "any")
    names.is_open = False
    return f"{front}{key} | anomalies{draw(st.sampled_from(['', ' of v0']))}{threshold}"
