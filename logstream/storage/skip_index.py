"""The skip index of a compacted day: which blocks of rows may hold a word or a value.

A Bloom filter per block, one after the other in a file beside the day's, mapped into
memory: a look-up reads a few bytes a block. It may say "maybe" where there is nothing
(1 block in 800), never "no" where there is something. Missing or damaged, it is as if
there were none: everything is read.

    line 1   JSON: see `Header`
    then     `blocks` sizes (uint32, in bytes), and the filters

Numbers are little-endian.
"""

import hashlib
import logging
import mmap
import os
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from logstream.core.doubts import DOUBTS
from logstream.core.needs import AllOf, AnyOf, Need, Value, Word

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

BLOCK_ROWS = 2048
"""DuckDB's vector: the least that it reads."""

VERSION = 4
BITS_PER_TOKEN = 14
PROBES = 10
ARRAY = "["
"""In place of the text of any array: one of its elements may be what is looked for."""
INDEXED_COLUMNS = ("source", "level")
"""Which hold no arrays."""
_FEW_BLOCKS = 128
_MAX_HEADER_BYTES = 1 << 20
_sound: dict[str, tuple[int, int, int]] = {}
"""By key: the files whose checksum fits, and how they were then. Of a few thousand."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    key: str
    """The same in the table `compacted` of the day that it belongs to."""
    rows: int
    names: frozenset[str]
    """Of fields that are in it; of others it says nothing."""
    arrays: frozenset[str] | None = None
    """Of these names, those of which some value is an array; None: nobody knows."""
    columns: bool = False
    """Each field of the day is a column in all of its row groups."""
    unfounded: tuple[str, ...] = ()
    """Names of doubts (see `core.doubts`) that nothing in the day gives reason for."""
    blocks: int
    crc: int
    """CRC-32 of all behind the header."""


class SkipIndex:
    """Thread-safe. Closed with the last use of it."""

    def __init__(self, header: Header, content: memoryview) -> None:
        import numpy as np

        self.rows = header.rows
        self.blocks = header.blocks
        self.names = header.names
        self.columns = header.columns
        self.unfounded = tuple(
            DOUBTS[name] for name in header.unfounded if name in DOUBTS
        )
        self._arrays = header.names if header.arrays is None else header.arrays
        sizes = np.frombuffer(content, dtype="<u4", count=header.blocks)
        self._bits = sizes.astype(np.uint64) * np.uint64(8)
        ends = np.cumsum(sizes, dtype=np.int64)
        self._starts = ends - sizes
        self._filters = np.frombuffer(content, dtype=np.uint8, offset=sizes.nbytes)
        if header.blocks and int(ends[-1]) != self._filters.size:
            raise ValueError("its sizes do not add up")

    def may_hold(self, need: Need) -> "NDArray[np.bool_]":
        """For each block, whether a row of it may fulfil the need."""
        import numpy as np

        match need:
            case Word(word):
                return self._probe(word)
            case Value(name, text):
                if name not in self.names:
                    return np.ones(self.blocks, dtype=bool)
                held = self._probe(token_of(name, text))
                if name in self._arrays and name not in INDEXED_COLUMNS:
                    held |= self._probe(token_of(name, ARRAY))
                return held
            case AllOf(needs):
                found = np.ones(self.blocks, dtype=bool)
                for inner in needs:
                    found &= self.may_hold(inner)
                return found
            case AnyOf(needs):
                found = np.zeros(self.blocks, dtype=bool)
                for inner in needs:
                    found |= self.may_hold(inner)
                return found

    def _probe(self, token: str) -> "NDArray[np.bool_]":
        """Bit by bit while there are many blocks, of which each leaves half; the other
        bits of the rest at once: a small day costs one step, 0.02 ms instead of 0.2.
        """
        import numpy as np

        hashed = np.array([token_hash(token)], dtype=np.uint64)
        probes = np.arange(PROBES, dtype=np.uint64)[:, np.newaxis]
        found = np.arange(self.blocks)
        while probes.size and found.size:
            now = probes[:1] if found.size > _FEW_BLOCKS else probes
            at = position(hashed, now, self._bits[found])
            held = self._filters[self._starts[found] + (at >> 3)]
            found = found[((held >> (at & 7).astype(np.uint8)) & 1).all(axis=0)]
            probes = probes[now.size :]
        mask = np.zeros(self.blocks, dtype=bool)
        mask[found] = True
        return mask


def token_of(name: str, text: str) -> str:
    """Of a value. No word has a `=`."""
    return f"{name}={text}"


def token_hash(token: str) -> int:
    """What `md5_number_lower` of DuckDB gives: the same in every version of it."""
    raw = token.encode("utf-8", "surrogatepass")
    digest = hashlib.md5(raw, usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little")


def position(hashed: Any, probe: Any, bits: Any) -> Any:
    """The bit of a token's nth probe, in a filter of so many bits."""
    import numpy as np

    low = hashed & np.uint64(0xFFFFFFFF)
    high = (hashed >> np.uint64(32)) | np.uint64(1)
    return ((low + np.uint64(probe) * high) % bits).astype(np.int64)


def write_index(
    path: Path,
    *,
    key: str,
    rows: int,
    names: Sequence[str],
    filters: Sequence[bytes],
    arrays: Collection[str] | None = None,
    columns: bool = False,
    unfounded: Collection[str] = (),
) -> None:
    """One filter a block. The caller syncs it."""
    sizes = b"".join(len(one).to_bytes(4, "little") for one in filters)
    crc = zlib.crc32(sizes)
    for one in filters:
        crc = zlib.crc32(one, crc)
    header = Header(
        version=VERSION,
        key=key,
        rows=rows,
        names=frozenset(names),
        arrays=None if arrays is None else frozenset(arrays),
        columns=columns,
        unfounded=tuple(unfounded),
        blocks=len(filters),
        crc=crc,
    )
    with path.open("wb") as file:
        file.write(msgspec.json.encode(header) + b"\n")
        file.write(sizes)
        file.writelines(filters)


def open_index(path: Path, *, key: str) -> SkipIndex | None:
    """The index of a day whose `compacted` has this key; None if it cannot be used.

    Its checksum is compared once in a process, while the file is as it was then: a
    search over a year opens the index of each day.
    """
    try:
        return _open(path, key)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        _log.warning("A skip index is not used: %s: %s", path, error)
        return None


def _open(path: Path, key: str) -> SkipIndex:
    with path.open("rb") as file:
        line = file.readline(_MAX_HEADER_BYTES)
        header = msgspec.json.decode(line, type=Header)
        if header.version != VERSION or header.key != key:
            raise ValueError("it belongs to another file or version")
        told = os.fstat(file.fileno())
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    content = memoryview(mapped)[len(line) :]
    state = (told.st_ino, told.st_size, told.st_mtime_ns)
    if _sound.get(key) != state:
        if zlib.crc32(content) != header.crc:
            raise ValueError("its checksum does not fit")
        _sound[key] = state
    return SkipIndex(header, content)
