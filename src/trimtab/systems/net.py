"""The one way out to a managed system over HTTP: shared by every sensor and lever that speaks it.

Called by adapters in `systems` at each read and set. It stands on httpcore, the transport of httpx, since nothing here wants a
session: half of the memory, and of the time. Nothing of the environment (proxies, netrc) is trusted, no redirect is followed, no
cookie kept, no body read beyond a limit, and a slow target cannot hold a call past its time. Each connection is fresh: targets
are asked every few seconds at most, and only a new connection tells whether the target still listens.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import importlib.util
import json
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

from trimtab.config.parts import rule
from trimtab.domain.errors import TrimtabError

if TYPE_CHECKING:
    import ssl

    import httpcore

    from trimtab.domain.ports import Plant

MAX_BODY_BYTES = 8 * 1024 * 1024  # a scrape of 50,000 series is about 5 MB
DEFAULT_TIMEOUT_SECONDS = 5.0
MAX_CONNECTIONS = 32
_AS_THEY_ARE = "/%:@!$&'()*+,;=~-._[]"  # in a path: reserved letters, and what is quoted already


class NoAnswer(TrimtabError):
    """The target gave no usable answer. `refused` where it told so itself: nothing listens there."""

    def __init__(self, message: str, *, refused: bool = False, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response, whatever its status. `framed`: its length was announced, so it cannot have been cut short."""

    url: str  # without credentials and query: fit to show
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)  # lower-case names
    framed: bool = True

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def require_ok(self) -> Answer:
        """This answer, or `NoAnswer` where its status is not 2xx."""
        if self.ok:
            return self
        if 300 <= self.status < 400:
            raise NoAnswer(
                f"{self.url} answered with a redirect (HTTP {self.status})",
                remedy="Redirects are not followed: name the final URL",
            )
        raise NoAnswer(f"{self.url} answered HTTP {self.status}")

    def text(self) -> str:
        """The body as UTF-8 text, or `NoAnswer`."""
        try:
            return self.body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise NoAnswer(f"{self.url} answered with bytes that are not UTF-8 text") from error

    def json(self) -> object:
        """The body as JSON, or `NoAnswer`."""
        try:
            return json.loads(self.text())
        except (ValueError, RecursionError) as error:
            raise NoAnswer(f"{self.url} did not answer with JSON: {self.glimpse()}") from error

    def glimpse(self) -> str:
        """The first words of the body on one line, for a message to a person."""
        words = " ".join(self.body[:400].decode("utf-8", "replace").split())
        shown = "".join(letter if letter.isprintable() else "?" for letter in words)
        return repr(shown[:120] + ("…" if len(shown) > 120 else "")) if shown else "an empty body"


class Net:
    """What adapters are given to reach their targets: one lazily made HTTP client, and the plants that stand in for targets.

    Borrow, then release: `close()` when the agent stops, or use it in `async with`.
    """

    def __init__(self, plants: Mapping[str, Plant] | None = None, *, step_seconds: float = 1.0) -> None:
        self.plants: Mapping[str, Plant] = plants or {}
        self.step_seconds = step_seconds  # how much virtual time one step of a plant covers, where its sensor names no interval
        self.shared: dict[object, Any] = {}  # what the adapters of one system have in common, by whatever they key it
        self._room = asyncio.Semaphore(MAX_CONNECTIONS)
        self._trust: ssl.SSLContext | None = None  # in certificates

    async def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        payload: object = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        max_bytes: int = MAX_BODY_BYTES,
    ) -> Answer:
        """One request and its whole answer, within `timeout_seconds` from first to last byte.

        `payload` is sent as JSON. Raises `NoAnswer` with a sentence where no whole answer came; a status other than 2xx is
        an answer.
        """
        _spare_a_search()
        import httpcore

        shown = clean_url(url)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._exchange(shown, method, url, headers, params, payload, max_bytes)
        except (TimeoutError, httpcore.TimeoutException) as error:
            raise NoAnswer(f"{shown} timed out after {timeout_seconds:g} s") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError, ValueError) as error:
            raise _explain(shown, error) from error

    async def _exchange(
        self,
        shown: str,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        params: Mapping[str, str] | None,
        payload: object,
        max_bytes: int,
    ) -> Answer:
        content = None if payload is None else json.dumps(payload, allow_nan=False).encode()
        sent = (
            {"Accept-Encoding": "identity"}
            | ({} if content is None else {"Content-Type": "application/json"})
            | dict(headers or {})
        )
        target, own = _target(url, params)
        own |= {"Content-Length": str(len(content or b""))} if content is not None or method in ("POST", "PUT", "PATCH") else {}
        lines = {name.lower(): (name.encode(), value.encode()) for name, value in (own | sent).items()}
        async with (
            self._room,
            self._connection(target) as connection,
            connection.stream(method, target, headers=list(lines.values()), content=content) as response,
        ):
            received = _received(response)
            if received.get("content-encoding", "identity").lower() not in ("", "identity"):
                raise NoAnswer(f"{shown} answered in an encoding that was not asked for ({received['content-encoding']})")
            body = await _read_body(shown, response, max_bytes)
        framed = "content-length" in received or "transfer-encoding" in received
        return Answer(shown, response.status, body, received, framed)

    @contextlib.asynccontextmanager
    async def _connection(self, target: httpcore.URL) -> AsyncIterator[httpcore.AsyncHTTPConnection]:
        """A fresh one. A pool would look through all that it has, twice a request, for one that is never there."""
        import httpcore

        if target.scheme == b"https" and self._trust is None:
            self._trust = _trusting_the_usual()  # 3 MB, and no http:// URL ever asks for a certificate
        connection = httpcore.AsyncHTTPConnection(target.origin, ssl_context=self._trust)
        try:
            yield connection
        finally:
            await connection.aclose()

    async def close(self) -> None:
        """Nothing is held between two requests."""

    async def __aenter__(self) -> Net:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _target(url: str, params: Mapping[str, str] | None) -> tuple[httpcore.URL, dict[str, str]]:
    """Where to, and the headers that the URL itself asks for. Raises `ValueError` where it is none."""
    import httpcore

    parts = urlsplit(url)
    host, port = (parts.hostname or "").encode("idna"), parts.port
    query = urlencode(params) if params else parts.query
    path = quote(parts.path or "/", safe=_AS_THEY_ARE) + (f"?{quote(query, safe=_AS_THEY_ARE + '?')}" if query else "")
    name = f"[{host.decode()}]" if b":" in host else host.decode()
    usual = port is None or port == {"http": 80, "https": 443}.get(parts.scheme)
    own = {"Host": name if usual else f"{name}:{port}", "Accept": "*/*", "User-Agent": "trimtab"}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        own["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
    return httpcore.URL(scheme=parts.scheme, host=host, port=port, target=path), own


def _received(response: httpcore.Response) -> dict[str, str]:
    """The headers by lower-case name; those that come several times joined."""
    received: dict[str, str] = {}
    for name, value in response.headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        received[key] = f"{received[key]}, {text}" if key in received else text
    return received


def _trusting_the_usual() -> ssl.SSLContext:
    import ssl

    import certifi

    return ssl.create_default_context(cafile=certifi.where())


async def _read_body(shown: str, response: httpcore.Response, max_bytes: int) -> bytes:
    chunks = bytearray()
    async for chunk in response.aiter_stream():
        chunks += chunk
        if len(chunks) > max_bytes:
            raise NoAnswer(f"{shown} answered with a body over {max_bytes / 2**20:g} MiB", remedy="Expose less there")
    return bytes(chunks)


def _spare_a_search() -> None:
    """httpcore asks for sniffio several times a request, and where that is not installed searches every folder each time."""
    if "sniffio" not in sys.modules and importlib.util.find_spec("sniffio") is None:
        sys.modules["sniffio"] = None  # type: ignore[assignment]  # the import system's own way to say "not here"


def _explain(shown: str, error: Exception) -> NoAnswer:
    """The sentence for a transport error."""
    causes = list(_causes(error))
    if any(isinstance(cause, ConnectionRefusedError) or getattr(cause, "errno", None) == errno.ECONNREFUSED for cause in causes):
        return NoAnswer(f"{shown} refused the connection: nothing listens there", refused=True)
    words = str(error).rstrip(". ") or type(error).__name__
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return NoAnswer(f"{shown}: the host name is not known", remedy="Check the spelling, or the resolver")
    if "disconnected" in words or "peer closed" in words or "reset" in words.lower():
        return NoAnswer(f"{shown} broke the connection before its answer was complete")
    return NoAnswer(f"{shown} could not be reached: {words}")


def _causes(error: BaseException | None, depth: int = 12) -> Iterator[BaseException]:
    """An error, its causes, and the members of groups among them: attempts at several addresses arrive as one."""
    if error is None or depth == 0:
        return
    yield error
    for member in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield from _causes(member, depth - 1)
    yield from _causes(error.__cause__ or error.__context__, depth - 1)


def clean_url(url: str) -> str:
    """A URL fit to show: without user, password, query and fragment, where secrets live.

    >>> clean_url("http://bob:secret@127.0.0.1:9100/metrics?token=x")
    'http://127.0.0.1:9100/metrics'
    """
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))
    except ValueError:
        return "the URL"


def check_url(url: str) -> str:
    """`url`, where it is one that can be asked; for the validators of options, in whose words it refuses the rest.

    >>> check_url("http://127.0.0.1:9100/metrics")
    'http://127.0.0.1:9100/metrics'
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0  # .port raises where out of range
    except ValueError:
        usable = False
    if not usable:
        raise rule("not a whole URL", "write it like http://127.0.0.1:9100/metrics")
    return url
