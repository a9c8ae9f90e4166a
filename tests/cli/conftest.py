"""The command line as its users have it: a real agent in a child process, and each command run to its exit code."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from assembly.child_agent import Service, running, service, until, write_config
from trimtab.cli.app import run

ASK = "autonomy: ask, risk_level: 0.2, expected_improvement: 0.3"


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it has to be."""
        return json.loads(self.out)


def call(*arguments: object, **variables: str) -> Answer:
    """Run a command in this process, as the installed program would: half a second less than a process of its own."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), redirect_stderr(err):
        for name in ("TRIMTAB_CONFIG", "TRIMTAB_TOKEN", "FORCE_COLOR", "COLUMNS"):
            patched.delenv(name, raising=False)
        for name, value in variables.items():
            patched.setenv(name, value)
        patched.setattr(sys, "argv", ["trimtab", *map(str, arguments)])
        try:
            run()
        except SystemExit as ended:
            structlog.reset_defaults()
            return Answer(int(ended.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("run() always exits")


@dataclass(frozen=True)
class Site:
    """A running agent, its service and its configuration."""

    shop: Service
    config: Path
    url: str

    def __call__(self, *arguments: object, **variables: str) -> Answer:
        return call(*arguments, "--config", self.config, **variables)

    def actions(self, state: str) -> list[str]:
        """Ids of the latest actions in this state."""
        return [one["action_id"] for one in self("history", "--json").document if one["state"] == state]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An agent that asks before it acts, with a goal that is missed."""
    folder = tmp_path_factory.mktemp("site")
    with service(load=6.0) as (shop, url):
        config = write_config(folder, url, about=ASK)
        with running(config):
            found = Site(shop, config, url)
            until(lambda: len(found.actions("awaiting_approval")) == 2)
            yield found


@pytest.fixture(scope="session")
def trimtab() -> Callable[..., Answer]:
    """Run any command."""
    return call
