"""`enrich`: copy, rename, remove and add fields, always in that order.

Options that cannot work are refused at start-up; a field that an entry does not have is
no error, the step is left out for that entry.
"""

import os
import re
import socket
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from logstream.core.entry import Entry
from logstream.core.errors import ConfigError
from logstream.core.sql import Sql
from logstream.plugins.contracts import BuildContext, Options, Rewrite
from logstream.processors.field_paths import (
    COLUMNS,
    MISSING,
    Draft,
    FieldPath,
    column_value,
)


class EnrichOptions(Options, frozen=True, kw_only=True):
    copy: dict[str, str] = msgspec.field(default_factory=dict)
    """New name: old name. The old one stays. `timestamp` can be copied from."""

    rename: dict[str, str] = msgspec.field(default_factory=dict)
    """Old name: new name."""

    remove: tuple[str, ...] = ()
    """Names of fields to take out."""

    add: dict[str, Any] = msgspec.field(default_factory=dict)
    """Name: value, any JSON value. In text, `${NAME}` is an environment variable, read
    once at start; `${HOSTNAME}` is this machine's name even when it is not set. `$$`
    is one `$`."""

    overwrite: bool = True
    """Whether copy, rename and add replace a value that is there. With false they
    cannot set source, level and message, which always are."""


Step = Callable[[Draft], None]

_MAX_CONSTANT_CHARS = 500
"""As JSON. Longer ones need Python, which checks how deep they are nested."""

_REFERENCE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class EnrichProcessor:
    """Without state between batches."""

    def __init__(
        self,
        *,
        steps: Sequence[Step],
        columns: dict[str, str],
        fields: dict[str, Any],
    ) -> None:
        self._steps = steps
        """What has to be done one by one."""
        self._columns = columns
        self._fields = fields
        """Set after the steps, whatever was there."""

    def process(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        if self._steps:
            return [self._enrich(entry) for entry in batch]
        replace, fields, columns = msgspec.structs.replace, self._fields, self._columns
        if not columns:
            return [
                replace(entry, fields={**entry.fields, **fields}) for entry in batch
            ]
        return [
            replace(entry, fields={**entry.fields, **fields}, **columns)
            for entry in batch
        ]

    def _enrich(self, entry: Entry) -> Entry:
        draft = Draft(entry)
        for step in self._steps:
            step(draft)
        draft.fields.update(self._fields)
        draft.columns.update(self._columns)
        return draft.finish()

    def rewrite(self) -> Rewrite | None:
        """Constants only; None: a step has to look at each entry."""
        if self._steps:
            return None
        fields = {name: _json(value) for name, value in self._fields.items()}
        if sum(map(len, fields.values())) > _MAX_CONSTANT_CHARS:
            return None
        columns = {
            name: Sql("CAST(? AS VARCHAR)", (value,))
            for name, value in self._columns.items()
        }
        return Rewrite(columns=columns, set_fields=fields)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def build_enrich(options: EnrichOptions, context: BuildContext) -> EnrichProcessor:
    """Raises ConfigError: nothing to do, a name that cannot be used, or no variable."""
    if not (options.copy or options.rename or options.remove or options.add):
        raise ConfigError("nothing to do: give copy, rename, remove or add")
    free = not options.overwrite
    steps: list[Step] = [
        *(
            _copy_step(_readable(old), _writable(new, options), only_if_free=free)
            for new, old in options.copy.items()
        ),
        *(
            _rename_step(
                _removable("rename", old), _writable(new, options), only_if_free=free
            )
            for old, new in options.rename.items()
        ),
        *(_remove_step(_removable("remove", name)) for name in options.remove),
    ]
    columns: dict[str, str] = {}
    fields: list[tuple[FieldPath, Any]] = []
    for name, raw in options.add.items():
        target, value = _writable(name, options), _as_json(_resolve(raw))
        if isinstance(target, str):
            columns[target] = _constant(target, value)
        else:
            fields.append((target, value))
    if free or any("." in target.name for target, _ in fields):
        steps += [_add_step(*field, only_if_free=free) for field in fields]
        fields = []
    return EnrichProcessor(
        steps=steps,
        columns=columns,
        fields={target.name: value for target, value in fields},
    )


def _as_json(value: Any) -> Any:
    """As it will be stored: a number that is not finite is null, a date is text."""
    try:
        return msgspec.json.decode(msgspec.json.encode(value))
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise ConfigError(f"add: this is no JSON value: {value!r:.80}") from error


def _writable(name: str, options: EnrichOptions) -> FieldPath | str:
    if name in ("timestamp", "id"):
        raise ConfigError(
            f"'{name}' of an entry cannot be set here; the field is 'fields.{name}'"
        )
    if name not in COLUMNS:
        return FieldPath(name)
    if not options.overwrite:
        raise ConfigError(
            f"'{name}' is always there, so with overwrite: false it is never set; "
            f"the field is 'fields.{name}'"
        )
    return name


def _readable(name: str) -> FieldPath | str:
    return name if name in (*COLUMNS, "timestamp") else FieldPath(name)


def _removable(key: str, name: str) -> FieldPath:
    if name in (*COLUMNS, "timestamp", "id"):
        raise ConfigError(
            f"{key}: every entry has '{name}', so it cannot be taken away (copy it); "
            f"the field is 'fields.{name}'"
        )
    return FieldPath(name)


def _put(
    draft: Draft, target: FieldPath | str, value: Any, *, only_if_free: bool
) -> bool:
    if isinstance(target, FieldPath):
        if only_if_free and target.read(draft.fields) is not MISSING:
            return False
        return target.put(draft.fields, value)
    text = column_value(target, value)
    if text is None:
        return False
    draft.columns[target] = text
    return True


def _copy_step(
    old: FieldPath | str, new: FieldPath | str, *, only_if_free: bool
) -> Step:
    def step(draft: Draft) -> None:
        value = draft.column(old) if isinstance(old, str) else old.read(draft.fields)
        if value is not MISSING:
            _put(draft, new, value, only_if_free=only_if_free)

    return step


def _rename_step(old: FieldPath, new: FieldPath | str, *, only_if_free: bool) -> Step:
    def step(draft: Draft) -> None:
        value = old.read(draft.fields)
        if value is MISSING:
            return
        before = dict(draft.fields)
        # Taken away first: `a.b` may be renamed to `a`, and the value hold a `b`.
        old.remove(draft.fields)
        if not _put(draft, new, value, only_if_free=only_if_free):
            draft.fields = before

    return step


def _remove_step(name: FieldPath) -> Step:
    def step(draft: Draft) -> None:
        name.remove(draft.fields)

    return step


def _add_step(target: FieldPath, value: Any, *, only_if_free: bool) -> Step:
    def step(draft: Draft) -> None:
        _put(draft, target, value, only_if_free=only_if_free)

    return step


def _constant(column: str, value: Any) -> str:
    text = column_value(column, value)
    if text is None:
        raise ConfigError(f"add: {value!r} cannot be a {column}")
    return text


def _resolve(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _resolve(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_resolve(inner) for inner in value]
    return _REFERENCE.sub(_variable, value) if isinstance(value, str) else value


def _variable(found: re.Match[str]) -> str:
    name = found[1]
    if name is None:
        return "$"
    value = os.environ.get(name)
    if value is None and name == "HOSTNAME":
        return socket.gethostname()
    if value is None:
        raise ConfigError(f"add: the environment variable {name} is not set")
    return value
