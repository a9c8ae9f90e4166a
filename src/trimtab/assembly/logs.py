"""The log: one line an event, readable on a terminal or as JSON, with every secret of the configuration blotted out."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from trimtab.assembly.log_file import ErrorStream, LogFile
from trimtab.config import Settings
from trimtab.domain.errors import ConfigError
from trimtab.storage.folder import DataFolder


def configure_logging(settings: Settings) -> None:
    """Send the log to standard error and, unless it is switched off, to a file.

    Raises `ConfigError` where that cannot be written, `StoreError` where the data folder, its usual place, cannot be used.
    """

    def blot_out(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {key: settings.redact(value) if isinstance(value, str) else value for key, value in event.items()}

    def blot_out_line(logger: Any, name: str, rendered: Any) -> str:
        return settings.redact(str(rendered))  # what a list or an object has brought in

    plain = settings.log.format == "json"
    finish = structlog.processors.JSONRenderer() if plain else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            blot_out,
            finish,
            blot_out_line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log.level.upper()]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger("trimtab")
    root.setLevel(settings.log.level.upper())
    root.propagate = False
    before, root.handlers = root.handlers, [ErrorStream(sys.stderr), *_file(settings)]
    for handler in before:
        handler.close()  # a reload configures anew


def silence() -> None:
    """Log nothing but what is critical: for commands that answer once."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _file(settings: Settings) -> list[logging.Handler]:
    path = settings.log_file
    if path is None:
        return []
    try:
        if settings.log.file is None:
            DataFolder(settings.storage.path)  # made for its owner only, as the agent would a moment later
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
        return [LogFile(path)]
    except OSError as error:
        raise ConfigError(
            f"log.file {path} cannot be written: {error.strerror}", remedy="choose another place, or log.file: off for none"
        ) from error
