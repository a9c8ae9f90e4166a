"""A Python program that shows trimtab a number and a setting: two decorators and one line.

    python examples/program.py [--socket examples/program.sock]

It runs in your program, needs the standard library only, and serves on daemon threads. The agent's side is `program.yaml`.
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path

import trimtab

ARRIVALS_PER_SECOND = 40.0
JOBS_PER_WORKER = 15.0


class Queue:
    """Something to look after: jobs that come at one rate and are done at another."""

    def __init__(self) -> None:
        self.length, self.workers = 0.0, 2

    def pass_time(self, seconds: float) -> None:
        """Let jobs come and go."""
        self.length += seconds * (ARRIVALS_PER_SECOND - self.workers * JOBS_PER_WORKER)
        self.length = min(500.0, max(0.0, self.length))


queue = Queue()


@trimtab.sensor("queue_length")
def queue_length() -> float:
    """Read at every interval; None would mean that there is no number now."""
    return queue.length


@trimtab.lever("workers", bounds=(1, 8))
def workers() -> int:
    """Reads the setting."""
    return queue.workers


@workers.setter
def set_workers(value: int) -> None:
    """Sets it; a value outside of the bounds never gets here."""
    queue.workers = value


def main() -> None:
    parser = argparse.ArgumentParser(description="A Python program that trimtab looks after.")
    parser.add_argument("--socket", default=str(Path(__file__).with_name("program.sock")))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="how long to run")
    options = parser.parse_args()
    exposed = trimtab.sdk.expose(options.socket)
    print(f"serving on {options.socket}", flush=True)
    done, until = threading.Event(), time.monotonic() + options.seconds
    try:
        while time.monotonic() < until and not done.wait(0.1):
            queue.pass_time(0.1)
    except KeyboardInterrupt:
        pass
    finally:
        exposed.close()


if __name__ == "__main__":
    main()
