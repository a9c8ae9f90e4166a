"""Start a program as a child, read the line of JSON that it prints when ready, and be sure that it ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent


@contextlib.contextmanager
def child(arguments: Sequence[str], log: Path, *, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Python with `arguments` as a child with a session and a standard input of its own; interrupted, then killed at the end."""
    with open(log, "a") as output:
        process = start(arguments, output, environment)
        try:
            yield process
        finally:
            end(process)


def start(arguments: Sequence[str], log: IO[str], environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """The child itself, for whoever means to kill it."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
        env=os.environ | (environment or {}),
    )


def end(process: subprocess.Popen[str], patience: float = 8.0) -> None:
    """End a child in order, or by force."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def first_line(process: subprocess.Popen[str], patience: float = 30.0) -> dict[str, int]:
    """The line that the child prints when it is ready."""
    watchdog = threading.Timer(patience, process.kill)
    watchdog.start()
    try:
        line = process.stdout.readline() if process.stdout is not None else ""
    finally:
        watchdog.cancel()
    if not line:
        raise RuntimeError(f"{process.args} did not become ready")
    ports: dict[str, int] = json.loads(line)
    return ports


def drain(process: subprocess.Popen[str]) -> None:
    """Read and forget what the child prints, so that it never blocks on a full pipe."""
    threading.Thread(target=lambda: process.stdout.read() if process.stdout else None, daemon=True).start()


def free_port() -> int:
    """A port that nothing listens on right now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def workplace(kept: Path | None) -> Iterator[Path]:
    """The folder `kept`, made where it is not there; or one that is gone afterwards."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
