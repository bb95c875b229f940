"""The sink that sends to a LogStream server, each batch once, for as long as it takes.

A batch and its positions travel in one request and are stored in one write. After a
failure that leaves open whether the server stored the batch, the sink asks for the
positions: if they are the batch's, it is stored and not sent again. A batch without
positions, or one that moves none, cannot be told apart that way; it is sent again.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

import httpx
import msgspec
import zstandard

from logstream.core.entry import Entry
from logstream.core.errors import (
    ConfigError,
    EntryRejected,
    ServerUnreachable,
    TooLarge,
)
from logstream.core.rejections import REASONS

POSITIONS_HEADER = "LogStream-Positions"

_COMPRESS_FROM_BYTES = 4096
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_LONGEST_RETRY_AFTER_S = 300.0
_TIMEOUT = httpx.Timeout(10.0, read=300.0, write=60.0)
"""Reads are long: an answer comes after an fsync on a disk that may be busy, and to
give up early only makes it unclear whether the batch was stored."""

# Failures in which no byte of the batch reached the server.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Report = Callable[[str], None]


class _Refused(Exception):
    """The server answered, and may take the batch later."""

    def __init__(self, reason: str, *, retry_after_s: float, unclear: bool) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        self.unclear = unclear


class RemoteSink:
    """Use as an async context manager, on one event loop. Calls may overlap.

    Args:
        url: Of the server, such as `http://127.0.0.1:8000`.
        report: Told why and how long the sink waits, once for each wait.
        sleep: Takes seconds; tests pass one that returns at once.
        jitter: 0 to 1, spreads the pauses of many senders.

    Raises:
        ConfigError: the URL is not one of HTTP.
    """

    def __init__(
        self,
        url: str,
        *,
        report: Report = lambda _: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.url = url.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise ConfigError(
                f"{url!r} is no address of a server: write such as http://127.0.0.1:8000"
            )
        self._report = report
        self._sleep = sleep
        self._jitter = jitter
        self._client = httpx.AsyncClient(base_url=self.url, timeout=_TIMEOUT)
        self._encoder = msgspec.json.Encoder()
        self._known: dict[str, Any] = {}
        """Positions that the server is known to hold, as JSON values."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def send(
        self, entries: Sequence[Entry], *, positions: Mapping[str, Any]
    ) -> None:
        """Return when the server has the entries and the positions on disk.

        Raises:
            EntryRejected: an entry can never be stored; nothing of the call was.
            TooLarge: the same, for size, of one entry or of the whole.
            ServerUnreachable: something answers that is no LogStream server.
        """
        text = json.dumps(dict(positions))  # ASCII, as a header has to be
        wanted: dict[str, Any] = json.loads(text)
        body = self._encoder.encode_lines(_without_ids(entries))
        headers = {"Content-Type": "application/x-ndjson"}
        if wanted:
            headers[POSITIONS_HEADER] = text
        if len(body) > _COMPRESS_FROM_BYTES:
            body = await asyncio.to_thread(_compress, body)
            headers["Content-Encoding"] = "zstd"
        await self._deliver(body, headers, wanted)
        self._known.update(wanted)

    async def positions(self, names: Iterable[str]) -> dict[str, Any]:
        """Waits while the server is away.

        Raises:
            ServerUnreachable: something answers that is no LogStream server.
        """
        attempt = 0
        wanted = list(names)
        while True:
            try:
                return await self._ask(wanted)
            except (httpx.TransportError, _Refused) as error:
                attempt += 1
                await self._pause(attempt, error)

    async def _deliver(
        self, body: bytes, headers: Mapping[str, str], wanted: Mapping[str, Any]
    ) -> None:
        attempt = 0
        unclear = False
        # Whether asking can tell: some position has to differ from what was there.
        tells = any(
            name not in self._known or self._known[name] != value
            for name, value in wanted.items()
        )
        while True:
            try:
                if unclear and tells and await self._ask(list(wanted)) == wanted:
                    return
                await self._post(body, headers)
                return
            except _NOT_SENT as error:
                failure: Exception = error
            except httpx.TransportError as error:
                failure, unclear = error, True
            except _Refused as error:
                failure, unclear = error, unclear or error.unclear
            attempt += 1
            await self._pause(attempt, failure)

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> None:
        response = await self._client.post(
            "/api/v1/logs/batch", content=body, headers=headers
        )
        self._check(response)

    async def _ask(self, names: list[str]) -> dict[str, Any]:
        if not names:
            return {}
        response = await self._client.get("/api/v1/positions", params={"name": names})
        self._check(response)
        try:
            found: dict[str, Any] = dict(response.json()["positions"])
        except (ValueError, KeyError, TypeError):
            raise ServerUnreachable(f"{self.url} is no LogStream server.") from None
        self._known.update(found)
        return found

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status < 300:
            return
        if status == 429 or status >= 500:
            raise _Refused(
                f"the server answered {status}",
                retry_after_s=_retry_after_s(response),
                unclear=status != 429,
            )
        problem = _problem(response)
        detail = str(problem.get("detail") or f"the server answered {status}")
        kind = problem.get("type")
        if status == 408 or kind == "urn:logstream:body_cut_off":
            # The network between lost a part; the server stored nothing of it.
            raise _Refused(detail, retry_after_s=0.0, unclear=False)
        if status == 413:
            raise TooLarge(detail)
        if status == 400 and kind == "urn:logstream:entry_rejected":
            reason = str(problem.get("reason", ""))
            raise EntryRejected(
                detail,
                index=int(problem.get("index", 0)),
                reason=reason if reason in REASONS else "wrong_type",
            )
        raise ServerUnreachable(f"{self.url} does not take logs: {status}, {detail}")

    async def _pause(self, attempt: int, failure: Exception) -> None:
        pause_s = min(_FIRST_PAUSE_S * 2 ** min(attempt - 1, 16), _LONGEST_PAUSE_S)
        pause_s *= 0.5 + 0.5 * self._jitter()
        if isinstance(failure, _Refused):
            pause_s = max(pause_s, failure.retry_after_s)
        reason = str(failure) or type(failure).__name__
        self._report(f"{self.url}: {reason}; trying again in {pause_s:.1f} s")
        await self._sleep(pause_s)


def _compress(body: bytes) -> bytes:
    # One per call, which costs microseconds: threads may not share a compressor.
    return zstandard.ZstdCompressor(level=3).compress(body)


def _without_ids(entries: Sequence[Entry]) -> list[Entry]:
    if any(entry.id for entry in entries):
        return [msgspec.structs.replace(entry, id=0) for entry in entries]
    return list(entries)


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _retry_after_s(response: httpx.Response) -> float:
    """Seconds or an HTTP date; 0 when the server does not say."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_RETRY_AFTER_S)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    wait_s = (at - datetime.now(UTC)).total_seconds()
    return min(max(wait_s, 0.0), _LONGEST_RETRY_AFTER_S)
