"""Which configuration this process goes by, read with every installed system; one agent for a program that wants just that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.domain.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.agent import AutonomousAgent
    from trimtab.config import Settings

DEFAULT_CONFIG = "trimtab.yaml"
_the_agent: AutonomousAgent | None = None


def config_path(given: str | Path | None = None) -> Path:
    """The file to read: as given, else `TRIMTAB_CONFIG`, else `trimtab.yaml` here."""
    return Path(given or os.environ.get("TRIMTAB_CONFIG") or DEFAULT_CONFIG)


def load_settings(path: str | Path | None = None) -> Settings:
    """Read the configuration. Raises `ConfigError` with every mistake in it."""
    from trimtab.config import load
    from trimtab.systems.registry import registry

    types = registry()
    return load(config_path(path), environ=os.environ, sensors=types.sensor_options, levers=types.lever_options,
                jobs=types.job_options)  # fmt: skip


def load_to_reach(path: str | Path | None = None) -> Settings:
    """The settings by which a running agent is reached, even while the rest of the file has mistakes.

    Raises `ConfigError`, with every mistake in the file, where these have some, too.
    """
    from trimtab.config import load_part

    try:
        return load_settings(path)
    except ConfigError as error:
        try:
            return load_part(config_path(path), environ=os.environ, keys=("version", "storage", "api"))
        except ConfigError:
            raise error from None


def get_autonomous_agent() -> AutonomousAgent:
    """The agent of this process, made at the first call from the default configuration. Raises `ConfigError`, `StoreError`."""
    global _the_agent
    if _the_agent is None:
        from trimtab.assembly.wiring import assemble

        _the_agent = assemble(load_settings())
    return _the_agent
