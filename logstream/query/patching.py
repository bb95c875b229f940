"""Fields over which the keys of an object in a text were laid, one at a time.

To put all fields of an entry together, and all keys into them, takes as long as to read
an entry out; who asks for one of them looks for it in the object, and where it is not
there among the fields: 60 ms for 300 000 entries instead of 440.
"""

from collections.abc import Sequence

from logstream.core.doubts import DOTTED, unless
from logstream.core.sql import Sql
from logstream.query.field_forms import pointer, text_forms
from logstream.query.field_sql import is_present
from logstream.query.fragments import join, of
from logstream.query.names import Path
from logstream.query.scans import ScanBuilder
from logstream.query.values import NULL_TEXT, Field, as_text, scalar_at


def text_over(scan: ScanBuilder, patch: Sql, path: Path) -> Sql:
    """The text of what a name means, as `as_text` has it of a field.

    Args:
        patch: A column with the object, as JSON; NULL: nothing was laid over.
    """
    whens: list[Sql] = []
    for at, way in enumerate(path.ways):
        is_last = at == len(path.ways) - 1
        there = of("coalesce({}, 'NULL') <> 'NULL'", _kind_at(patch, way))
        whens.append(of("WHEN {} THEN {}", there, scalar_at(patch, way)))
        own = Path((way,))
        tests = [_leaves_room(patch, way[:end]) for end in range(1, len(way))]
        if not is_last:
            tests.append(_is_there(scan, own))
        text = as_text(Field(scan, own)) if at == 0 else _flat_text(scan, own)
        test = join(" AND ", tests) if tests else Sql("TRUE")
        whens.append(of("WHEN {} THEN {}", test, text))
    return of(f"CASE {' '.join('{}' for _ in whens)} END", *whens)


def _flat_text(scan: ScanBuilder, path: Path) -> Sql:
    """Of a key with a dot."""
    safe, hopeful = text_forms(path)
    hopeful = unless(DOTTED, hopeful, NULL_TEXT)
    return scan.column(("flat", path), safe=safe, hopeful=hopeful)


def _kind_at(patch: Sql, way: Sequence[str]) -> Sql:
    return of("json_type({}, ?)", patch, pointer(tuple(way)))


def _leaves_room(patch: Sql, way: Sequence[str]) -> Sql:
    """For fields inside: what is no object there takes their place."""
    return of("coalesce({}, 'NULL') IN ('NULL', 'OBJECT')", _kind_at(patch, way))


def _is_there(scan: ScanBuilder, path: Path) -> Sql:
    safe, hopeful = is_present(path, fast=False), is_present(path, fast=True)
    return scan.column(("there", path), safe=safe, hopeful=hopeful)
