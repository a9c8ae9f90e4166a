"""What the demo stands on: a temporary folder, the service and its clients in processes of their own, the agent's configuration.

Entered by `story` before anything else. Leaving it, in whatever way, ends both processes and removes the folder. They also end by
themselves when this process is killed, because their standard input does; the service then removes the folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trimtab.demo.counters import Counters
from trimtab.demo.faults import World
from trimtab.demo.setup import configuration
from trimtab.domain.errors import TrimtabError

START_SECONDS = 30.0  # what a process may take to start
Child = subprocess.Popen[str]


@dataclass(frozen=True)
class Scene:
    """The folder, the service and its clients, what is read off them, and where the agent is going to answer."""

    folder: Path
    service_url: str
    agent_url: str
    config: Path
    counters: Counters
    service: Child
    clients: Child

    def change(self, world: World) -> None:
        """Let the world change, by the processes' standard input: the agent has no part in it."""
        _tell(self.service, world.service)
        _tell(self.clients, world.clients)

    def read_lever(self, name: str) -> object:
        """What the service itself says that a lever holds, asked without the agent."""
        import httpx

        return httpx.get(f"{self.service_url}/levers/{name}", timeout=5.0, trust_env=False).json()["value"]


@contextlib.contextmanager
def scene(duration: float, seed: int = 1) -> Iterator[Scene]:
    """Set everything up, hand it over, and clear it all away. `duration` (seconds) bounds the life of the processes too."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trimtab-demo-", ignore_cleanup_errors=True)))
        live = ["--duration", str(duration)]
        service = stack.enter_context(_process(["workload", "--folder", str(folder), *live], folder))
        url = f"http://127.0.0.1:{_first_line(service)['port']}"
        clients = stack.enter_context(_process(["load", "--url", url, "--seed", str(seed), *live], folder))
        counters = stack.enter_context(contextlib.closing(Counters(url)))
        config, port = folder / "trimtab.yaml", _free_port()
        config.write_text(configuration(folder, url, port))
        yield Scene(folder, url, f"http://127.0.0.1:{port}", config, counters, service, clients)


@contextlib.contextmanager
def _process(arguments: Sequence[str], folder: Path) -> Iterator[Child]:
    """A module of this package as a child process, which ends with the block.

    It gets a session of its own, so that Ctrl-C reaches only us: the agent may still need the service to undo what is unproven.
    NumPy's library gets one thread: the machine is to be shared.
    """
    command = [sys.executable, "-m", f"trimtab.demo.{arguments[0]}", *arguments[1:]]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with open(folder / f"{arguments[0]}.log", "w") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
            env=environment,
        )
        try:
            yield child
        finally:
            _end(child)


def _tell(child: Child, message: Mapping[str, float]) -> None:
    if message and child.stdin is not None:
        try:
            child.stdin.write(json.dumps(dict(message)) + "\n")
            child.stdin.flush()
        except OSError as error:
            raise TrimtabError("a process of the demo has ended by itself", remedy="Run the demo once more.") from error


def _end(child: Child) -> None:
    """At once: there is nothing in it to lose, and Ctrl-C must not take long."""
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _first_line(child: Child) -> dict[str, int]:
    """The line of JSON that a child prints when it is ready."""
    watchdog = threading.Timer(START_SECONDS, child.kill)
    watchdog.start()
    try:
        line = child.stdout.readline() if child.stdout is not None else ""
    finally:
        watchdog.cancel()
    if not line:
        raise TrimtabError(
            "the demo's service did not start", remedy="Run `python -m trimtab.demo.workload --folder DIR` to see why."
        )
    document: dict[str, int] = json.loads(line)
    return document
