"""Talk to the running agent over its REST interface, as the user who calls.

Whoever listens on `api.port` has to prove first that it works on this configuration's data folder, and hears nothing more, no
token above all, unless it can: a port says little about who answers on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from trimtab.config import Settings
from trimtab.domain.errors import ConfigError, StoreError, TrimtabError

if TYPE_CHECKING:
    import httpx

TIMEOUT = 10.0  # seconds
UNAUTHORIZED, FORBIDDEN = 401, 403
HEALTH_BYTES = 4096  # an agent's answer to GET /healthz has less than 200


class NotRunning(TrimtabError):
    """No agent answers at the configured address."""


class Stranger(NotRunning):
    """Somebody answers there, but not the agent of this configuration's data folder."""


class Refused(TrimtabError):
    """The agent answered, and declined."""


class Silent(Refused):
    """Somebody listens there who does not answer: an agent that hangs, or another program."""


class Cut(Silent):
    """The connection ended in the middle of a request: an agent that ends, or makes way for the next."""


def url_of(settings: Settings) -> str:
    """Where the agent of this configuration listens: where the running one says, for the file may be newer than it."""
    from trimtab.storage.folder import DataFolder

    with suppress(StoreError):
        if (url := DataFolder(settings.storage.path, create=False).announced()) is not None:
            return url
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.api.host, settings.api.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.api.port}"


def works_on(folder_secret: str, url: str) -> bool:
    """Whether the agent at `url` proves that it works on the data folder with this secret."""
    import httpx

    try:
        with _client(url, 1.0) as client:
            return _proves(client, lambda: folder_secret) is True
    except httpx.HTTPError:
        return False


def call(settings: Settings, method: str, path: str, body: dict[str, Any] | None = None, *, patience: float = TIMEOUT) -> Any:
    """The agent's answer as plain data.

    Raises `NotRunning` where nobody listens, `Stranger` where it is another agent or program, `ConfigError` where the answer is
    that its configuration cannot be used, `Refused` where it is any other problem. `patience`: seconds for each step.
    """
    import httpx

    token = os.environ.get("TRIMTAB_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with _client(url_of(settings), patience) as client:
            _recognise(client, settings)
            answer = client.request(method, path, json=body, headers=headers)
    except httpx.ConnectError:
        raise _not_running(settings) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = str(error).rstrip(". ") or type(error).__name__
        kind = Cut if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError) else Silent
        raise kind(f"what listens at {url_of(settings)} did not answer: {said}", remedy="Look at the agent's log") from None
    if answer.is_success:
        return _json(answer, settings)
    raise _refusal(answer, settings, token)


def _client(url: str, patience: float) -> httpx.Client:
    """A client of an agent, which speaks plain HTTP: without the certificates, whose reading takes longer than most answers."""
    import ssl

    import httpx

    return httpx.Client(base_url=url, timeout=patience, trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def _not_running(settings: Settings) -> NotRunning:
    remedy = "Start it with `trimtab run`" if settings.api.enabled else "api.enabled is false in the configuration"
    return NotRunning(f"no agent answers at {url_of(settings)}", remedy=remedy)


def _recognise(client: httpx.Client, settings: Settings) -> None:
    """Raises `Stranger` unless what answers proves that it works on the data folder of this configuration."""
    proven = _proves(client, lambda: _ours(settings))
    if proven is None:
        raise _stranger(settings)
    if not proven:
        raise Stranger(
            f"the agent at {url_of(settings)} works on another data folder than {settings.storage.path}",
            remedy="Name its configuration with --config, or give this one a port of its own (api.port) and start it",
        )


def _proves(client: httpx.Client, secret_of_ours: Callable[[], str]) -> bool | None:
    """Whether what answers knows the secret; None where it is no agent that can say.

    The address in the proof is the one that this connection really goes to: nobody can pass on what another agent answered.
    """
    import hmac
    from secrets import token_hex

    from trimtab.domain.access import proof

    challenge = token_hex(32)
    with client.stream("GET", "/healthz", params={"challenge": challenge}) as answer:
        host, port = answer.extensions["network_stream"].get_extra_info("server_addr")[:2]
        said = _document(answer) if answer.is_success else None
    theirs = said.get("proof") if isinstance(said, dict) and said.get("status") == "alive" else None
    if not isinstance(theirs, str):
        return None
    secret = secret_of_ours()  # only now: a first agent makes it when it is first asked
    return bool(secret) and hmac.compare_digest(theirs.encode(), proof(secret, challenge, host, port).encode())


def _document(answer: httpx.Response) -> Any:
    """The JSON of an answer that is not longer than an agent's; None where it is none."""
    import json

    body = b""
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > HEALTH_BYTES:
            return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _ours(settings: Settings) -> str:
    """The secret of the data folder, which is made with the first agent that runs on it; empty before that."""
    from trimtab.storage.folder import DataFolder
    from trimtab.storage.layout import is_there

    try:
        return DataFolder(settings.storage.path, create=False).identity()
    except StoreError as error:
        with suppress(StoreError):
            if not is_there(settings.storage.path):
                return ""
        raise Refused(
            f"whether the agent at {url_of(settings)} is the one of {settings.storage.path} cannot be told: {error.message}",
            remedy="Run this command as the user that the agent runs as",
        ) from None


def _stranger(settings: Settings) -> Stranger:
    return Stranger(
        f"what answers at {url_of(settings)} is no agent of this version of trimtab",
        remedy="Stop that program, restart an older agent, or set api.port to a free port",
    )


def _refusal(answer: httpx.Response, settings: Settings, token: str | None) -> TrimtabError:
    if answer.status_code == UNAUTHORIZED:
        said = "does not know the token in TRIMTAB_TOKEN, or it has expired" if token else "asks for a token"
        return Refused(
            f"the agent at {url_of(settings)} {said}", remedy="`trimtab token create` makes one; put it into TRIMTAB_TOKEN"
        )
    said = _problem(answer)
    if not said:
        return _stranger(settings)
    if answer.json().get("type", "").endswith(":configuration"):
        mistakes = tuple(f"{each['where']}: {each['message']}" for each in answer.json().get("errors", ()))
        return ConfigError(said.rstrip("."), problems=mistakes)
    if answer.status_code == FORBIDDEN:
        remedy = "`trimtab token create NAME --role operator` makes one that may; put it into TRIMTAB_TOKEN"
        return Refused(said.rstrip("."), remedy=remedy)
    return Refused(said.rstrip("."))


def _problem(answer: httpx.Response) -> str:
    """What the agent says is wrong; nothing where that is no problem document."""
    try:
        problem = answer.json()
    except ValueError:
        return ""
    return str(problem.get("detail") or problem.get("title") or "") if isinstance(problem, dict) else ""


def _json(answer: httpx.Response, settings: Settings) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise _stranger(settings) from None
