"""Request bodies: received with a time limit, unpacked with a size limit.

Nothing here holds more of a body than its cap allows. A body that stops arriving is
given up after `server.body_timeout_s`, and one that is cut off is never taken for a
whole one.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import msgspec
from litestar import Request

from logstream.api.encodings import PIECE_BYTES, codings_of, unpacker_of
from logstream.api.errors import BodyCutOff, BodyTimeout
from logstream.core.errors import BadRequest, NotReady, TooLarge

INLINE_BYTES = 65_536
"""Work on a body up to this size is done on the event loop: a thread costs more."""

BLOCK_BYTES = 1_048_576
"""Blocks of a stream are at least this large, but for the last."""

_DRAIN_BYTES = 256 * 1_048_576
_DRAIN_S = 60.0
_DRAIN_STILL_S = 3.0
"""Without a byte of what is drained."""
_BEGUN = "logstream.body_begun"
_ENDED = "logstream.body_ended"

AnyRequest = Request[Any, Any, Any]


class Cap(msgspec.Struct, frozen=True):
    """The largest body of a call, unpacked, and what sets it."""

    limit_bytes: int
    key: str
    """The config key; empty when the limit is fixed."""

    def check(self, size_bytes: int) -> None:
        """Raise TooLarge if it is over."""
        if size_bytes > self.limit_bytes:
            advice = (
                f"send less at a time, or raise {self.key}"
                if self.key
                else "send something shorter"
            )
            raise TooLarge(
                f"The body is larger than {self.limit_bytes} bytes, unpacked: {advice}."
            )


class Bodies:
    """Receives the bodies of one server. Used from its event loop only."""

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._waiting: set[asyncio.Timeout] = set()
        self._stopping = False

    def abort(self) -> None:
        """Give up every body that is being waited for, now and from now on."""
        self._stopping = True
        now = asyncio.get_running_loop().time()
        for waiting in self._waiting:
            waiting.reschedule(now)

    async def whole(self, request: AnyRequest, cap: Cap) -> bytes:
        """The whole body, unpacked.

        Raises:
            TooLarge: over the cap.
            UnknownEncoding, BadRequest: it cannot be unpacked.
            BodyTimeout, BodyCutOff: it did not arrive.
        """
        codings = self._open(request, cap)
        if not codings:
            chunk, more = await self._receive(request)
            if not more or request.headers.get("content-length") == str(len(chunk)):
                cap.check(len(chunk))  # what ends it comes later, and says nothing
                return chunk
            blocks = self._plain(request, cap, chunk)
        else:
            blocks = self._unpacked(request, cap, codings)
        return b"".join([block async for block in blocks])

    async def blocks(self, request: AnyRequest, cap: Cap) -> AsyncIterator[bytes]:
        """The body, unpacked, in blocks of at least `BLOCK_BYTES` but for the last.

        Raises:
            Everything that `whole` raises, at any block.
        """
        codings = self._open(request, cap)
        source = (
            self._unpacked(request, cap, codings)
            if codings
            else self._plain(request, cap, b"")
        )
        parts: list[bytes] = []
        held = 0
        async for part in source:
            parts.append(part)
            held += len(part)
            if held >= BLOCK_BYTES:
                block = b"".join(parts)
                parts, held = [], 0
                yield block
        if held:
            yield b"".join(parts)

    async def drain(self, request: AnyRequest) -> None:
        """Receive and forget what is still coming, within limits.

        An answer that is sent while the other side still writes is lost to many
        clients: closing a socket with unread bytes resets the connection. One that
        waits to be asked for its body (`Expect`) is not asked.
        """
        if "expect" in request.headers and _BEGUN not in request.scope:
            return
        if _ENDED in request.scope:
            return  # to receive once more would be to wait until the other hangs up
        seen = 0
        try:
            async with asyncio.timeout(_DRAIN_S):
                more = True
                while more and seen < _DRAIN_BYTES:
                    async with asyncio.timeout(_DRAIN_STILL_S):
                        chunk, more = await self._receive(request)
                    seen += len(chunk)
        except (TimeoutError, BadRequest, NotReady):
            return

    def _open(self, request: AnyRequest, cap: Cap) -> tuple[str, ...]:
        headers = request.headers
        length = headers.get("content-length", "")
        if length.isdecimal():
            cap.check(int(length))
        header = headers.get("content-encoding")
        if header is None:
            return ()
        return codings_of(",".join(headers.getall("content-encoding")))

    async def _receive(self, request: AnyRequest) -> tuple[bytes, bool]:
        """The next bytes, and whether more follow."""
        try:
            async with asyncio.timeout(0 if self._stopping else self._timeout_s) as t:
                self._waiting.add(t)
                try:
                    cast("dict[str, Any]", request.scope)[_BEGUN] = True
                    message = await request.receive()
                finally:
                    self._waiting.discard(t)
        except TimeoutError:
            if self._stopping:
                raise NotReady("The server is stopping: send it again.") from None
            raise BodyTimeout(
                f"No byte of the body came for {self._timeout_s:g} s "
                "(server.body_timeout_s)."
            ) from None
        if message["type"] != "http.request":
            raise BodyCutOff("The body was cut off; nothing of it was stored.")
        more = message.get("more_body", False)
        if not more:
            cast("dict[str, Any]", request.scope)[_ENDED] = True
        return message["body"], more

    async def _plain(
        self, request: AnyRequest, cap: Cap, first: bytes
    ) -> AsyncIterator[bytes]:
        total = len(first)
        cap.check(total)
        if first:
            yield first
        more = True
        while more:
            chunk, more = await self._receive(request)
            total += len(chunk)
            cap.check(total)
            if chunk:
                yield chunk

    async def _unpacked(
        self, request: AnyRequest, cap: Cap, codings: tuple[str, ...]
    ) -> AsyncIterator[bytes]:
        unpacker = unpacker_of(codings)
        total = 0
        more = True
        while more:
            chunk, more = await self._receive(request)
            pieces = unpacker.feed(chunk)
            inline = len(chunk) <= INLINE_BYTES
            while part := (
                _take(pieces) if inline else await asyncio.to_thread(_take, pieces)
            ):
                total += len(part)
                cap.check(total)
                yield part
                # A small chunk that makes this much may make a thousand times more.
                inline = inline and len(part) < INLINE_BYTES
        rest = unpacker.finish()
        cap.check(total + len(rest))
        if rest:
            yield rest


def _take(pieces: Iterator[bytes]) -> bytes:
    """About `PIECE_BYTES` of what is there; nothing at the end."""
    parts: list[bytes] = []
    held = 0
    for piece in pieces:
        parts.append(piece)
        held += len(piece)
        if held >= PIECE_BYTES:
            break
    return b"".join(parts)
