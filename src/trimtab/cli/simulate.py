"""`trimtab simulate`: the agent in virtual time against a plant."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.cli import show

if TYPE_CHECKING:
    from trimtab.assembly.simulation import Simulation


def simulate(config: Path | None, plant: str, seconds: float, seed: int, json: bool) -> int:
    """Run, and print what was done and how the goals stand."""
    from trimtab.assembly import load_settings
    from trimtab.assembly.logs import silence
    from trimtab.assembly.simulation import plant_of, simulate

    settings = load_settings(config)
    silence()
    with _progress(json) as progress:
        run = asyncio.run(simulate(settings, plant_of(plant, seed), seconds, progress=progress))
    document = _document(run, seed)
    if json:
        show.as_json(document)
    else:
        _print(run, document)
    return 0


def _document(run: Simulation, seed: int) -> dict[str, Any]:
    from trimtab.api import views

    return {
        "actions": [
            views.action_detail(record, run.rows.get(record.action_id, ())).model_dump(mode="json") for record in run.records
        ],
        "goals": [views.goal(state).model_dump(mode="json") for state in run.goals],
        "metrics": dict(run.tally.last),
        "totals": {
            "seconds": run.seconds,
            "steps": run.tally.steps,
            "turns": run.turns,
            "seed": seed,
            "actions": dict(Counter(record.state.value for record in run.records)),
            "credited": sum(record.success is True for record in run.records),
            "missed_seconds": dict(run.missed_seconds),
            "sums": dict(run.tally.sums),
        },
    }


def _print(run: Simulation, document: dict[str, Any]) -> None:
    start = run.records[0].action.created_at if run.records else 0.0
    rows = [
        (f"{(record.action.created_at - start) / 60.0:.1f}", record.action_id, show.styled(record.state.value), record.reason)
        for record in run.records
    ]
    show.table("Actions", ("minute", "id", "state", "why"), rows)
    goals = [
        (
            goal["metric_name"],
            show.quantity(goal["metric_name"], goal["target_value"]),
            show.quantity(goal["metric_name"], goal["current_value"]),
            f"{run.missed_seconds.get(goal['goal_id'], 0.0) / 60.0:.1f} min",
        )
        for goal in document["goals"]
    ]
    show.table("Goals", ("metric", "target", "at the end", "missed for"), goals)
    show.table("Plant", ("metric", "at the end"), [(name, show.quantity(name, value)) for name, value in run.tally.last.items()])


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[float], None]]:
    """A bar on a terminal; nothing where nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating", total=1.0)
        yield lambda done: bar.update(task, completed=done)
