"""The skip index of a compacted day: which blocks of rows may hold a word or a value.

Tables of tokens, each of some blocks, one after the other in a file beside the day's,
mapped into memory: a look-up reads a few bytes of each table. It may say "maybe" where
there is nothing (1 block in 30 000), never "no" where there is something. Missing or
damaged, it is as if there were none: everything is read.

    line 1   JSON: see `Header`
    then     the tables: see `token_table`
    at last  CRC-32 of all before it, four bytes, the lowest first
"""

import hashlib
import logging
import mmap
import os
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from logstream.core.needs import AllOf, AnyOf, Need, Value, Word
from logstream.storage.token_table import Sizes, TokenTable

_log = logging.getLogger(__name__)

BLOCK_ROWS = 2048
"""DuckDB's vector: the least that it reads."""

VERSION = 7
ARRAY = "["
"""In place of the text of any array: one of its elements may be what is looked for."""
INDEXED_COLUMNS = ("source", "level")
"""Which hold no arrays."""
_MAX_HEADER_BYTES = 1 << 20
_CRC_BYTES = 4
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
    together: bool = False
    """None of them is one: there are too many."""
    in_place: bool = False
    """The number of each row was its place, when the day was compacted."""
    unfounded: tuple[str, ...] = ()
    """Names of doubts (see `core.doubts`) that nothing in the day gives reason for."""
    tables: tuple[Sizes, ...]
    """Each begins with the block behind the last one of the table before."""


class SkipIndex:
    """Thread-safe. Closed with the last use of it."""

    def __init__(self, header: Header, content: memoryview) -> None:
        self.rows = header.rows
        self.blocks = sum(sizes.blocks for sizes in header.tables)
        self._all = (1 << self.blocks) - 1
        self.names = header.names
        self.columns = header.columns
        self.together = header.together
        self.in_place = header.in_place
        self.unfounded = frozenset(header.unfounded)
        self._arrays = header.names if header.arrays is None else header.arrays
        self._tables: list[TokenTable] = []
        for sizes in header.tables:
            table = TokenTable(sizes, content)
            self._tables.append(table)
            content = content[table.size :]
        if content:
            raise ValueError("it is longer than its tables")

    def may_hold(self, need: Need) -> int:
        """Blocks of which a row may fulfil the need: bits, the first one the lowest."""
        match need:
            case Word(word):
                return self._look_up(word)
            case Value(name, text):
                if name not in self.names:
                    return self._all
                held = self._look_up(token_of(name, text))
                if name in self._arrays and name not in INDEXED_COLUMNS:
                    held |= self._look_up(token_of(name, ARRAY))
                return held
            case AllOf(needs):
                found = self._all
                for inner in needs:
                    found &= self.may_hold(inner)
                return found
            case AnyOf(needs):
                found = 0
                for inner in needs:
                    found |= self.may_hold(inner)
                return found

    def _look_up(self, token: str) -> int:
        hashed = token_hash(token)
        found = start = 0
        for table in self._tables:
            bits = 0
            for block in table.blocks_of(hashed):
                bits |= 1 << block
            found |= bits << start
            start += table.blocks
        return found


def token_of(name: str, text: str) -> str:
    """Of a value. No word has a `=`."""
    return f"{name}={text}"


def token_hash(token: str) -> int:
    """What `md5_number_lower` of DuckDB gives: the same in every version of it."""
    raw = token.encode("utf-8", "surrogatepass")
    digest = hashlib.md5(raw, usedforsecurity=False).digest()
    return int.from_bytes(digest[8:], "little")


def write_index(
    path: Path,
    *,
    key: str,
    rows: int,
    names: Sequence[str],
    tables: Sequence[tuple[Sizes, bytes]],
    arrays: Collection[str] | None = None,
    columns: bool = False,
    together: bool = False,
    in_place: bool = False,
    unfounded: Collection[str] = (),
) -> None:
    """The caller syncs it."""
    header = Header(
        version=VERSION,
        key=key,
        rows=rows,
        names=frozenset(names),
        arrays=None if arrays is None else frozenset(arrays),
        columns=columns,
        together=together,
        in_place=in_place,
        unfounded=tuple(unfounded),
        tables=tuple(sizes for sizes, _ in tables),
    )
    parts = (msgspec.json.encode(header) + b"\n", *(table for _, table in tables))
    crc = 0
    with path.open("wb") as file:
        for part in parts:
            crc = zlib.crc32(part, crc)
            file.write(part)
        file.write(crc.to_bytes(_CRC_BYTES, "little"))


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


def has_index(path: Path, *, key: str) -> bool:
    """Whether `open_index` would open it, if it is sound. Reads the header only."""
    try:
        with path.open("rb") as file:
            _read_header(file, key)
    except (OSError, ValueError, msgspec.MsgspecError):
        return False
    return True


def _read_header(file: BinaryIO, key: str) -> tuple[Header, int]:
    """And how long it is."""
    line = file.readline(_MAX_HEADER_BYTES)
    header = msgspec.json.decode(line, type=Header)
    if header.version != VERSION or header.key != key:
        raise ValueError("it belongs to another file or version")
    return header, len(line)


def _open(path: Path, key: str) -> SkipIndex:
    with path.open("rb") as file:
        header, size = _read_header(file, key)
        told = os.fstat(file.fileno())
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    content = memoryview(mapped)
    before, crc = content[:-_CRC_BYTES], content[-_CRC_BYTES:]
    state = (told.st_ino, told.st_size, told.st_mtime_ns)
    if _sound.get(key) != state:
        if zlib.crc32(before) != int.from_bytes(crc, "little"):
            raise ValueError("its checksum does not fit")
        _sound[key] = state
    return SkipIndex(header, before[size:])
