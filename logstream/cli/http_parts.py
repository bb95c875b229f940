"""An answer that comes in parts: what ends it early is an error, no shorter file."""

from collections.abc import Callable

import httpx

from logstream.client.problems import error_of_line
from logstream.core.errors import StorageError


def copy_parts(
    response: httpx.Response,
    sink: Callable[[bytes], None],
    *,
    where: str,
    in_lines: bool,
) -> None:
    """Hand the body on.

    Args:
        where: The server, for people.
        in_lines: The last line may say what went wrong behind the first ones.

    Raises:
        LogStreamError: the answer is not whole. Parts of it were handed on.
    """
    held = b""
    try:
        for part in response.iter_bytes():
            data = held + part
            # The newest line is held back: it may be the last.
            cut = data.rfind(b"\n", 0, len(data) - 1) + 1 if in_lines else len(data)
            held = data[cut:]
            if cut:
                sink(data[:cut])
    except httpx.TransportError as error:
        reason = str(error) or type(error).__name__
        raise StorageError(
            f"{where} broke its answer off ({reason}): its log says why. When there "
            "are more rows than query.max_stream_rows, narrow the time range or the "
            "filter."
        ) from None
    told = error_of_line(held, where)
    if told is not None:
        raise told
    sink(held)
