"""Names in the config to places in an entry: read, set and remove by dotted name.

`source`, `level` and `message` name the entry's own parts; any other name is a field,
and `fields.level` is the field that is called `level`. Dots reach into nested objects;
where there is no such object, a field whose own name has the dots in it is meant, as in
the query language.
"""

from typing import Any

import msgspec

from logstream.core.entry import Entry
from logstream.core.errors import ConfigError
from logstream.core.levels import level_of

COLUMNS = ("source", "level", "message")
MISSING: Any = object()
"""What `read` gives for a field that is not there; None is a JSON null that is."""


class FieldPath:
    """A field, at the top or nested. Immutable."""

    __slots__ = ("_last", "_parts", "name")

    def __init__(self, name: str) -> None:
        """Raises ConfigError: a part of the name is empty."""
        self.name = name.removeprefix("fields.")
        self._parts = tuple(self.name.split("."))
        if not all(self._parts):
            raise ConfigError(f"'{name}' is no field's name: a part of it is empty")
        self._last = self._parts[-1]

    def read(self, fields: dict[str, Any]) -> Any:
        """The value, or `MISSING`."""
        found = self._nested(fields) if len(self._parts) > 1 else MISSING
        return fields.get(self.name, MISSING) if found is MISSING else found

    def put(self, fields: dict[str, Any], value: Any) -> bool:
        """Set it, making objects on the way.

        Args:
            fields: The caller's own: it is changed. Objects inside it are not, they
                are replaced by changed copies.
            value: A JSON value.

        Returns:
            False, and nothing is changed, when something on the way is no object.
        """
        if len(self._parts) == 1 or self._is_flat(fields):
            fields[self.name] = value
            return True
        if not self._passable(fields):
            return False
        inner = fields
        for part in self._parts[:-1]:
            inner[part] = dict(inner.get(part, ()))
            inner = inner[part]
        inner[self._last] = value
        return True

    def remove(self, fields: dict[str, Any]) -> None:
        """Take it out of `fields`, which is changed as by `put`. Missing is fine."""
        if len(self._parts) == 1 or self._nested(fields) is MISSING:
            fields.pop(self.name, None)
            return
        inner = fields
        for part in self._parts[:-1]:
            inner[part] = dict(inner[part])
            inner = inner[part]
        del inner[self._last]

    def _nested(self, fields: dict[str, Any]) -> Any:
        inner: Any = fields
        for part in self._parts:
            if not isinstance(inner, dict) or part not in inner:
                return MISSING
            inner = inner[part]
        return inner

    def _is_flat(self, fields: dict[str, Any]) -> bool:
        return self.name in fields and self._nested(fields) is MISSING

    def _passable(self, fields: dict[str, Any]) -> bool:
        inner: Any = fields
        for part in self._parts[:-1]:
            inner = inner.get(part, MISSING)
            if inner is MISSING:
                return True
            if not isinstance(inner, dict):
                return False
        return True


def column_value(column: str, value: Any) -> str | None:
    """What a JSON value is as source, level or message; None: it cannot be that."""
    if column == "level":
        return level_of(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return msgspec.json.encode(value).decode()
    return None


class Draft:
    """An entry being changed: a copy of its fields, and columns as they are set."""

    __slots__ = ("_entry", "columns", "fields")

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self.columns: dict[str, str] = {}
        self.fields = dict(entry.fields)

    def column(self, name: str) -> str:
        """`timestamp` too, as the text it is."""
        found = self.columns.get(name)
        return found if found is not None else getattr(self._entry, name)

    def finish(self) -> Entry:
        return msgspec.structs.replace(self._entry, fields=self.fields, **self.columns)
