"""The examples are valid, and run."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trimtab.config import load
from trimtab.systems.registry import registry

EXAMPLES = Path(__file__).parents[2] / "examples"


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """An example as a process of its own; yields the first line that it prints."""
    child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        yield child.stdout.readline()
    finally:
        child.terminate()
        child.wait(timeout=10)
        if child.stdout is not None:
            child.stdout.close()


def ask(url: str, body: object = None) -> str:
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), method="PUT" if body else "GET")
    with urllib.request.urlopen(request, timeout=5) as answer:
        text: str = answer.read().decode()
    return text


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_a_configuration_is_valid(path: Path) -> None:
    types = registry(plug_ins=())
    settings = load(path, environ={}, sensors=types.sensor_options, levers=types.lever_options)
    assert settings.goals
    assert settings.elements


def test_the_service_counts_and_holds_what_it_is_set_to() -> None:
    with running(str(EXAMPLES / "shop.py"), "--port", "0", "--rate", "5") as told:
        url = told.split()[2].rstrip(":")
        assert ask(f"{url}/item") == "done\n"
        assert "http_request_duration_seconds_bucket" in ask(f"{url}/metrics")
        assert json.loads(ask(f"{url}/levers/workers")) == {"value": 1}
        assert json.loads(ask(f"{url}/levers/workers", {"value": 3})) == {"value": 3}
        for refused in ({"value": 9}, {"value": "3"}, {"value": True}, ["x"]):
            with pytest.raises(urllib.error.HTTPError, match="422"):
                ask(f"{url}/levers/workers", refused)
        assert json.loads(ask(f"{url}/levers/workers")) == {"value": 3}


def test_the_program_shows_its_sensor_and_its_lever(tmp_path: Path) -> None:
    import asyncio

    from trimtab.systems.app.channels import SocketChannel

    with running(str(EXAMPLES / "program.py"), "--socket", str(tmp_path / "p.sock"), "--seconds", "20"):

        async def look() -> dict[str, object]:
            channel = SocketChannel(str(tmp_path / "p.sock"), 5.0)
            return dict(await channel.ask({"op": "list"}))

        shown = asyncio.run(look())
    assert shown["sensors"] == {"queue_length": {"unit": ""}}
    assert "workers" in shown["levers"]  # type: ignore[operator]
