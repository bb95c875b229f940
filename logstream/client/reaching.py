"""A server's address, and what it means when nobody answers there."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from logstream.core.errors import ConfigError, ServerUnreachable


def base_url(url: str) -> str:
    """Without a slash at the end.

    Raises:
        ConfigError: the URL is not one of HTTP.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigError(
            f"{url!r} is no address of a server: write such as http://127.0.0.1:8000"
        )
    return url.rstrip("/")


@contextmanager
def reached(where: str) -> Iterator[None]:
    """Raises ServerUnreachable: a request of the block got no answer."""
    try:
        yield
    except (httpx.TransportError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise ServerUnreachable(
            f"No LogStream server answers at {where} ({reason}): start one with "
            "`logstream serve`, or name another (--server on the command line)."
        ) from None
