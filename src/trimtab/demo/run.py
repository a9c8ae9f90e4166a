"""The demo's evening: set the scene, let the agent in exactly as `trimtab run` does, have the story told, clear everything away.

`main` is what the command line calls.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trimtab.demo.faults import DRAWN, Fault, draw
from trimtab.demo.report import Report, as_json
from trimtab.demo.scene import scene
from trimtab.demo.screen import PIPED_WIDTH, Screen, show
from trimtab.demo.story import Story, says
from trimtab.domain.errors import TrimtabError

if TYPE_CHECKING:
    from rich.console import Console

LIMIT_SECONDS = 350.0  # the whole evening, start and clean-up included
WARM_UP_SECONDS = 4.0  # of the service before the agent comes: it is to meet a day like any other, not an opening
CLEAN_UP_SECONDS = 5.0
INTERRUPTED = 130  # the exit status of a program ended by Ctrl-C


def main(json: bool = False, seed: int | None = None, faults: str = DRAWN, duration_limit: float = LIMIT_SECONDS) -> int:
    """Tell the story once and print it; returns the exit status: 0 only where every step of it succeeded.

    `json` prints one document instead of the tables. `seed` draws the faults, None draws the seed too. `faults` is drawn, all,
    none, or names with commas between them. `duration_limit` (seconds) gives up when it is exceeded. Raises `BadChoice`.
    """
    from rich.console import Console

    seed = random.SystemRandom().randrange(1, 1000) if seed is None else seed
    drawn = draw(seed, faults)
    console = Console(quiet=json, highlight=False)
    if not console.is_terminal:
        console = Console(quiet=json, highlight=False, width=PIPED_WIDTH)
    report = Report(started_at=time.time(), seed=seed, faults_drawn=len(drawn))
    try:
        asyncio.run(_tell_within(report, drawn, console, duration_limit))
    except (KeyboardInterrupt, asyncio.CancelledError):
        Console(stderr=True).print("Stopped. Everything that the demo started has ended.")
        return INTERRUPTED
    except TrimtabError as error:
        report.ended_early = str(error)
    report.seconds = time.time() - report.started_at
    if json:
        print(as_json(report))  # noqa: T201 (the product)
    else:
        show(report, console)
    return 0 if report.ok else 1


async def _tell_within(report: Report, drawn: Sequence[Fault], console: Console, limit_seconds: float) -> None:
    from trimtab.assembly import assemble, load_settings
    from trimtab.assembly.logs import configure_logging

    task = asyncio.current_task()
    if task is not None:  # both are named, because a shell starts what runs in the background with SIGINT ignored
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    console.print(
        f"[bold]trimtab demo[/], seed {report.seed}: a shop of four parts starts on this machine, under load. It is healthy."
    )
    with scene(limit_seconds + CLEAN_UP_SECONDS, report.seed) as stage:
        await asyncio.sleep(WARM_UP_SECONDS)
        settings = load_settings(stage.config)
        configure_logging(settings)
        agent = assemble(settings)
        console.print(f"The agent answers at {stage.agent_url}/docs. Nobody tells it what is going to happen.\n")
        running = asyncio.create_task(agent.run())
        deadline = report.started_at + limit_seconds - CLEAN_UP_SECONDS
        with Screen(console, stage.counters, report.started_at) as screen:
            try:
                async with asyncio.timeout(max(0.0, deadline - time.time())):
                    await Story(stage, agent, report, screen, deadline).tell(drawn, running)
            except TimeoutError:
                report.ended_early = f"{limit_seconds:.0f} s were over while {screen.waiting_for}; the agent: {says(agent)}"
            finally:
                agent.stop()
                await asyncio.wait([running], timeout=CLEAN_UP_SECONDS)
