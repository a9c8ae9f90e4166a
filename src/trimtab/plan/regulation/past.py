"""An element's own history, lined up: one row a sample, with the load, how near the goals were, and where the levers stood.

Called by the predictive policy before it learns. Rows are made from samples that are there: a sample that is missing in one
metric or not finite is left out, never filled in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.direction import Direction
from trimtab.domain.metrics import Unit, infer_unit
from trimtab.domain.regulation import Move, RegulationView

Array = NDArray[np.float64]
LOAD_SUFFIXES = ("_per_second", "_rate", "_rps", "_qps")
ARRIVALS = ("arriv", "request", "incoming", "offered")  # of several rates, those that are asked for and not those that come out
IDLE = 0.02  # of the highest load: below it a mean response time is that of next to nobody
LONGEST = 120  # samples that are looked at
BUSY = ("utilization", "utilisation", "busy", "cpu", "saturation")  # in the name of a ratio that says how much is used
TOGETHER, RISEN = 3, 1.1  # samples whose mean tells how high load was, and how much higher is beyond what is known
INSIDE = 6  # points of a sample's interval at which the levers are looked at


@dataclass(frozen=True, slots=True)
class Past:
    """Rows (n,), oldest first.

    `reach` is the worst goal metric over its target (1: at the target), or None without such a goal. `worth` is a measured
    benefit that is to be as large as possible, or None. `target_seconds` is the target of a goal that is a time: how much a queue
    adds to that is known.
    """

    times: Array
    load: Array
    every: float  # seconds between two rows
    reach: Array | None
    worth: Array | None
    target_seconds: float | None
    waits: bool  # the goal's metric counts what waits: it grows with load times waiting time
    told: NDArray[np.bool_]  # rows with load enough for the goal's metric to mean something
    busy: Array | None = None  # share of its capacity that the element says it used, where it says so


def load_names(view: RegulationView) -> tuple[str, ...]:
    """The metrics of the load: those that a lever `follows`, else the rates of what arrives, else every rate."""
    followed = tuple(dict.fromkeys(name for state in view.levers.values() for name in state.spec.follows))
    if followed:
        return followed
    wanted = {state.goal.metric_name for state in view.goals} | {state.guard.metric_name for state in view.guards}
    rates = tuple(name for name in sorted(view.metrics) if name.endswith(LOAD_SUFFIXES) and name not in wanted)
    return tuple(name for name in rates if any(word in name for word in ARRIVALS)) or rates


def load_risen(view: RegulationView, moment: float) -> bool:
    """Whether load has since been clearly beyond all that it was before: what was seen then says nothing of it.

    Three samples together, a tenth above the highest three before. No without a load that can be seen on both sides.
    """
    names = load_names(view)
    if not names or any(name not in view.metrics for name in names):
        return False
    times, columns = _lined_up(view.metrics, names)
    load = np.sum([columns[name] for name in names], axis=0)
    before, since = load[times <= moment], load[times > moment]
    if min(before.size, since.size) < TOGETHER:
        return False
    highest, now = (np.convolve(part, np.full(TOGETHER, 1.0 / TOGETHER), "valid").max() for part in (before, since))
    return bool(now > RISEN * highest)


def past_of(view: RegulationView) -> Past | None:
    """The history in `view`, None where there is no load or no goal in it, or fewer than two rows."""
    loads = load_names(view)
    held = [s.goal for s in view.goals if s.goal.direction is Direction.MINIMIZE and s.goal.target_value > 0.0]
    held = [goal for goal in held if goal.metric_name in view.metrics]
    sought = [s.goal for s in view.goals if s.goal.direction is Direction.MAXIMIZE and s.goal.metric_name in view.metrics]
    names = [*loads, *(goal.metric_name for goal in [*held, *sought])]
    if not loads or not (held or sought) or any(name not in view.metrics for name in names):
        return None
    used = _busy_names(view, names)
    times, columns = _lined_up(view.metrics, [*names, *used])
    if times.size < 2:
        return None
    reach = np.max([columns[goal.metric_name] / goal.target_value for goal in held], axis=0) if held else None
    worth = np.sum([goal.weight * columns[goal.metric_name] for goal in sought], axis=0) if sought else None
    load = np.maximum(np.sum([columns[name] for name in loads], axis=0), 0.0)
    told = (load > IDLE * load.max()) & (reach > 0.0) if reach is not None else load > IDLE * load.max()
    every = float(np.median(np.diff(times)))
    seconds = [t for goal in held if (t := _seconds(goal.metric_name, goal.target_value)) is not None]
    waits = bool(held) and infer_unit(held[0].metric_name) in (Unit.NONE, Unit.COUNT)
    busy = np.max([_share(name, columns[name]) for name in used], axis=0) if used else None
    return Past(times, load, every, reach, worth, min(seconds, default=None), waits, told, busy)


def _busy_names(view: RegulationView, names: Sequence[str]) -> list[str]:
    """The metrics that say how much of its capacity the element uses, where they have been seen as often as the rest."""
    rows = min(view.metrics[name][0].size for name in names)
    ratios = [name for name in sorted(view.metrics) if infer_unit(name) in (Unit.RATIO, Unit.PERCENT) and name not in names]
    wanted = [name for name in ratios if any(word in name for word in BUSY)]
    return [name for name in wanted if view.metrics[name][0].size >= rows and np.isfinite(view.metrics[name][1][-rows:]).all()]


def _share(name: str, values: Array) -> Array:
    return np.asarray(np.clip(values * (0.01 if infer_unit(name) is Unit.PERCENT else 1.0), 0.0, 1.0))


def _seconds(name: str, target: float) -> float | None:
    unit = infer_unit(name)
    return unit.convert(target, Unit.SECONDS) if unit in (Unit.SECONDS, Unit.MILLISECONDS) else None


def _lined_up(metrics: Mapping[str, tuple[Array, Array]], names: Sequence[str]) -> tuple[Array, dict[str, Array]]:
    """Times (n,) of the slowest metric, and each metric's newest value then; rows that are not finite are left out."""
    slowest = min(names, key=lambda name: metrics[name][0].size)
    times = np.asarray(metrics[slowest][0], dtype=np.float64)[-LONGEST:]
    if not times.size:
        return times, {}
    columns: dict[str, Array] = {}
    usable = np.isfinite(times)
    for name in names:
        at, values = (np.asarray(part, dtype=np.float64) for part in metrics[name])
        places = np.searchsorted(at, times, side="right") - 1
        near = times - at[np.maximum(places, 0)] <= 1.5 * (np.median(np.diff(times)) if times.size > 1 else np.inf)
        columns[name] = np.where(places >= 0, values[np.maximum(places, 0)], np.nan)
        usable &= (places >= 0) & near & np.isfinite(columns[name])
    return times[usable], {name: column[usable] for name, column in columns.items()}


def track(moves: Sequence[Move], lever_id: str, value: float) -> tuple[Array, Array]:
    """When (k,) a lever was set to what (k + 1,): the first value is from before the first move."""
    mine = [m for m in moves if m.lever_id == lever_id and not isinstance(m.to_value, str)]
    if not mine:
        return np.empty(0), np.array([value])
    return np.array([m.at for m in mine]), np.array([float(mine[0].from_value), *(float(m.to_value) for m in mine)])


def felt(times: Array, every: float, when: Array, values: Array, help_way: int, lead: float) -> Array:
    """Positions (n, INSIDE) that were in effect within the interval before each of `times`, `lead` seconds after they were set.

    Help counts from when it has stood for the whole lead time: a server that boots does not serve. What is taken away is gone
    at once.
    """
    points = times[:, np.newaxis] - every * (np.arange(INSIDE) + 0.5) / INSIDE
    now = np.searchsorted(when, points, side="right")
    if lead <= 0.0 or not when.size:
        return np.asarray(values[now])
    if help_way == 0:
        return np.asarray(values[np.searchsorted(when, points - lead, side="right")])
    worst = values[now] * help_way
    for place in range(values.size):  # the least of all that it was set to within the lead time
        since = when[place - 1] if place else -np.inf
        until = when[place] if place < when.size else np.inf
        stood = (until > points - lead) & (since <= points)
        worst = np.where(stood, np.minimum(worst, values[place] * help_way), worst)
    return np.asarray(worst * help_way)
