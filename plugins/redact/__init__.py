"""redact: takes personal data and secrets out of messages and fields.

What it finds becomes `[email]`, `[card]`, `[ip]`, `[token]`, `[secret]`; with
`mode: hash` it becomes `[email:5d41402abc4b]`, where the same value has the same hash,
so entries can still be brought together without the value being known.

It works on the message and on all strings in the fields, at any depth; the names of
fields, `source` and `level` are left alone. Redacting twice is redacting once.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from logstream.plugins import (
    BuildContext,
    ConfigError,
    Entry,
    Options,
    ProcessorSpec,
    hookimpl,
)

# A plugin in a folder knows its own modules by their place only.
from .detectors import (  # noqa: TID252
    DETECTORS,
    Detector,
    Kind,
    Mark,
    cannot_match,
    is_card,
    is_secret,
)

MIN_KEY_BYTES = 16


class RedactOptions(Options, frozen=True, kw_only=True):
    kinds: tuple[Kind, ...] = ("email", "card", "ip", "token", "secret")
    """What is looked for."""

    patterns: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Patterns of your own: a name, and a Python regular expression. What it finds
    becomes `[name]`. They run first, in their order."""

    skip: tuple[str, ...] = ()
    """Fields that are left alone, with all that is in them; dots reach into objects."""

    mode: Literal["label", "hash"] = "label"
    """`label` writes `[email]`; `hash` writes `[email:…]` with 12 hex digits of an
    HMAC-SHA-256."""

    key_env: str | None = None
    """The environment variable with the key for `mode: hash`, at least 16 bytes.
    Whoever has the key can find out a value by trying all; keep it as a secret."""


class Redactor:
    """Without state between batches."""

    def __init__(
        self,
        *,
        own: Sequence[Detector],
        built_in: Sequence[Detector],
        mark: Mark,
        skip: Sequence[str] = (),
        secret_fields: bool = True,
        card_numbers: bool = True,
    ) -> None:
        self._own = own
        self._built_in = built_in
        self._mark = mark
        self._skip = frozenset(skip)
        self._secret_fields = secret_fields
        self._card_numbers = card_numbers

    def process(self, batch: Sequence[Entry]) -> Sequence[Entry]:
        return [self._redact(entry) for entry in batch]

    def _redact(self, entry: Entry) -> Entry:
        message = self.text(entry.message)
        fields = self._object(entry.fields, "")
        if message is entry.message and fields is entry.fields:
            return entry
        return msgspec.structs.replace(entry, message=message, fields=fields)

    def text(self, text: str) -> str:
        """The same object when there is nothing to redact."""
        for detect in self._own:
            text = detect(text, self._mark)
        if cannot_match(text):
            return text
        for detect in self._built_in:
            text = detect(text, self._mark)
        return text

    def _object(self, found: dict[str, Any], path: str) -> dict[str, Any]:
        changed: dict[str, Any] = {}
        for name, value in found.items():
            inner = f"{path}{name}" if self._skip else ""
            if inner in self._skip:
                continue
            cleaned = (
                self._mark("secret", str(value))
                if self._secret_fields and is_secret(name, value)
                else self._value(value, inner)
            )
            if cleaned is not value:
                changed[name] = cleaned
        return {**found, **changed} if changed else found

    def _value(self, value: Any, path: str) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self._object(value, f"{path}.")
        if isinstance(value, list):
            cleaned = [self._value(item, path) for item in value]
            same = all(new is old for new, old in zip(cleaned, value, strict=True))
            return value if same else cleaned
        if self._card_numbers and _long(value) and is_card(str(value)):
            return self._mark("card", str(value))
        return value


def _long(value: Any) -> bool:
    return type(value) is int and value > 10**12


def _label(kind: str, value: str) -> str:
    return f"[{kind}]"


def _hasher(options: RedactOptions) -> Mark:
    if options.key_env is None:
        raise ConfigError("mode: hash needs key_env, the variable that holds the key")
    key = os.environ.get(options.key_env, "").encode()
    if len(key) < MIN_KEY_BYTES:
        raise ConfigError(
            f"key_env: the environment variable {options.key_env} holds {len(key)} "
            f"bytes; a key has at least {MIN_KEY_BYTES}"
        )

    def mark(kind: str, value: str) -> str:
        digest = hmac.new(key, f"{kind}:{value}".encode(), hashlib.sha256)
        return f"[{kind}:{digest.hexdigest()[:12]}]"

    return mark


def _own(name: str, pattern: str) -> Detector:
    if not re.fullmatch(r"[\w-]+", name):
        raise ConfigError(f"patterns: '{name}' is no name: letters, digits, '-', '_'")
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"patterns.{name}: is no regular expression: {error}"
        ) from None
    if compiled.search(""):
        raise ConfigError(f"patterns.{name}: also finds the empty text")
    return lambda text, mark: compiled.sub(lambda found: mark(name, found[0]), text)


def build(options: RedactOptions, context: BuildContext) -> Redactor:
    """Raises ConfigError: no key, or a pattern that cannot be used."""
    if options.key_env is not None and options.mode == "label":
        raise ConfigError("key_env goes with mode: hash")
    own = [_own(name, pattern) for name, pattern in options.patterns.items()]
    built_in = [find for kind, find in DETECTORS.items() if kind in options.kinds]
    return Redactor(
        own=own,
        built_in=built_in,
        mark=_hasher(options) if options.mode == "hash" else _label,
        skip=options.skip,
        secret_fields="secret" in options.kinds,
        card_numbers="card" in options.kinds,
    )


@hookimpl
def logstream_processors() -> Sequence[ProcessorSpec]:
    return [
        ProcessorSpec(
            name="redact",
            summary="Replace e-mail, card and IP addresses, tokens and passwords.",
            options=RedactOptions,
            build=build,
        )
    ]
