"""Many small pages that take their time: `GET /<number>` answers {"value": x} after `--delay` seconds, however many ask at once.

`python benchmarks/services/slow_pages.py --delay 1` prints {"port": port}.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys


async def serve(delay: float, seed: int) -> None:
    rng = random.Random(seed)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(delay)
            body = b'{"value": %.3f}' % rng.gauss(100.0, 3.0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    watch = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)  # its parent is gone: so are we
    await watch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=1.0, help="seconds until an answer")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.delay, arguments.seed))


if __name__ == "__main__":
    main()
