"""`trimtab simulate`: the agent in virtual time against a plant."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.cli import show
from trimtab.domain.words import setting

if TYPE_CHECKING:
    from trimtab.assembly.simulation import Simulation
    from trimtab.domain.actions import ActionRecord


def simulate(config: Path | None, plant: str, seconds: float, seed: int, json: bool) -> int:
    """Run a plant, and print what was done and how the goals stand."""
    from trimtab.assembly import load_settings
    from trimtab.assembly.logs import silence
    from trimtab.assembly.simulation import plant_of, simulate

    settings = load_settings(config)
    silence()
    with _progress(json) as progress:
        run = asyncio.run(simulate(settings, plant_of(plant, seed), seconds, progress=progress))
    document = _document(run, {"seed": seed})
    if json:
        show.as_json(document)
    else:
        _print(run, document)
    return 0


def replay(
    config: Path | None, recording: Path, start: str | None, seconds: float | None, levers: Sequence[str], json: bool
) -> int:
    """Live through what was recorded, and print what would have been done."""
    from trimtab.assembly import load_settings
    from trimtab.assembly.logs import silence
    from trimtab.assembly.replay import assumed_levers, opened, replay, stretch_of

    settings = load_settings(config)
    silence()
    assumed = assumed_levers(settings, levers)

    async def run() -> Simulation:
        async with opened(recording, settings) as past:
            stretch = await stretch_of(settings, past, start, seconds)
            with _progress(json) as progress:
                return await replay(settings, past, stretch, assumed=assumed, progress=progress)

    found = asyncio.run(run())
    document = _document(found, {"recording": str(recording)})
    if json:
        show.as_json(document)
    else:
        _print_replay(found, document, settings.timezone)
    return 0


def _document(run: Simulation, origin: dict[str, Any]) -> dict[str, Any]:
    from trimtab.api import views

    return {
        "actions": [
            views.action_detail(record, run.rows.get(record.action_id, ())).model_dump(mode="json") for record in run.records
        ],
        "goals": [views.goal(state).model_dump(mode="json") for state in run.goals],
        "metrics": dict(run.totals.last),
        "totals": {
            "seconds": run.seconds,
            "steps": run.totals.steps,
            "turns": run.turns,
            **origin,
            "actions": dict(Counter(record.state.value for record in run.records)),
            "moves": dict(run.moves),
            "credited": sum(record.success is True for record in run.records),
            "missed_seconds": dict(run.missed_seconds),
            "held_seconds": {goal_id: seconds for goal_id, (seconds, _) in run.held.items()},
            "sums": dict(run.totals.sums),
        },
    }


def _print(run: Simulation, document: dict[str, Any]) -> None:
    start = run.records[0].action.created_at if run.records else 0.0
    rows = [
        (f"{(record.action.created_at - start) / 60.0:.1f}", record.action_id, show.styled(record.state.value), record.reason)
        for record in run.records
    ]
    show.table("Actions", ("minute", "id", "state", "why"), rows)
    if run.regulation:
        _print_regulated(run)
    _print_goals(run, document)
    show.table("Plant", ("metric", "at the end"), [(name, show.quantity(name, value)) for name, value in run.totals.last.items()])


def _print_regulated(run: Simulation) -> None:
    levers = ((policy["policy"], lever, value) for policy in run.regulation for lever, value in policy["set_points"].items())
    rows = [(lever, setting(value), str(run.moves.get(lever, 0)), policy) for policy, lever, value in levers]
    show.table("Regulated", ("lever", "at the end", "moves", "policy"), rows)


def _print_replay(run: Simulation, document: dict[str, Any], timezone: str) -> None:
    """Each change that was wanted, once, with when it was first wanted and how often: the past never gives in."""
    wanted: dict[tuple[str, str, str], list[ActionRecord]] = {}
    for record in run.records:
        way = f"{setting(record.action.from_value)} → {setting(record.action.to_value)}"
        wanted.setdefault((record.action.lever_id, way, _fate(record)), []).append(record)
    rows = [
        (show.moment(records[0].action.created_at, timezone), lever_id, way, fate, str(len(records)), records[0].action.trigger)
        for (lever_id, way, fate), records in wanted.items()
    ]
    show.table("It would have", ("first at", "lever", "change", "", "times", "because"), rows, empty="left everything as it was")
    _print_goals(run, document)
    show.line(
        "Nothing was set, and the metrics went on as they had: whether a change would have helped, a recording cannot tell."
    )


def _fate(record: ActionRecord) -> str:
    if record.state.value == "ignored":
        return "decided against it"
    return "tried it" if record.executed_at is not None else "asked a person"


def _print_goals(run: Simulation, document: dict[str, Any]) -> None:
    goals = [
        (
            goal["metric_name"],
            show.quantity(goal["metric_name"], goal["target_value"]),
            show.quantity(goal["metric_name"], goal["current_value"]),
            f"{run.missed_seconds.get(goal['goal_id'], 0.0) / 60.0:.1f} min",
            f"{run.held.get(goal['goal_id'], (0.0, ''))[0] / 60.0:.1f} min",
        )
        for goal in document["goals"]
    ]
    show.table("Goals", ("metric", "target", "at the end", "missed for", "on hold for"), goals)
    for goal in document["goals"]:
        seconds, reason = run.held.get(goal["goal_id"], (0.0, ""))
        if seconds > run.seconds / 2.0:
            show.line(f"Nothing rested on {goal['metric_name']} most of the time, last because of this: {reason}.")


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
