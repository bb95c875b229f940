"""Content-Encoding, undone as the bytes come in, never more than a piece at a time.

A compressed body of a few kilobytes can unpack to gigabytes. So each unpacker is an
iterator of pieces of about `PIECE_BYTES`; whoever takes them counts and can stop.

| coding | how a piece stays small |
| --- | --- |
| gzip, deflate, br | the library takes an output limit |
| zstd | it takes none: input goes in 64 bytes at a time. A block costs at least four \
bytes and makes at most 128 KiB, so a step makes 2 MiB at most. Measured: 48 MB of \
NDJSON in 37 ms so, 18 ms with unlimited steps |
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import brotli  # type: ignore[import-untyped]
import zstandard

from logstream.core.errors import BadRequest, UnknownEncoding

PIECE_BYTES = 1_048_576

MAX_CODINGS = 2
"""Codings that one body may be wrapped in; more is a bomb or a mistake."""

_ZSTD_STEP_BYTES = 64
_ZSTD_WINDOW_BYTES = 8 * 1_048_576
"""RFC 9659: the largest window that `zstd` may ask for over HTTP."""


class Unpacker(Protocol):
    """Undoes one coding. Not thread-safe; one per body."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces that this data unpacks to. Take them all before the next feed.

        Raises:
            BadRequest: the data is corrupt.
        """
        ...

    def finish(self) -> bytes:
        """What is left at the end.

        Raises:
            BadRequest: the data ended too soon.
        """
        ...


def _corrupt(coding: str, why: object) -> BadRequest:
    return BadRequest(f"The body is not valid {coding}: {why}.")


def _cut_off(coding: str) -> BadRequest:
    return BadRequest(f"The {coding} body is cut off: it ends in the middle.")


class _Zlib:
    """gzip of any number of members, or deflate with or without the zlib wrapper."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._many = coding == "gzip"
        self._head = b""
        self._stream: zlib._Decompress | None = None
        self._members = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            stream = self._stream
            if stream is None:
                data = self._begin(data)
                continue
            try:
                piece = stream.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise _corrupt(self._coding, error) from None
            if piece:
                yield piece
            data = stream.unconsumed_tail
            if stream.eof:
                data = stream.unused_data
                self._stream = None
                self._members += 1

    def finish(self) -> bytes:
        if self._stream is None:
            if self._members and not self._head:
                return b""
            raise _cut_off(self._coding)
        # A match that the output limit cut in two: some kilobytes at most.
        rest = self._stream.flush()
        if not self._stream.eof:
            raise _cut_off(self._coding)
        return rest

    def _begin(self, data: bytes) -> bytes:
        """Start a stream, or wait for enough of a head to know its kind."""
        if self._members:
            if not self._many:
                raise _corrupt(self._coding, "there is more after its end")
            data = data.lstrip(b"\0")
        data = self._head + data
        if len(data) < 2:
            self._head = data
            return b""
        self._head = b""
        if self._many:
            wbits = 31
        else:
            wrapped = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
            wbits = 15 if wrapped else -15
        self._stream = zlib.decompressobj(wbits)
        return data


class _Zstd:
    """zstd of any number of frames."""

    def __init__(self, _: str) -> None:
        self._library = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        self._frame = self._library.decompressobj()
        self._begun = False
        self._frames = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        view = memoryview(data)
        at = 0
        while at < len(view):
            step = view[at : at + _ZSTD_STEP_BYTES]
            at += len(step)
            self._begun = True
            try:
                piece = self._frame.decompress(step)
            except zstandard.ZstdError as error:
                raise _corrupt("zstd", error) from None
            if piece:
                yield piece
            if self._frame.eof:
                at -= len(self._frame.unused_data)
                self._frame = self._library.decompressobj()
                self._begun = False
                self._frames += 1

    def finish(self) -> bytes:
        if self._begun or not self._frames:
            raise _cut_off("zstd")
        return b""


class _Brotli:
    def __init__(self, _: str) -> None:
        self._stream = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        try:
            piece = self._stream.process(data, output_buffer_limit=PIECE_BYTES)
            while piece:
                yield piece
                if self._stream.can_accept_more_data():
                    return
                piece = self._stream.process(b"", output_buffer_limit=PIECE_BYTES)
        except brotli.error as error:
            raise _corrupt("br", error) from None

    def finish(self) -> bytes:
        if not self._stream.is_finished():
            raise _cut_off("br")
        return b""


class _Stack:
    """Two codings, the outer one undone first."""

    def __init__(self, outer: Unpacker, inner: Unpacker) -> None:
        self._outer = outer
        self._inner = inner

    def feed(self, data: bytes) -> Iterator[bytes]:
        for piece in self._outer.feed(data):
            yield from self._inner.feed(piece)

    def finish(self) -> bytes:
        rest = b"".join(self._inner.feed(self._outer.finish()))
        return rest + self._inner.finish()


_MAKERS: dict[str, Callable[[str], Unpacker]] = {
    "gzip": _Zlib,
    "deflate": _Zlib,
    "zstd": _Zstd,
    "br": _Brotli,
}
_OTHER_NAMES = {"x-gzip": "gzip", "x-zstd": "zstd", "zlib": "deflate"}

CODINGS = tuple(_MAKERS)


def codings_of(header: str) -> tuple[str, ...]:
    """The codings that a Content-Encoding header names, in the order applied.

    Raises:
        UnknownEncoding: one is not ours, or there are more than `MAX_CODINGS`.
    """
    names = [name.strip().lower() for name in header.split(",")]
    found = tuple(
        _OTHER_NAMES.get(name, name) for name in names if name not in {"", "identity"}
    )
    for name in found:
        if name not in _MAKERS:
            raise UnknownEncoding(
                f"The Content-Encoding {name[:40]!r} is not known here: "
                f"send {', '.join(CODINGS)} or none."
            )
    if len(found) > MAX_CODINGS:
        raise UnknownEncoding(
            f"The body is encoded {len(found)} times over; {MAX_CODINGS} is the most."
        )
    return found


def unpacker_of(codings: Sequence[str]) -> Unpacker:
    """What undoes these codings, of which there is at least one."""
    first, *others = codings
    unpacker = _MAKERS[first](first)
    for name in others:
        unpacker = _Stack(_MAKERS[name](name), unpacker)
    return unpacker
