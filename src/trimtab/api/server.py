"""uvicorn inside the agent's own event loop: started after the agent is wired, stopped before it is torn down."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Iterator, Sequence

from uvicorn.config import Config
from uvicorn.server import Server as Uvicorn

from trimtab.api.app import create_app
from trimtab.api.facade import AgentFacade
from trimtab.api.pushing import Intake
from trimtab.domain.errors import ConfigError, TrimtabError
from trimtab.domain.ports import TokenChecker

_TICK = 1.0  # seconds between two looks of uvicorn at itself; its own ten a second cost more than the rest of an idle agent
_PATIENCE = 0.5  # seconds for answers under way; with the cut that follows, `stop` ends within 1 s


class Server:
    """Serves the interface from `start` to `stop`.

    `port` 0 picks a free one. Raises `ConfigError` at once where `host` is not loopback and no token exists: anybody on the
    network could then approve actions. Raises `StoreError` where the tokens cannot be read.
    """

    def __init__(
        self,
        agent: AgentFacade,
        *,
        tokens: TokenChecker | None,
        host: str = "127.0.0.1",
        port: int = 8642,
        allowed_hosts: Sequence[str] = (),
        version: str = "",
        intake: Intake | None = None,
    ) -> None:
        _refuse_strangers(host, tokens)
        hosts = allowed_hosts if is_wildcard(host) else (*allowed_hosts, host)
        self._app = create_app(agent, tokens=tokens, allowed_hosts=hosts, version=version, intake=intake)
        self._host, self._wanted_port = host, port
        self._port: int | None = None
        self._uvicorn: _Embedded | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port bound; before `start`, the one asked for."""
        return self._wanted_port if self._port is None else self._port

    @property
    def url(self) -> str:
        """Where a local client finds it."""
        host = "127.0.0.1" if is_wildcard(self._host) else self._host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    async def start(self) -> None:
        """Listen. Returns once requests are answered; raises `TrimtabError` where the address cannot be had."""
        if self._task is not None:
            return
        listener = await _bind(self._host, self._wanted_port)
        self._port = int(listener.getsockname()[1])
        self._uvicorn = _Embedded(_settings(self._app))
        self._task = asyncio.create_task(self._uvicorn.serve(sockets=[listener]), name="trimtab-api")
        answering = asyncio.create_task(self._uvicorn.answering.wait())
        await asyncio.wait({self._task, answering}, return_when=asyncio.FIRST_COMPLETED)
        answering.cancel()
        if self._task.done():
            listener.close()
            task, self._task = self._task, None
            raise TrimtabError("The REST interface did not start", remedy="See the log") from task.exception()

    async def stop(self) -> None:
        """Stop listening; let answers under way finish, then cut what is left. At most 1 s. Stopping twice is stopping once."""
        task, server, self._task = self._task, self._uvicorn, None
        if task is None or server is None:
            return
        server.leave()
        done, _ = await asyncio.wait({task}, timeout=_PATIENCE)
        if not done:
            server.cut()
            done, _ = await asyncio.wait({task}, timeout=0.3)
        if not done:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def try_address(host: str, port: int) -> None:
    """Raise what `Server` and its `start` would where no token exists yet; for who must not leave anything behind then."""
    _refuse_strangers(host, None)
    (await _bind(host, port)).close()


def _refuse_strangers(host: str, tokens: TokenChecker | None) -> None:
    if (tokens is None or tokens.empty) and not is_loopback(host):
        raise ConfigError(
            f"api.host is {host!r}, which others can reach, and no token exists",
            remedy="Make a token with `trimtab token create NAME`, or set api.host to 127.0.0.1",
        )


class _Embedded(Uvicorn):
    """uvicorn without its signal handlers: signals belong to the agent."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.answering, self._leaving = asyncio.Event(), asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.answering.set()

    async def main_loop(self) -> None:
        """Keep the Date header up to date until `leave`."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), _TICK)

    def leave(self) -> None:
        """Go at once, not at the next tick."""
        self.should_exit = True
        self._leaving.set()

    def cut(self) -> None:
        self.force_exit = True
        for task in self.server_state.tasks:
            task.cancel()
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()


def _settings(app: object) -> Config:
    return Config(
        app,  # type: ignore[arg-type]
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,  # logging is set up by whoever runs the agent
        access_log=False,
        server_header=False,
        proxy_headers=False,  # or a caller could choose the address that it is recorded under
        timeout_graceful_shutdown=1,
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("")
    (True, True, True, False, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def is_wildcard(host: str) -> bool:
    """Whether `host` stands for every address of the machine."""
    return host in ("", "0.0.0.0", "::", "[::]")  # noqa: S104 - compared with, not bound to


async def _bind(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    try:
        where = host.strip("[]") or None, port
        if _is_address(host):  # nothing to wait for, so no thread for it
            found = socket.getaddrinfo(*where, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICHOST)
        else:
            found = await loop.getaddrinfo(*where, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        listener = socket.create_server(address[:2], family=family, backlog=128)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited; or each answer waits 40 ms for an ACK
        return listener
    except OSError as error:
        raise TrimtabError(f"Cannot listen on {host}:{port}: {error.strerror or error}", remedy=_remedy(error)) from error


def _remedy(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "Stop what listens there (another agent?), or set api.port to a free one; 0 picks one"
    if error.errno == errno.EACCES:
        return "Set api.port above 1023"
    return "Set api.host to an address of this machine, such as 127.0.0.1"
