"""The server's own life: where it binds, how it refuses, that it ends in time and leaves the process as it was."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from api.fake_agent import FakeAgent, FakeTokens
from trimtab.api import Server
from trimtab.domain.actions import ActionRecord
from trimtab.domain.errors import ConfigError, TrimtabError


def server(**how: object) -> Server:
    return Server(FakeAgent(), **{"tokens": None, "port": 0, "version": "1", **how})  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.0.2.1", "trimtab.example"])
@pytest.mark.parametrize("tokens", [None, FakeTokens(()), FakeTokens()], ids=["no store", "no tokens", "tokens"])
def test_off_loopback_needs_a_token(host: str, tokens: FakeTokens | None) -> None:
    if tokens is None or tokens.empty:
        with pytest.raises(ConfigError, match="token"):
            server(host=host, tokens=tokens)
    else:
        server(host=host, tokens=tokens)


def test_an_address_that_others_reach_serves_with_a_token_only() -> None:
    async def story() -> list[int]:
        serving = server(host="0.0.0.0", tokens=FakeTokens())
        await serving.start()
        async with httpx.AsyncClient(base_url=serving.url, trust_env=False) as client:
            answers = [await client.get("/agent/status"), await client.get("/healthz")]
            answers.append(await client.get("/agent/status", headers={"Authorization": "Bearer viewer-token"}))
        await serving.stop()
        return [answer.status_code for answer in answers]

    assert asyncio.run(story()) == [401, 200, 200]


def test_it_serves_on_the_loop_of_the_agent_and_frees_its_port() -> None:
    async def story() -> None:
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        serving = server()
        await serving.start()
        await serving.start()
        async with httpx.AsyncClient(base_url=serving.url, trust_env=False) as client:
            assert (await client.get("/healthz")).status_code == 200
            assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
            await serving.stop()
            await serving.stop()
            with pytest.raises(httpx.TransportError):
                await client.get("/healthz")
        socket.create_server(("127.0.0.1", serving.port)).close()
        assert len(asyncio.all_tasks()) == 1, "nothing is left behind"

    asyncio.run(story())


def test_it_can_be_started_again() -> None:
    async def story() -> list[int]:
        serving = server()
        statuses = []
        for _ in range(2):
            await serving.start()
            async with httpx.AsyncClient(base_url=serving.url, trust_env=False) as client:
                statuses.append((await client.get("/healthz")).status_code)
            await serving.stop()
        return statuses

    assert asyncio.run(story()) == [200, 200]


def test_a_port_in_use_is_an_error_for_people() -> None:
    async def story(port: int) -> None:
        await server(port=port).start()

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(TrimtabError, match=f"127.0.0.1:{port}.*api.port"):
            asyncio.run(story(port))


def test_an_address_of_another_machine_is_an_error_for_people() -> None:
    with pytest.raises(TrimtabError, match=r"192\.0\.2\.1.*api\.host"):
        asyncio.run(server(host="192.0.2.1", tokens=FakeTokens()).start())


class StuckAgent(FakeAgent):
    """One whose rollback never ends."""

    async def rollback(self, action_id: str, *, actor: str) -> ActionRecord:
        await asyncio.sleep(3600)
        raise AssertionError


@pytest.mark.parametrize("load", ["idle connection", "request that never ends", "body that never comes"])
def test_stop_takes_at_most_a_second(load: str) -> None:
    async def story() -> float:
        serving = Server(StuckAgent(), tokens=None, port=0)
        await serving.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
        head = f"Host: 127.0.0.1:{serving.port}\r\nContent-Type: application/json\r\n"
        body = '{"action_id": "kept_1"}'
        if load == "idle connection":
            writer.write(f"GET /healthz HTTP/1.1\r\n{head}\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
        else:
            sent = body if load == "request that never ends" else ""
            writer.write(f"POST /agent/action/rollback HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{sent}".encode())
            await asyncio.sleep(0.1)  # let the request reach its handler
        started = time.perf_counter()
        await serving.stop()
        took = time.perf_counter() - started
        writer.close()
        return took

    assert asyncio.run(story()) <= 1.0


def test_importing_the_room_loads_nothing_heavy() -> None:
    check = "import sys, trimtab.api; print({'fastapi', 'uvicorn', 'pydantic', 'starlette'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "set()"
