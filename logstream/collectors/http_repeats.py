"""Which records of a response were in one before.

A server that is polled answers with what it answered before and a little more. A
record that carries its own time is the same record whenever it comes again, so those
are remembered for long. A record without one is only compared with the response
before: "disk full" may truly happen twice. Both as multisets: two equal lines in one
response are two lines.
"""

import base64
import binascii
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

MIN_REMEMBERED = 4096
_HASH_BYTES = 8


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Hashes of records, each as often as it was seen, 8 bytes each, in Base64."""

    timed: str = ""
    untimed: str = ""


class Repeats:
    """What was seen so far. `of` changes nothing; take its second result to go on."""

    def __init__(
        self,
        timed: Mapping[bytes, int] | None = None,
        untimed: Mapping[bytes, int] | None = None,
    ) -> None:
        self._timed = dict(timed or {})
        self._untimed = dict(untimed or {})

    @classmethod
    def from_seen(cls, seen: Seen) -> "Repeats":
        return cls(_unpacked(seen.timed), _unpacked(seen.untimed))

    def seen(self) -> Seen:
        return Seen(timed=_packed(self._timed), untimed=_packed(self._untimed))

    def new_in(
        self, records: Sequence[bytes], timed: Sequence[bool]
    ) -> tuple[list[int], "Repeats"]:
        """The indexes of the records that are new, and what is seen after them."""
        now: tuple[Counter[bytes], Counter[bytes]] = (Counter(), Counter())
        before = (self._untimed, self._timed)
        new: list[int] = []
        for index, (record, has_time) in enumerate(zip(records, timed, strict=True)):
            key = hashlib.blake2b(record, digest_size=_HASH_BYTES).digest()
            now[has_time][key] += 1
            if now[has_time][key] > before[has_time].get(key, 0):
                new.append(index)
        untimed_now, timed_now = now
        remembered = dict(self._timed)
        for key, count in timed_now.items():
            # Taken out and put in again: last in the order of forgetting.
            remembered[key] = max(count, remembered.pop(key, 0))
        excess = len(remembered) - max(MIN_REMEMBERED, len(timed_now))
        for key in list(remembered)[: max(0, excess)]:
            del remembered[key]
        return new, Repeats(remembered, untimed_now)


def _packed(hashes: Mapping[bytes, int]) -> str:
    return base64.b64encode(b"".join(k * n for k, n in hashes.items())).decode()


def _unpacked(text: str) -> dict[bytes, int]:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return {}
    step = _HASH_BYTES
    return dict(Counter(data[at : at + step] for at in range(0, len(data), step)))
