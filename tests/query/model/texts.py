"""The pipes that make columns out of texts."""

import re

from logstream.query.pipes.extract import Extract, ExtractRegexp
from logstream.query.pipes.replace import Replace
from tests.query.model.rows import Rows
from tests.query.model.values import V, text

_PLACE = re.compile(r"<(\w+)>")


def replaced(pipe: Replace, rows: Rows) -> Rows:
    def of(value: V) -> V:
        said = text(value)
        if said is None:
            return ("text", None)
        if pipe.is_regexp:
            return ("text", re.sub(pipe.old, pipe.new.replace(r"\0", r"\g<0>"), said))
        return ("text", said.replace(pipe.old, pipe.new))

    name = rows.own(pipe.name)
    return rows.of(
        (row.with_columns({name: of(row[name])}) for row in rows),
        gone=rows.gone - {name},
    )


def extracted(pipe: Extract | ExtractRegexp, rows: Rows) -> Rows:
    if isinstance(pipe, ExtractRegexp):
        pattern = re.compile(pipe.pattern)
    else:
        parts = _PLACE.split(pipe.template)
        for at in range(0, len(parts), 2):
            parts[at] = re.escape(parts[at])
        for at in range(1, len(parts), 2):
            some = "(.*)" if at == len(parts) - 2 and not parts[-1] else "(.*?)"
            parts[at] = some if parts[at] == "_" else f"(?P<{parts[at]}>{some[1:]}"
        pattern = re.compile("".join(parts), re.DOTALL)

    def of(value: V) -> dict[str, V]:
        found = pattern.search(text(value) or "")
        return {
            name: ("text", (found[name] or None) if found else None)
            for name in pattern.groupindex
        }

    return rows.of(
        (row.with_columns(of(row[pipe.source])) for row in rows),
        gone=rows.gone - {*pattern.groupindex},
    )
