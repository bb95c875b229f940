"""One GET, bounded in time, in redirects and in bytes, packed or not.

The body is unpacked here and not by httpx, which has no limit: a megabyte of gzip can
hold a gigabyte. So gzip is the one encoding that is asked for.
"""

import asyncio
import ssl
import zlib
from collections.abc import Mapping
from typing import Self

import httpx

from logstream.collectors.http_answer import Answer, FetchFailed, retry_after_s
from logstream.core.timestamps import now_ns

_MAX_REDIRECTS = 5
_TRY_AGAIN = frozenset((408, 425, 429))


class Fetcher:
    """An async context manager that owns the connections.

    Args:
        headers: Sent to this URL's host only, wherever it redirects to.
        timeout_s: For the whole of a request.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout_s: float,
        max_body_bytes: int,
        ca_file: str | None,
    ) -> None:
        self._url = httpx.URL(url)
        self._headers = dict(headers)
        self._timeout_s = timeout_s
        self._max_body_bytes = max_body_bytes
        self._client = httpx.AsyncClient(
            verify=ssl.create_default_context(cafile=ca_file) if ca_file else True,
            timeout=timeout_s,
            follow_redirects=True,
            max_redirects=_MAX_REDIRECTS,
            event_hooks={"request": [self._keep_secrets]},
            headers={"User-Agent": "logstream", "Accept-Encoding": "gzip"},
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, etag: str | None, last_modified: str | None) -> Answer | None:
        """The answer; None: it is still the one with this tag or time.

        Raises:
            FetchFailed: for whatever reason.
        """
        headers = dict(self._headers)
        if etag is not None:
            headers["If-None-Match"] = etag
        if last_modified is not None:
            headers["If-Modified-Since"] = last_modified
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._get(headers)
        except TimeoutError:
            raise FetchFailed(f"no whole answer in {self._timeout_s:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise FetchFailed(reason) from None

    async def _get(self, headers: Mapping[str, str]) -> Answer | None:
        async with self._client.stream("GET", self._url, headers=headers) as response:
            status = response.status_code
            if status == 304:
                return None
            if not 200 <= status < 300:
                raise FetchFailed(
                    f"the server answered {status}",
                    retry_after_s=retry_after_s(
                        response.headers.get("Retry-After"), now_ns()
                    ),
                    final=400 <= status < 500 and status not in _TRY_AGAIN,
                )
            body = await self._body(response)
            return Answer(
                body=body,
                content_type=response.headers.get("Content-Type", ""),
                etag=response.headers.get("ETag"),
                last_modified=response.headers.get("Last-Modified"),
            )

    async def _body(self, response: httpx.Response) -> bytes:
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip", "x-gzip", ""}:
            raise FetchFailed("the body has an encoding that was not asked for")
        unpack = zlib.decompressobj(wbits=31) if encoding.endswith("gzip") else None
        body = bytearray()
        async for piece in response.aiter_raw():
            if unpack is None:
                body += piece
            else:
                room = self._max_body_bytes + 1 - len(body)
                try:
                    body += unpack.decompress(piece, room)
                except zlib.error:
                    raise FetchFailed("the body is no gzip") from None
            if len(body) > self._max_body_bytes:
                raise FetchFailed(f"the body is over {self._max_body_bytes} bytes")
        if unpack is not None and not unpack.eof and body:
            raise FetchFailed("the body is cut off")
        return bytes(body)

    async def _keep_secrets(self, request: httpx.Request) -> None:
        if request.url.host != self._url.host:
            for name in self._headers:
                request.headers.pop(name, None)
