"""A real server on a free port of 127.0.0.1, on an event loop in a thread of its own: the tests use ordinary clients."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from api.fake_agent import FakeAgent, FakeTokens
from assembly.child_agent import PLAIN_HTTP
from trimtab.api import Server


@contextmanager
def serving(agent: FakeAgent, tokens: FakeTokens | None, **how: object) -> Iterator[Server]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = Server(agent, tokens=tokens, port=0, version="1.2.3", **how)  # type: ignore[arg-type]
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(5)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


@pytest.fixture
def agent() -> FakeAgent:
    return FakeAgent()


@pytest.fixture
def open_client(agent: FakeAgent) -> Iterator[httpx.Client]:
    """Without tokens."""
    with serving(agent, None) as server, httpx.Client(base_url=server.url, trust_env=False, verify=PLAIN_HTTP) as client:
        yield client


@pytest.fixture
def token_client(agent: FakeAgent) -> Iterator[Callable[[str | None], httpx.Client]]:
    """With tokens: call it with a role."""
    clients = []
    with serving(agent, FakeTokens(), allowed_hosts=["trimtab.example"]) as server:

        def of(role: str | None) -> httpx.Client:
            headers = {"Authorization": f"Bearer {role}-token"} if role else {}
            clients.append(httpx.Client(base_url=server.url, headers=headers, trust_env=False, verify=PLAIN_HTTP))
            return clients[-1]

        yield of
        for client in clients:
            client.close()
