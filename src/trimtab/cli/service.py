"""`trimtab run`: the agent in the foreground."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, cast

from trimtab.domain.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.assembly.service import Service

_NO_COMMAND_LINE = cast("ModuleType", SimpleNamespace(Server=None, main=None, run=None))  # the names that uvicorn shows of it
_SPARED: dict[str, ModuleType | None] = {
    "rich": None,
    "pygments": None,
    "uvicorn.main": _NO_COMMAND_LINE,
    "logging.config": cast("ModuleType", SimpleNamespace()),  # uvicorn would read a configuration of the log with it
}


def serve(config: Path | None) -> int:
    """Run until a signal; 0 after a clean stop."""
    with _without(**_SPARED):
        from trimtab.assembly.service import Service

        gc.collect()
        gc.freeze()  # what was imported stays: no collection looks through it again
        asyncio.run(_service(Service, config).run())
    return 0


def _service(kind: type[Service], config: Path | None) -> Service:
    try:
        return kind(config)
    except ConfigError as error:
        error.remedy = error.remedy or "Nothing was started"
        raise


@contextmanager
def _without(**modules: ModuleType | None) -> Iterator[None]:
    """Spare a process that runs for months what libraries load just in case.

    Where they find rich, structlog loads it for coloured tracebacks and httpx for a command line; uvicorn brings a command line
    of its own, with click and multiprocessing: 8 MB that an agent never uses, of the 80 that it may have.
    """
    absent = {name: instead for name, instead in modules.items() if name not in sys.modules}
    sys.modules.update(absent)  # type: ignore[arg-type]  # None is the import system's own way to say "not here"
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)
