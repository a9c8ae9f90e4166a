"""Talk to the running agent over its REST interface, as the user who calls."""

from __future__ import annotations

import os
from typing import Any

from trimtab.config import Settings
from trimtab.domain.errors import TrimtabError

TIMEOUT = 10.0  # seconds
UNAUTHORIZED = 401


class NotRunning(TrimtabError):
    """No agent answers at the configured address."""


class Refused(TrimtabError):
    """The agent answered, and declined."""


def url_of(settings: Settings) -> str:
    """Where the agent of this configuration listens."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.api.host, settings.api.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.api.port}"


def call(settings: Settings, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """The agent's answer as plain data. Raises `NotRunning` where nobody listens, `Refused` where the answer is a problem."""
    import httpx

    token = os.environ.get("TRIMTAB_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.Client(base_url=url_of(settings), timeout=TIMEOUT, trust_env=False, headers=headers) as client:
            answer = client.request(method, path, json=body)
    except httpx.ConnectError:
        remedy = "Start it with `trimtab run`" if settings.api.enabled else "api.enabled is false in the configuration"
        raise NotRunning(f"no agent answers at {url_of(settings)}", remedy=remedy) from None
    except httpx.HTTPError as error:
        raise Refused(f"the agent at {url_of(settings)} did not answer: {error}", remedy="look at its log") from None
    if answer.is_success:
        return answer.json()
    if answer.status_code == UNAUTHORIZED:
        said = "does not know the token in TRIMTAB_TOKEN" if token else "asks for a token"
        remedy = "`trimtab token create` makes one; put it into TRIMTAB_TOKEN"
        raise Refused(f"the agent at {url_of(settings)} {said}", remedy=remedy)
    raise Refused(_problem(answer).rstrip("."))


def _problem(answer: Any) -> str:
    """What the agent says is wrong; anything but a problem document comes from somebody else."""
    try:
        problem = answer.json()
        said = (problem.get("detail") or problem.get("title")) if isinstance(problem, dict) else None
    except ValueError:
        said = None
    return (
        str(said)
        if said
        else f"HTTP {answer.status_code}: what answers at {answer.request.url.host}:{answer.request.url.port} is not trimtab"
    )
