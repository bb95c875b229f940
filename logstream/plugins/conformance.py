"""The contract of processors, as functions that say how one breaks it.

`logstream plugins check` and the tests of every processor run these, and a plugin's own
tests may. They hold a processor to what the pipeline counts on: it is given a batch
that others may be holding too, and each entry that it returns is told by its id.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from logstream.core.entry import Entry
from logstream.core.sql import Sql
from logstream.core.timestamps import TimestampError, canonical
from logstream.plugins.contracts import Processor, Rewrite

REWRITABLE = ("source", "level", "message")
"""The columns that a `Rewrite` may set."""

_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")

_MESSAGES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("info", "GET /index.html 200 12ms", {"status": 200, "path": "/index.html"}),
    ("error", "Connection reset by peer", {"http": {"method": "GET", "ms": 1.5}}),
    ("debug", "", {}),
    ("warn", '{"level":"warn","msg":"low disk","free":12}', {"host": "db-1"}),
    ("fatal", "Überlauf: 日志 \U0001f4a5\n  at line 2", {"tags": ["a", {"b": None}]}),
    ("info", "mail bob@example.com from 10.0.0.7 password=hunter2", {"ok": True}),
    ("notice", "x" * 5_000, {"empty": {}, "none": None, "big": 2**53}),
    ("trace", "key=value key2='a b' 4111 1111 1111 1111", {"a.b": 1, "a": {"b": 2}}),
)


def sample_batch(entries: int = 16, *, first_id: int = 1 << 20) -> list[Entry]:
    """Entries of many shapes: no fields, nested ones, other scripts, long messages."""
    return [
        Entry(
            id=first_id + index,
            timestamp=f"2025-05-13T00:{index // 60 % 60:02d}:{index % 60:02d}Z",
            source=("web", "auth", "database")[index % 3],
            level=_MESSAGES[index % len(_MESSAGES)][0],
            message=_MESSAGES[index % len(_MESSAGES)][1],
            fields=msgspec.json.decode(
                msgspec.json.encode(_MESSAGES[index % len(_MESSAGES)][2]), type=dict
            ),
        )
        for index in range(entries)
    ]


def violations(processor: Processor, batch: Sequence[Entry]) -> list[str]:
    """Run a batch through a processor; every way in which it breaks the contract.

    Args:
        processor: A fresh one.
        batch: Ids ascend.

    Raises:
        Exception: whatever `process` raises. That breaks no contract: in the pipeline
            it sends the entries to the dead letters.
    """
    empty = processor.process(())
    if problems := [*_shape_problems(empty)]:
        return problems
    if empty:
        return ["an empty batch comes back with entries"]
    before = [_encoded(entry) for entry in batch]
    result = processor.process(tuple(batch))
    problems = [*_input_problems(before, batch), *_shape_problems(result)]
    return problems or [*_id_problems(result, batch), *_value_problems(result)]


def _encoded(entry: Entry) -> bytes:
    return msgspec.json.encode(entry)


def _input_problems(before: list[bytes], batch: Sequence[Entry]) -> Iterator[str]:
    changed = [
        entry.id
        for entry, encoded in zip(batch, before, strict=True)
        if _encoded(entry) != encoded
    ]
    if changed:
        yield f"the input is modified (entry {changed[0]}): make a new dict of fields"


def _shape_problems(result: object) -> Iterator[str]:
    if isinstance(result, str | bytes) or not isinstance(result, Sequence):
        yield f"process returns a {type(result).__name__}: return a list of entries"
        return
    for item in result:
        if not isinstance(item, Entry):
            yield f"a {type(item).__name__} is among the returned entries"
            return


def _id_problems(result: Sequence[Entry], batch: Sequence[Entry]) -> Iterator[str]:
    known = {entry.id for entry in batch}
    ids = [entry.id for entry in result]
    if strange := [one for one in ids if one not in known]:
        yield f"the id {strange[0]} was not in the batch: keep it (structs.replace)"
    elif len(set(ids)) != len(ids):
        yield "an id comes back more than once: an entry cannot become two"
    elif ids != sorted(ids):
        yield "the entries come back in another order"


def _value_problems(result: Sequence[Entry]) -> Iterator[str]:
    for entry in result:
        if problem := _value_problem(entry):
            yield f"entry {entry.id} comes back with {problem}"
            return


def _value_problem(entry: Entry) -> str | None:
    for name in ("timestamp", *REWRITABLE):
        if not isinstance(getattr(entry, name), str):
            return f"a {name} that is no text"
    fields: Any = entry.fields
    if not isinstance(fields, dict):
        return "fields that are no dict"
    try:
        if canonical(entry.timestamp) != entry.timestamp:
            return f"the timestamp {entry.timestamp!r}, which is not canonical"
        encoded = _encoded(entry)
    except TimestampError as error:
        return f"a timestamp that {error}"
    except Exception as error:  # noqa: BLE001 - told to the plugin's author
        return f"a value that JSON cannot hold ({error})"
    same = msgspec.json.decode(encoded, type=Entry)
    return None if same == entry else "a value that JSON does not keep as it is"


def rewrite_violations(rewrite: object) -> list[str]:
    """How the SQL form of a processor breaks the contract; it is not run."""
    if rewrite is None:
        return []
    if not isinstance(rewrite, Rewrite):
        return [f"rewrite() returns a {type(rewrite).__name__}: a Rewrite or None"]
    problems = [
        f"rewrite() sets the column '{name}': it may set {', '.join(REWRITABLE)}"
        for name in rewrite.columns
        if name not in REWRITABLE
    ]
    for sql in (rewrite.keep, *rewrite.columns.values()):
        if sql is not None:
            problems.extend(_sql_problems(sql))
    for name, text in rewrite.set_fields.items():
        try:
            msgspec.json.decode(text)
        except (msgspec.MsgspecError, TypeError):
            problems.append(f"rewrite() sets the field '{name}' to what is no JSON")
    return problems


def _sql_problems(sql: object) -> Iterator[str]:
    if not isinstance(sql, Sql):
        yield f"rewrite() holds a {type(sql).__name__} where a Sql should be"
    elif (marks := _QUOTED.sub("", sql.text).count("?")) != len(sql.params):
        yield f"{sql.text!r} has {marks} marks '?' and {len(sql.params)} parameters"
