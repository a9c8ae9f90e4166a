"""What an agent's overhead is held against, each a process of its own beside it.

`bare` serves an empty ASGI app with uvicorn and does nothing. `reader` fetches a metrics page at the agent's interval and parses
it with `prometheus_client`, and does nothing with what it finds. Both print {"ready": 1} and run until they are ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any


async def bare() -> None:
    import uvicorn

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None: ...

    config = uvicorn.Config(app, host="127.0.0.1", port=0, http="h11", ws="none", lifespan="off", log_config=None)  # type: ignore[arg-type]
    await uvicorn.Server(config).serve()


async def reader(url: str, interval: float) -> None:
    import httpx
    from prometheus_client.parser import text_string_to_metric_families

    async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)) as client:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            page = (await client.get(url)).text
            samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
            assert samples
            due += interval
            await asyncio.sleep(max(0.0, due - loop.time()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("who", choices=("bare", "reader"))
    parser.add_argument("--url", default="")
    parser.add_argument("--interval", type=float, default=30.0)
    arguments = parser.parse_args()
    print(json.dumps({"ready": 1}), flush=True)
    try:
        asyncio.run(bare() if arguments.who == "bare" else reader(arguments.url, arguments.interval))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
