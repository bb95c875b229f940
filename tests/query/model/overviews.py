"""The pipes that give an overview: `patterns`, `facets`."""

from collections import Counter, defaultdict
from typing import Any

from logstream.query.pipes.facets import MAX_FIELDS, MAX_VALUES
from logstream.query.pipes.patterns import PARTS, Patterns
from tests.query.model.functions import rounded
from tests.query.model.ordering import in_order
from tests.query.model.rows import Row, Rows
from tests.query.model.templates import masked, templates
from tests.query.model.values import V, text

_OWN = ("source", "level", "timestamp", "message", "id")


def patterns(pipe: Patterns, rows: Rows) -> Rows:
    groups: dict[str, list[tuple[Row, str]]] = defaultdict(list)
    total = 0
    for row in rows:
        said = text(row[pipe.source])
        if said is not None:
            groups[masked(said)].append((row, said))
            total += 1
    named = templates(groups)
    merged: dict[str, list[tuple[Row, str]]] = defaultdict(list)
    for one, inside in groups.items():
        merged[named[one]] += inside
    begin, end = rows.span
    step = (end - begin - 1) // PARTS + 1
    ranked = sorted(merged.items(), key=lambda one: (-len(one[1]), one[0]))
    return rows.made(
        (
            _shown(template, inside, total, begin, step)
            for template, inside in ranked[: pipe.rows]
        ),
        keys=["pattern"],
    )


def _shown(
    template: str, inside: list[tuple[Row, str]], total: int, begin: int, step: int
) -> dict[str, V]:
    made: dict[str, V] = {
        "pattern": ("text", template),
        "count": ("integer", len(inside)),
        "percent": ("number", rounded(100.0 * len(inside) / total, 3)),
    }
    if not (inside[0][0].rows.is_open or "timestamp" in inside[0][0].columns):
        return made | {"sample": ("text", max(said for _, said in inside))}
    times = [(row["timestamp"][1], said) for row, said in inside]
    parts = Counter((at - begin) // step for at, _ in times)
    return made | {
        "first": ("time", min(times)[0]),
        "last": ("time", max(times)[0]),
        "sample": ("text", max(times)[1]),
        "trend": ("json", [parts[at] for at in range(PARTS)]),
    }


def facets(values: int, rows: Rows) -> Rows:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for name, said in _pairs(row.shown()):
            found[name][said] += 1
    told = {name: one for name, one in found.items() if 2 <= len(one) <= MAX_VALUES}
    ranked = sorted(told, key=lambda name: (-told[name].total(), len(told[name]), name))
    return rows.made(
        (
            {
                "field": ("text", name),
                "value": ("text", said),
                "count": ("integer", count),
                "percent": ("number", rounded(100.0 * count / len(rows), 3)),
            }
            for name in ranked[:MAX_FIELDS]
            for said, count in sorted(
                told[name].items(),
                key=lambda one: in_order([(one[1], True), (one[0], False)]),
            )[:values]
        ),
        keys=["field", "value"],
    )


def _pairs(shown: dict[str, Any]) -> list[tuple[str, str]]:
    own = [(name, shown.get(name)) for name in ("source", "level")]
    others = [
        (f"fields.{name}" if name in _OWN else name, one)
        for name, one in shown["fields"].items()
    ]
    return [
        (name, said)
        for name, one in (*own, *others)
        if (said := text(("field", one))) is not None
    ]
