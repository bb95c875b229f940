"""Blocking work in a thread that is over before its caller goes on, cancelled or not.

`asyncio.to_thread` returns at once when it is cancelled, and the thread works on: with
a file, say, that the caller closes meanwhile.
"""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call it in a thread; a cancellation waits for its end. Keep it short."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        if not work.done():
            await asyncio.wait((work,))
        if not work.cancelled():
            work.exception()  # seen, so that asyncio does not report it
        raise
