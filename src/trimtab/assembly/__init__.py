"""The composition root: from a configuration to a wired agent. The only room that picks adapters.

Reads: the configuration file, the environment. Produces: an agent, ready to run. May import: all below `cli`. Never: decide.
"""

from trimtab.assembly.process import get_autonomous_agent, load_settings, run_until_stopped
from trimtab.assembly.wiring import assemble

__all__ = ["assemble", "get_autonomous_agent", "load_settings", "run_until_stopped"]
