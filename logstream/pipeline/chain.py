"""The processor chain: what plugins do to entries, and what it costs when they fail.

A processor that raises, or hands back nonsense, costs only the entries that it fails
on: the batch is retried one entry at a time, and those that still fail are dead.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from logstream.core.entry import Entry
from logstream.core.levels import DEFAULT_LEVEL, LEVELS
from logstream.core.rejections import DeadReason
from logstream.core.timestamps import canonical
from logstream.pipeline.chunk import entry_lines, entry_runs
from logstream.pipeline.depth import MAX_DEPTH, too_deep_line
from logstream.pipeline.instants import all_loadable
from logstream.pipeline.rewriting import DEFAULT_SOURCE, decode_any_number
from logstream.plugins.contracts import Processor, Rewrite


class Dead(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that did not get through."""

    id: int
    processor: str
    reason: DeadReason
    detail: str
    entry: bytes
    """As it was before the first processor, as JSON."""


class ChunkResult(msgspec.Struct, frozen=True, kw_only=True):
    """Every entry that went in is in exactly one of the three."""

    payload: bytes
    """Canonical NDJSON of the kept ones, each with its `id`."""
    kept: int
    filtered: int
    dead: tuple[Dead, ...] = ()


class _Contract(Exception):
    """What a processor handed back is not what the contract asks for."""


class _Journaled(msgspec.Struct, gc=False):
    """A line as it may stand in the journal: an entry that has all its parts is one
    of canonical NDJSON, but a sender may leave these out.
    """

    timestamp: str
    message: str
    source: str = DEFAULT_SOURCE
    level: str = DEFAULT_LEVEL
    fields: dict[str, Any] | None = None


class _AnyObject(msgspec.Struct, gc=False):
    """Any JSON object: msgspec walks over its content, and makes nothing of it."""


class _Checked(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What a line must be to be loaded; checked in C after the last processor."""

    id: int
    timestamp: datetime
    source: str
    level: str
    message: str
    fields: _AnyObject | msgspec.UnsetType = msgspec.UNSET


_decode = msgspec.json.Decoder(Entry).decode_lines
_decode_journaled = msgspec.json.Decoder(_Journaled).decode
_decode_checked = msgspec.json.Decoder(_Checked).decode_lines
_set = msgspec.structs.force_setattr
_encode_lines = msgspec.json.Encoder().encode_lines
_encode = msgspec.json.Encoder().encode


class Chain:
    """Processors in the operator's order. Used by one thread at a time."""

    def __init__(self, steps: Sequence[tuple[str, Processor]]) -> None:
        self._steps = tuple(steps)

    def __bool__(self) -> bool:
        return bool(self._steps)

    def rewrites(self) -> list[Rewrite] | None:
        """The whole chain as SQL; None when a step needs Python."""
        found: list[Rewrite] = []
        for _, processor in self._steps:
            rewrite = getattr(processor, "rewrite", None)
            step = rewrite() if rewrite is not None else None
            if step is None:
                return None
            found.append(step)
        return found

    def run(self, data: bytes, first_id: int) -> ChunkResult:
        """Take lines of a segment through the chain. Raises nothing.

        Args:
            first_id: Of the first line; headers of frames count too.
        """
        batch, dead = _entries_of(data, first_id)
        came = len(batch) + len(dead)
        originals = {entry.id: entry for entry in batch}
        kept: Sequence[Entry] = batch
        for name, processor in self._steps:
            if not kept:
                break
            kept, failed = _run_step(name, processor, kept)
            dead.extend(_dead(originals[f.id], f) for f in failed)
        payload, failed = _encode_checked(kept)
        dead.extend(_dead(originals[f.id], f) for f in failed)
        remaining = len(kept) - len(failed)
        return ChunkResult(
            payload=payload,
            kept=remaining,
            filtered=came - remaining - len(dead),
            dead=tuple(dead),
        )


class _Failed(msgspec.Struct, frozen=True):
    id: int
    processor: str
    reason: DeadReason
    detail: str


def _dead(original: Entry, failed: _Failed) -> Dead:
    return Dead(
        id=failed.id,
        processor=failed.processor,
        reason=failed.reason,
        detail=failed.detail,
        entry=_encode(msgspec.structs.replace(original, id=0)),
    )


def _run_step(
    name: str, processor: Processor, batch: Sequence[Entry]
) -> tuple[Sequence[Entry], list[_Failed]]:
    try:
        return _checked(processor.process(batch), batch), []
    except BaseException:  # noqa: BLE001 - found out below, entry by entry
        return _one_by_one(name, processor, batch)


def _one_by_one(
    name: str, processor: Processor, batch: Sequence[Entry]
) -> tuple[Sequence[Entry], list[_Failed]]:
    kept: list[Entry] = []
    failed: list[_Failed] = []
    for entry in batch:
        try:
            kept.extend(_checked(processor.process([entry]), [entry]))
        except _Contract as error:
            failed.append(_Failed(entry.id, name, "processor_contract", str(error)))
        except BaseException as error:  # noqa: BLE001 - delivered to the dead letters
            detail = describe(error)
            failed.append(_Failed(entry.id, name, "processor_error", detail))
    return kept, failed


def describe(error: BaseException) -> str:
    """What was raised, as text that can be stored, whatever a plugin raised."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - its own text is what fails
        text = f"{type(error).__name__}, which cannot be printed"
    return text.encode("utf-8", "replace").decode()


def _checked(result: object, batch: Sequence[Entry]) -> Sequence[Entry]:
    """What a processor returned, if it may. Raises _Contract."""
    if not isinstance(result, Sequence):
        raise _Contract(f"returned {type(result).__name__}, not a sequence of entries")
    if any(type(entry) is not Entry for entry in result):
        raise _Contract("returned something that is not an Entry")
    ids = [entry.id for entry in result]
    if len(ids) == len(batch) and all(
        mine == entry.id for mine, entry in zip(ids, batch, strict=True)
    ):
        return result
    given = {entry.id for entry in batch}
    if len(set(ids)) != len(ids):
        raise _Contract("returned two entries with one id")
    if not given.issuperset(ids):
        raise _Contract("returned an entry whose id was not in the batch")
    return result


def _entries_of(data: bytes, first_id: int) -> tuple[list[Entry], list[Dead]]:
    """Entries of lines, with their ids; what Python cannot read is dead."""
    try:
        return _entries_in_c(data, first_id), []
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    entries: list[Entry] = []
    dead: list[Dead] = []
    for entry_id, line in entry_lines(data, first_id):
        try:
            entries.append(_entry_of(line, entry_id))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            dead.append(unreadable(line, entry_id, describe(error)))
    return entries, dead


def _entries_in_c(data: bytes, first_id: int) -> list[Entry]:
    """Raises MsgspecError, ValueError: not all lines are canonical."""
    entries: list[Entry] = []
    for run_id, run in entry_runs(data, first_id):
        found = _decode(run)
        if len(found) != run.count(b"\n") + (not run.endswith(b"\n")):
            raise ValueError("not an entry a line")
        for entry_id, entry in enumerate(found, run_id):
            _set(entry, "id", entry_id)  # frozen for all others
            entries.append(entry if _is_normal(entry) else _normal(entry))
    return entries


def _entry_of(line: bytes, entry_id: int) -> Entry:
    try:
        found = _decode_journaled(line)
    except msgspec.ValidationError:
        found = msgspec.convert(decode_any_number(line), _Journaled)
    return _normal(
        Entry(
            id=entry_id,
            timestamp=found.timestamp,
            source=found.source,
            level=found.level,
            message=found.message,
            fields=found.fields or {},
        )
    )


_LEVELS = frozenset(LEVELS)


def _is_normal(entry: Entry) -> bool:
    """Whether `_normal` has nothing to do for sure; nearly always."""
    at = entry.timestamp
    return (
        entry.level in _LEVELS
        and 19 < len(at) < 31
        and at[10] == "T"
        and at[-1] == "Z"
        and at[-2] != "0"
    )


def _normal(entry: Entry) -> Entry:
    """The loader's SQL does the same for a batch that needs no Python."""
    at = entry.timestamp
    # It is RFC 3339 in UTC for sure, so a few characters tell whether it is canonical.
    if len(at) != 20 or at[10] != "T" or at[-1] != "Z":
        if not (20 < len(at) <= 30 and at[10] == "T" and at[-1] == "Z"):
            entry = msgspec.structs.replace(entry, timestamp=canonical(at))
        elif at[-2] == "0":
            at = at[:-1].rstrip("0").rstrip(".") + "Z"
            entry = msgspec.structs.replace(entry, timestamp=at)
    if entry.level in _LEVELS:
        return entry
    level = entry.level.lower()
    return msgspec.structs.replace(entry, level="warn" if level == "warning" else level)


def unreadable(
    line: bytes, entry_id: int, detail: str, reason: DeadReason = "load_error"
) -> Dead:
    """A line of a segment as a dead letter; as a text if it is no JSON."""
    try:
        decode_any_number(line)
    except (ValueError, RecursionError):
        line = _encode(line.decode(errors="replace"))
    return Dead(id=entry_id, processor="", reason=reason, detail=detail, entry=line)


def _encode_checked(batch: Sequence[Entry]) -> tuple[bytes, list[_Failed]]:
    try:
        payload = _encode_lines(batch)
        _check_lines(payload)
        return payload, []
    except Exception:  # noqa: BLE001 - found out entry by entry
        return _encode_one_by_one(batch)


def _encode_one_by_one(batch: Sequence[Entry]) -> tuple[bytes, list[_Failed]]:
    lines: list[bytes] = []
    failed: list[_Failed] = []
    for entry in batch:
        try:
            line = _encode(entry) + b"\n"
            _check_lines(line)
            lines.append(line)
        except _Contract as error:
            failed.append(_Failed(entry.id, "", "processor_contract", str(error)))
        except Exception as error:  # noqa: BLE001 - delivered to the dead letters
            detail = describe(error)
            failed.append(_Failed(entry.id, "", "processor_contract", detail))
    return b"".join(lines), failed


def _check_lines(payload: bytes) -> None:
    """Whether the loader can take them in. Raises _Contract, MsgspecError."""
    if not all_loadable([row.timestamp for row in _decode_checked(payload)]):
        raise _Contract("the timestamp is not in UTC, or not from 1970 to 2262")
    if too_deep_line(payload):
        raise _Contract(f"is nested deeper than {MAX_DEPTH} levels")
