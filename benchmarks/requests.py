"""Single durable POSTs, against a route of the same server that only decodes.

    python benchmarks/requests.py [--seconds 5] [--connections 32]

Raw sockets with keep-alive, so that the client costs little of the machine.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from rig import ServerProcess

_BODY = (
    b'{"timestamp":"2026-11-20T10:00:00.123Z","source":"auth","level":"warn",'
    b'"message":"Failed login attempt","fields":{"ip":"192.168.1.100","n":%d}}'
)


async def _connection(port: int, path: str, until: float) -> tuple[int, list[float]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = _BODY % 7
    request = (
        b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (path.encode(), len(body), body)
    )
    done, waits = 0, []
    while (started := time.perf_counter()) < until:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        waits.append(time.perf_counter() - started)
        done += 1
    writer.close()
    return done, waits


async def load(port: int, path: str, connections: int, seconds: float) -> float:
    """Requests per second, on so many connections for so long."""
    until = time.perf_counter() + seconds
    results = await asyncio.gather(
        *(_connection(port, path, until) for _ in range(connections))
    )
    waits = sorted(wait for _, some in results for wait in some)
    rate = sum(done for done, _ in results) / seconds
    print(
        f"{path}: {rate:,.0f} requests/s, median {waits[len(waits) // 2] * 1e3:.1f} "
        f"ms, 99th percentile {waits[len(waits) * 99 // 100] * 1e3:.1f} ms",
        flush=True,
    )
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    plugins = str(Path(__file__).parent / "plugins")
    with (
        tempfile.TemporaryDirectory(prefix="logstream-bench-") as name,
        ServerProcess(Path(name), {"LOGSTREAM_PLUGINS_FOLDER": plugins}) as server,
    ):

        def rate(path: str, seconds: float) -> float:
            return asyncio.run(load(server.port, path, options.connections, seconds))

        rate("/benchmark/decode", 1)
        rate("/api/v1/logs", 1)
        decoded = rate("/benchmark/decode", options.seconds)
        durable = rate("/api/v1/logs", options.seconds)
        print(f"  ratio {durable / decoded:.2f}")


if __name__ == "__main__":
    main()
