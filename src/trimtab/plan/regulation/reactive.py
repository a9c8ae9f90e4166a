"""The reactive policy: help while a goal is missed, relax when all are met with room to spare, with cool-downs in between.

Called once a turn for each element whose regulation is `reactive`, and by the predictive policy where there is nothing to
predict from. Levers help in the order of the configuration, and relax in reverse. What had to be taken back lately makes it
slower to relax again: each reversal doubles the wait (hysteresis in time; Hellerstein et al. 2004, "Feedback Control of
Computing Systems", ch. 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from trimtab.domain.direction import Direction
from trimtab.domain.regulation import Move, RegulationView
from trimtab.plan.regulation.knobs import Knob, guarded, knobs_of, move

ROOM = 0.6  # of a target: relaxing begins below it, so that one step back rarely misses the goal
FAR = 2.0  # times a target: from here on help comes in steps of two
CALM = 5  # samples that must all have had room before anything is relaxed, and that the last move must lie behind
SLOWEST = 16  # times the usual wait, at most


@dataclass(frozen=True, slots=True)
class Reactive:
    """Needs goals with a positive target. One lever moves at a time."""

    def next(self, view: RegulationView) -> Sequence[Move]:
        """See `domain.regulation.Policy`."""
        history = reaches(view)
        if history is None:
            return ()
        times, reach = history
        last = max((made.at for made in view.moves), default=-np.inf)
        if times[-1] <= last:
            return ()  # nothing was seen since
        if reach[-1] > 1.0:
            return _help(view, float(reach[-1]))
        calm = reach.size >= CALM and bool((reach[-CALM:] < ROOM).all())
        return _relax(view, float(reach[-1])) if calm and _rested(view, times, last) else ()


def reaches(view: RegulationView) -> tuple[np.ndarray, np.ndarray] | None:
    """When (n,), and how near its target the worst goal was (n,): above 1 it is missed. None where that is not known."""
    found = None
    for state in view.goals:
        goal = state.goal
        if goal.target_value <= 0.0 or goal.metric_name not in view.metrics:
            continue
        times, values = view.metrics[goal.metric_name]
        usable = np.isfinite(times) & np.isfinite(values)
        if not values.size or not usable[-1]:
            return None  # what cannot be seen now is not acted on
        times, values = times[usable], values[usable]
        upward = goal.direction is Direction.MAXIMIZE
        reach = goal.target_value / np.maximum(values, 1e-12) if upward else values / goal.target_value
        if found is None:
            found = times, reach
        else:
            n = min(found[1].size, reach.size)
            found = found[0][-n:], np.maximum(found[1][-n:], reach[-n:])
    return found


def _help(view: RegulationView, reach: float) -> Sequence[Move]:
    """The first lever, in the order of the configuration, that can help further and is not still on its way."""
    for knob in knobs_of(view):
        if not knob.help or knob.help in guarded(knob, view.guards) or _on_its_way(knob, view):
            continue
        target = knob.nudged(2 if reach > FAR else 1)
        if target == knob.value:
            continue
        return (move(knob, target, view.now, f"a goal is missed: {reach:.3g} times its target"),)
    return ()


def _relax(view: RegulationView, reach: float) -> Sequence[Move]:
    for knob in reversed(knobs_of(view)):
        target = knob.nudged(-1)
        if knob.help and target != knob.value and -knob.help not in guarded(knob, view.guards):
            return (move(knob, target, view.now, f"every goal is met with room to spare: {reach:.0%} of its target"),)
    return ()


def _on_its_way(knob: Knob, view: RegulationView) -> bool:
    mine = [made for made in view.moves if made.lever_id == knob.spec.lever_id]
    return bool(mine) and view.now < mine[-1].at + knob.spec.settle_seconds


def _rested(view: RegulationView, times: np.ndarray, last: float) -> bool:
    """Whether the last move lies far enough behind; further, the oftener levers went one way and back."""
    every = float(np.median(np.diff(times)))
    settle = max((state.spec.settle_seconds for state in view.levers.values()), default=0.0)
    wait = max(CALM * every, settle) * min(2.0 ** reversals(view.moves), SLOWEST)
    return isfinite(wait) and view.now >= last + wait


def reversals(moves: Sequence[Move]) -> int:
    """How often a lever was moved one way after the other.

    >>> reversals([Move("a/x", 1, 2, 0.0, ""), Move("a/x", 2, 1, 9.0, ""), Move("a/x", 1, 2, 20.0, "")])
    2
    """
    count, ways = 0, dict[str, int]()
    for made in moves:
        if isinstance(made.from_value, str) or isinstance(made.to_value, str):
            continue
        way = 1 if made.to_value > made.from_value else -1
        count += ways.get(made.lever_id, way) != way
        ways[made.lever_id] = way
    return count
