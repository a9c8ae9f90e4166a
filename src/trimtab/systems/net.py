"""The one way out to a managed system over HTTP: shared by every sensor and lever that speaks it.

Called by adapters in `systems` at each read and set. One client, made on first use; nothing of the environment (proxies, netrc)
is trusted, no redirect is followed, no cookie kept, no body read beyond a limit, and a slow target cannot hold a call past its
time. Each connection is fresh: targets are asked every few seconds at most, and only a new connection tells whether the target
still listens.
"""

from __future__ import annotations

import asyncio
import errno
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from trimtab.config.parts import rule
from trimtab.domain.errors import TrimtabError

if TYPE_CHECKING:
    import httpx

    from trimtab.domain.ports import Plant

MAX_BODY_BYTES = 8 * 1024 * 1024  # a scrape of 50,000 series is about 5 MB
DEFAULT_TIMEOUT_SECONDS = 5.0
MAX_CONNECTIONS = 32


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
        self._client: httpx.AsyncClient | None = None

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
        import httpx

        shown = clean_url(url)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._exchange(shown, method, url, headers, params, payload, max_bytes)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise NoAnswer(f"{shown} timed out after {timeout_seconds:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
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
        async with self._http().stream(method, url, headers=sent, params=params, content=content) as response:
            received = {name.lower(): value for name, value in response.headers.items()}
            if received.get("content-encoding", "identity").lower() not in ("", "identity"):
                raise NoAnswer(f"{shown} answered in an encoding that was not asked for ({received['content-encoding']})")
            body = await _read_body(shown, response, max_bytes)
        framed = "content-length" in received or "transfer-encoding" in received
        return Answer(shown, response.status_code, body, received, framed)

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            from http.cookiejar import CookieJar, DefaultCookiePolicy

            import httpx

            self._client = httpx.AsyncClient(
                trust_env=False,
                follow_redirects=False,
                timeout=None,  # noqa: S113 - each exchange runs under asyncio.timeout, which also bounds a body that drips
                limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=0),
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # ports of one host would share them
            )
        return self._client

    async def close(self) -> None:
        """Release every connection. Never raises."""
        client, self._client = self._client, None
        if client is not None:
            try:
                await client.aclose()
            except Exception:
                return

    async def __aenter__(self) -> Net:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _read_body(shown: str, response: httpx.Response, max_bytes: int) -> bytes:
    chunks = bytearray()
    async for chunk in response.aiter_raw():
        chunks += chunk
        if len(chunks) > max_bytes:
            raise NoAnswer(f"{shown} answered with a body over {max_bytes / 2**20:g} MiB", remedy="Expose less there")
    return bytes(chunks)


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
