"""Two ways to ask a program that uses `trimtab.sdk`: over its socket, or by a call in this process. Both speak its protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Protocol

from trimtab.sdk import App, default
from trimtab.sdk_server import parse_address
from trimtab.systems.aside import Aside, StillBusy
from trimtab.systems.net import DEFAULT_TIMEOUT_SECONDS, NoAnswer

MAX_ANSWER_BYTES = 1024 * 1024


class Channel(Protocol):
    """Asks a program one thing. `name` is where it is, for messages."""

    name: str

    async def ask(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer, `ok` or not. Raises `NoAnswer` where none came."""
        ...


class SocketChannel:
    """A connection for each request: nothing is held between the reads of a sensor."""

    def __init__(self, address: str, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        self.name = address
        self._place = parse_address(address)
        self._timeout_seconds = timeout_seconds

    async def ask(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Connect, ask, hang up."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                line = await self._exchange(json.dumps(request, allow_nan=False).encode() + b"\n")
        except TimeoutError as error:
            raise NoAnswer(f"{self.name} timed out after {self._timeout_seconds:g} s") from error
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NoAnswer(
                f"nothing serves on {self.name}", refused=True, remedy="Is the program running, and did it call expose()?"
            ) from error
        except PermissionError as error:
            raise NoAnswer(
                f"{self.name} belongs to another user", remedy="Run the agent as the user that runs the program"
            ) from error
        except (OSError, ValueError) as error:
            raise NoAnswer(f"{self.name} broke the connection: {error}") from error
        return _checked(self.name, line)

    async def _exchange(self, line: bytes) -> bytes:
        reader, writer = await self._connect()
        try:
            writer.write(line)
            await writer.drain()
            return await reader.readline()
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._place, str):
            return await asyncio.open_unix_connection(self._place, limit=MAX_ANSWER_BYTES)
        return await asyncio.open_connection(*self._place, limit=MAX_ANSWER_BYTES)


class InProcessChannel:
    """The program is this one: its functions are called on a thread beside the loop, so that a slow one holds up nothing."""

    def __init__(self, app: App = default, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        self.name = "in-process"
        self._app = app
        self._aside = Aside("app in-process")
        self._timeout_seconds = timeout_seconds

    async def ask(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call."""
        try:
            return await self._aside.run(lambda: self._app.answer(request), self._timeout_seconds)
        except TimeoutError as error:
            raise NoAnswer(f"the program's function did not return within {self._timeout_seconds:g} s") from error
        except StillBusy as error:
            raise NoAnswer("the program's function still has not returned from an earlier call") from error


def _checked(name: str, line: bytes) -> Mapping[str, Any]:
    if not line.endswith(b"\n"):
        raise NoAnswer(f"{name} broke the connection before its answer was complete")
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NoAnswer(f"{name} did not answer with JSON") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
        raise NoAnswer(f"{name} does not speak the protocol of trimtab.sdk")
    return answer
