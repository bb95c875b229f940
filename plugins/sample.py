"""sample: keeps a share of the entries, and all of those that matter.

The choice is a hash of the entry's id or of a field, not a die: the same entry is
chosen again after a crash and in every process; with `by: trace_id` a trace is whole.
Each kept entry says in `sample_rate` how many it stands for, so that counts can be put
right: `sum(coalesce(sample_rate, 1))`.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from logstream.core.levels import level_of
from logstream.plugins import (
    BuildContext,
    ConfigError,
    Entry,
    Options,
    Predicate,
    ProcessorSpec,
    hookimpl,
)

Share = Annotated[float, Meta(ge=0, le=1)]


class SampleOptions(Options, frozen=True, kw_only=True):
    share: Share | None = None
    """Keep this share: 0.1 is a tenth, 0 none, 1 all."""

    one_in: Annotated[int, Meta(ge=1)] | None = None
    """Keep one in so many; another way to write `share`."""

    levels: Mapping[str, Share] = msgspec.field(default_factory=dict)
    """A share for single levels: `debug: 0.01`. Comes before `share` and `always`."""

    always: tuple[str, ...] = ("warn", "error", "fatal")
    """Levels of which all are kept."""

    only: str | None = None
    """Sample only entries that match this query; keep all others."""

    by: str | None = None
    """The field, dotted at will, whose value decides, such as `trace_id`: entries with
    the same value are kept or dropped together (as far as their shares are the same).
    An entry without the field is decided by its id, and so are all without `by`."""

    field: str = "sample_rate"
    """The field that gets how many entries a kept one stands for, where that is more
    than one. A number there, from an earlier sampling, is multiplied. Empty: none."""

    seed: str = ""
    """Changes the choice. Give two samplers in a row different ones, or the second
    chooses among what the first chose by the same hash."""


_WHOLE = 1 << 64


class Sampler:
    """Without state: the same entry is always decided in the same way."""

    def __init__(
        self,
        options: SampleOptions,
        shares: Mapping[str, float],
        only: Predicate | None,
    ) -> None:
        self._shares = shares
        self._other = _share(options)
        self._only = only
        self._name = options.by.removeprefix("fields.") if options.by else ""
        self._path = self._name.split(".") if self._name else ()
        self._field = options.field
        self._seed = blake2b(options.seed.encode(), digest_size=16).digest()

    def process(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        kept: list[Entry] = []
        for entry in batch:
            share = self._shares.get(entry.level, self._other)
            if share >= 1 or (self._only and not self._only.matches(entry)):
                kept.append(entry)
            elif self._hash(entry) < share * _WHOLE:
                kept.append(self._mark(entry, share))
        return kept

    def _hash(self, entry: Entry) -> int:
        value = self._value(entry.fields) if self._path else None
        text = str(entry.id) if value is None else f"{value}"
        digest = blake2b(text.encode(), digest_size=8, key=self._seed).digest()
        return int.from_bytes(digest, "big")

    def _value(self, fields: Mapping[str, Any]) -> Any:
        found: Any = fields
        for part in self._path:
            found = found.get(part) if isinstance(found, dict) else None
        return fields.get(self._name) if found is None else found

    def _mark(self, entry: Entry, share: float) -> Entry:
        if not self._field:
            return entry
        before = entry.fields.get(self._field, 1)
        if not isinstance(before, int | float) or before < 1:
            before = 1
        rate = round(before / share, 6)
        number = int(rate) if rate == int(rate) else rate
        fields = {**entry.fields, self._field: number}
        return msgspec.structs.replace(entry, fields=fields)


def _share(options: SampleOptions) -> float:
    """Of levels that are in no list."""
    if options.one_in is not None:
        return 1 / options.one_in
    return 1.0 if options.share is None else options.share


def _level(key: str, name: str) -> str:
    level = level_of(name)
    if level is None:
        raise ConfigError(f"{key}: '{name}' is no level")
    return level


def build(options: SampleOptions, context: BuildContext) -> Sampler:
    """Raises ConfigError: no share or two, or a word that is no level."""
    if options.share is not None and options.one_in is not None:
        raise ConfigError("share and one_in say the same thing: give one of them")
    if options.share is None and options.one_in is None and not options.levels:
        raise ConfigError("give share, one_in or levels")
    shares = {_level("always", name): 1.0 for name in options.always}
    for name, share in options.levels.items():
        shares[_level("levels", name)] = share
    only = context.compile_filter(options.only) if options.only else None
    return Sampler(options, shares, only)


@hookimpl
def logstream_processors() -> Sequence[ProcessorSpec]:
    return [
        ProcessorSpec(
            name="sample",
            summary="Keep a share of the entries, and all of some levels.",
            options=SampleOptions,
            build=build,
        )
    ]
