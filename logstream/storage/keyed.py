"""What is kept of partitions in JSON, by key: `2026-11-20`, `2026-11-20.p2`."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from logstream.storage.partition import Key

T = TypeVar("T")


def as_texts(found: Mapping[Key, T]) -> dict[str, T]:
    return {str(key): value for key, value in found.items()}


def as_keys(kept: Mapping[str, T]) -> dict[Key, T]:
    """Raises msgspec.ValidationError: one is none."""
    return dict(zip(keys_of(kept), kept.values(), strict=True))


def keys_of(kept: Iterable[str]) -> list[Key]:
    """Raises msgspec.ValidationError: one is none."""
    try:
        return [Key.parse(text) for text in kept]
    except ValueError as error:
        raise msgspec.ValidationError(str(error)) from None
