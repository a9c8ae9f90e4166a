"""`trimtab run`: the agent in the foreground."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def serve(config: Path | None) -> int:
    """Run until a signal; 0 after a clean stop."""
    with _without("rich", "pygments"):
        from trimtab.assembly.service import Service

        gc.collect()
        gc.freeze()  # what was imported stays: no collection looks through it again
        asyncio.run(Service(config).run())
    return 0


@contextmanager
def _without(*packages: str) -> Iterator[None]:
    """Spare a process that runs for months what libraries load just in case.

    Where they find rich, structlog loads it for coloured tracebacks and httpx for a command line of its own: 6 MB that an agent
    never uses, of the 80 that it may have.
    """
    absent = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None is the import system's own way to say "not here"
    try:
        yield
    finally:
        for package in absent:
            sys.modules.pop(package, None)
