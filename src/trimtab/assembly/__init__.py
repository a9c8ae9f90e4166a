"""The composition root: from a configuration to a wired agent. The only room that picks adapters.

Reads: the configuration file, the environment. Produces: an agent, ready to run. May import: all below `cli`. Never: decide.
Names load on first use: a command that only reads a store need not wait for the agent's own rooms.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trimtab.assembly.process import get_autonomous_agent as get_autonomous_agent
    from trimtab.assembly.process import load_settings as load_settings
    from trimtab.assembly.wiring import assemble as assemble

_HOMES = {"assemble": "wiring", "get_autonomous_agent": "process", "load_settings": "process"}

__all__ = ["assemble", "get_autonomous_agent", "load_settings"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"trimtab.assembly.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'trimtab.assembly' has no attribute {name!r}")
