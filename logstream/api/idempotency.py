"""`Idempotency-Key`: a repeated request is answered as the first, and stores nothing.

The answer is remembered in the same write as the entries (`journal.answers`), so a
crash leaves both or neither. A request that is refused, or fails, does not use up its
key. Two with one key at the same time take turns: the second waits for the first.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from hashlib import blake2b

from litestar import Response

from logstream.api.bodies import AnyRequest, Bodies, Cap
from logstream.api.context import json_answer
from logstream.api.errors import KeyMismatch
from logstream.api.key_turns import KEY_HEADER
from logstream.api.operations import Header
from logstream.core.errors import BadRequest, TooLarge
from logstream.core.timestamps import now_ns
from logstream.journal.answers import Answer
from logstream.pipeline.intake_stream import StreamResult
from logstream.telemetry.metrics import REPEATED

REPLAYED_HEADER = "Idempotency-Replayed"
MAX_KEY_CHARS = 255

KEY_PARAMETER = Header(
    name=KEY_HEADER,
    description="Any text that is new for each new request. The same request with the "
    "same key again, within `intake.idempotency_window_s`, is answered as before, with "
    f"`{REPLAYED_HEADER}: true`, and stores nothing; another request: 422.",
    example="6a1f0d0e-1a52-4f7e-9d8b-0f6f1b0c2d11",
)


class Keyed:
    """One request with a key, and the digest of what it sends."""

    def __init__(
        self, key: str, *parts: str, answer: Callable[[StreamResult], bytes]
    ) -> None:
        self.key = key
        self._answer = answer
        self._digest = blake2b("\n".join(parts).encode() + b"\n", digest_size=16)

    def see(self, body: bytes) -> bytes:
        """A part of the body, unpacked; handed back."""
        self._digest.update(body)
        return body

    async def seeing(self, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for block in blocks:
            yield self.see(block)

    def remember(self, result: StreamResult) -> Mapping[str, Answer]:
        """For `Intake`, when all of the body was seen."""
        body = self._answer(result).decode()
        return {self.key: Answer(now_ns(), self._digest.hexdigest(), body)}

    async def again(
        self, known: Answer, request: AnyRequest, bodies: Bodies, cap: Cap
    ) -> Response[bytes]:
        """The answer of the first request, to one that repeats it.

        Raises:
            KeyMismatch: it sends something else.
        """
        try:
            async for block in bodies.blocks(request, cap):
                self.see(block)
        except TooLarge:
            await bodies.drain(request)
            raise
        if self._digest.hexdigest() != known.digest:
            raise KeyMismatch(
                f"The {KEY_HEADER} {self.key[:80]!r} was used for another request: "
                "take a new one for each new request."
            )
        REPEATED.inc()
        return json_answer(known.result.encode(), {REPLAYED_HEADER: "true"})


def key_of(request: AnyRequest) -> str | None:
    """The key, if there is one.

    Raises:
        BadRequest: it is empty, too long, or not printable ASCII.
    """
    key = request.headers.get(KEY_HEADER)
    if key is None:
        return None
    if not (0 < len(key) <= MAX_KEY_CHARS and key.isascii() and key.isprintable()):
        raise BadRequest(
            f"The header {KEY_HEADER} has to be 1 to {MAX_KEY_CHARS} printable ASCII "
            "characters."
        )
    return key
