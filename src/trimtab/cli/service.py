"""`trimtab run`: the agent in the foreground."""

from __future__ import annotations

import asyncio
from pathlib import Path


def serve(config: Path | None) -> int:
    """Run until a signal; 0 after a clean stop."""
    from trimtab.assembly import load_settings, run_until_stopped
    from trimtab.assembly.logs import configure_logging
    from trimtab.assembly.wiring import assemble

    settings = load_settings(config)
    configure_logging(settings)
    asyncio.run(run_until_stopped(assemble(settings)))
    return 0
