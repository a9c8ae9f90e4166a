"""Serve small HTTP applications on free loopback ports from one process, and end with whoever started it."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Mapping

import uvicorn
from starlette.applications import Starlette


async def serve(applications: Mapping[str, Starlette], until: float, ports: Mapping[str, int] | None = None) -> None:
    """Serve each application on a port of its own; prints {name: port}; returns after `until` seconds or at the end of stdin."""
    listeners = {name: socket.create_server(("127.0.0.1", (ports or {}).get(name, 0))) for name in applications}
    servers = []
    for application in applications.values():
        config = uvicorn.Config(
            application, log_level="critical", access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
        servers.append(uvicorn.Server(config))

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    loop.call_later(until, stop)
    threading.Thread(target=lambda: (sys.stdin.buffer.read(), loop.call_soon_threadsafe(stop)), daemon=True).start()
    print(json.dumps({name: listener.getsockname()[1] for name, listener in listeners.items()}), flush=True)
    await asyncio.gather(*(server.serve([listener]) for server, listener in zip(servers, listeners.values(), strict=True)))
