"""The command `trimtab`.

Reads: arguments, the configuration, the running agent over REST, the store where none runs. Produces: tables, JSON, exit codes.
May import: everything. Never: anything heavy before a command needs it; a traceback for a mistake of the user's.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line; exits with 0 (done), 1 (failed), 2 (`plan`: changes proposed), 64 (usage) or 130 (interrupted)."""
    from trimtab.cli.app import run

    run()
