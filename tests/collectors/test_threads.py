"""Work in threads is over when its caller goes on."""

import asyncio
import threading

import pytest

from logstream.collectors.threads import in_thread


@pytest.mark.parametrize("fails", [False, True])
def test_a_cancellation_waits_for_the_thread(*, fails: bool) -> None:
    """Else the caller would close the file that the thread is reading."""
    started, go_on = threading.Event(), threading.Event()
    over: list[bool] = []

    def work() -> None:
        started.set()
        assert go_on.wait(150)
        over.append(True)
        if fails:
            raise OSError("nobody is left to hear this")

    async def main() -> None:
        task = asyncio.create_task(in_thread(work))
        await asyncio.to_thread(started.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert over == [True]

    asyncio.run(main())


def test_results_and_errors_come_back() -> None:
    assert asyncio.run(in_thread(int, "7")) == 7
    with pytest.raises(ValueError, match="invalid literal"):
        asyncio.run(in_thread(int, "x"))
