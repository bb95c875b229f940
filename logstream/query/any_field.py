"""`*:value` in SQL: a value that is looked for in all fields, at any depth."""

import re

from logstream.core.sql import Sql
from logstream.query.conditions import InAnyField, Like, OneOf
from logstream.query.field_sql import elements, needs_exact
from logstream.query.fragments import join, of
from logstream.query.names import Path
from logstream.query.value_tests import test_of

_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f]')
"""What JSON writes in another way."""


def in_any_field(condition: InAnyField) -> Sql:
    """What does not hold the text at all is not taken apart."""
    text = Sql("variant_extract_string(fields, '')")
    found = elements(text, exact=True, path="$..*")
    if condition.glob is not None:
        test = test_of(Like(Path((("",),)), condition.glob), Sql("t"))
        needles = [part for part in condition.glob.parts if isinstance(part, str)]
        needles = [max(needles, key=len)] if needles else [""]
    else:
        test = test_of(OneOf(Path((("",),)), condition.texts), Sql("t"))
        needles = list(condition.texts)
    found = of("list_bool_or(list_transform({}, lambda t: {}))", found, test)
    if needs_exact(needles) or any(map(_ESCAPED.search, needles)):
        return of("coalesce({}, FALSE)", found)
    holds = join(" OR ", [of("contains({}, ?)", text, needle) for needle in needles])
    return of("coalesce(CASE WHEN {} THEN {} ELSE FALSE END, FALSE)", holds, found)
