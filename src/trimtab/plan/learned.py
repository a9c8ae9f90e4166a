"""The search's models from the agent's own trials: each verdict is the difference between a setting with a change and without it.

A record names one lever; what the others held then is found by walking back from what they hold now. A difference does not care
how high the load was that day, which is why verdicts are learned from and raw levels are not. Pure; read by `plan.lever_search`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log

import numpy as np

from trimtab.domain.actions import ActionRecord
from trimtab.domain.direction import Direction
from trimtab.domain.goals import GoalState, GuardState
from trimtab.domain.situation import LeverState
from trimtab.plan.axes import Axis, Setting, points
from trimtab.plan.history import History, tried
from trimtab.plan.outlook import Outlook
from trimtab.plan.settings import RECENT_FOR
from trimtab.plan.territory import TOLD, Fence, Used, reaches
from trimtab.stats.surrogate import Surrogate

LEAST_VERDICTS = 3  # with an interval, before a model knows more than the last trial does
DEVIATIONS_WIDE = 4.0  # a verdict's interval, in standard deviations of its effect
LEAST_NOISE = 0.02
GUARD_NOISE = 0.05  # of a guard's mean over its window
Lesson = tuple[Setting, Setting, float, float]  # with the change, without it, how much better, standard deviation


@dataclass(frozen=True, slots=True)
class Contrast:
    """One trial: the settings with and without it, and what it showed."""

    record: ActionRecord
    setting: Setting
    without: Setting
    better: float | None  # difference in the logarithm of the metric, positive = better
    noise: float


def outlook_of(
    goal: GoalState, levers: Sequence[LeverState], guards: Sequence[GuardState], history: History
) -> tuple[Outlook, Setting] | None:
    """The outlook of a goal over `levers`, and the setting in place; None while there are too few verdicts to learn from.

    Every lever must have been read.
    """
    axes = tuple(Axis.of(state.spec, state.value) for state in levers if state.value is not None)
    here: Setting = tuple(state.value for state in levers if state.value is not None)
    contrasts = list(_contrasts(goal, axes, here, history))
    told = [contrast for contrast in contrasts if contrast.better is not None]
    if len(told) < LEAST_VERDICTS:
        return None
    settings = tuple(dict.fromkeys([here, *(one for contrast in contrasts for one in (contrast.without, contrast.setting))]))
    lessons = tuple((contrast.setting, contrast.without, contrast.better or 0.0, contrast.noise) for contrast in told)
    model = _model(axes, settings, lessons)
    broke = {contrast.setting for contrast in contrasts if contrast.record.guard_breached is not None} - {here}
    harmful = np.array([one in broke for one in settings])
    fences = _fences(guards, contrasts, settings, here, axes)
    tries = [(here, False), *((contrast.setting, contrast.setting in broke) for contrast in reversed(contrasts))]
    noise = float(np.median([contrast.noise for contrast in told]))
    return Outlook(axes, settings, model, fences, ~harmful, harmful, reaches(axes, tries), noise), here


@lru_cache(maxsize=64)
def _model(axes: tuple[Axis, ...], settings: tuple[Setting, ...], lessons: tuple[Lesson, ...]) -> Surrogate:
    """The goal's model. Kept, since a goal is missed for many turns between two verdicts."""
    rows = np.zeros((len(lessons), len(settings)))
    for number, (setting, without, _, _) in enumerate(lessons):
        rows[number, settings.index(setting)] += 1.0
        rows[number, settings.index(without)] -= 1.0
    better, noise = (np.array([lesson[place] for lesson in lessons], dtype=float) for place in (2, 3))
    return Surrogate.fit(points(axes, settings), np.array([not axis.spec.numeric for axis in axes]), rows, better, noise)


def _contrasts(goal: GoalState, axes: Sequence[Axis], here: Setting, history: History) -> Iterator[Contrast]:
    """The trials of the last day on these levers, newest first; those for other goals only move the levers."""
    places = {axis.spec.lever_id: number for number, axis in enumerate(axes)}
    records = sorted(
        (r for lever_id in places for r in history.of_lever(lever_id) if tried(r) and not r.simulated),
        key=lambda record: record.executed_at or record.since,
        reverse=True,
    )
    setting = here
    for record in records:
        number = places[record.action.lever_id]
        tried_at, without = (_with(setting, number, value) for value in (record.action.to_value, record.action.from_value))
        if record.action.goal_id == goal.goal.goal_id and history.now - record.since < RECENT_FOR:
            yield Contrast(record, tried_at, without, *_effect(record, goal.goal.direction))
        setting = without


def _with(setting: Setting, number: int, value: bool | int | float | str) -> Setting:
    return (*setting[:number], value, *setting[number + 1 :])


def _effect(record: ActionRecord, direction: Direction) -> tuple[float | None, float]:
    """How much better in logarithms, and its standard deviation, by the verdict; None where there is no interval."""
    verdict = record.verdict
    if verdict is None or verdict.effect is None or verdict.low is None or verdict.high is None:
        return None, 0.0
    low, middle, high = (_logarithm(effect, direction) for effect in (verdict.low, verdict.effect, verdict.high))
    return middle, max((high - low) / DEVIATIONS_WIDE, LEAST_NOISE)


def _logarithm(effect: float, direction: Direction) -> float:
    """A relative effect as a difference of logarithms.

    >>> round(_logarithm(0.5, Direction.MINIMIZE), 3), round(_logarithm(1.0, Direction.MAXIMIZE), 3)
    (0.693, 0.693)
    """
    return -log(max(1.0 - effect, 0.05)) if direction is Direction.MINIMIZE else log(max(1.0 + effect, 0.05))


def _fences(
    guards: Sequence[GuardState], contrasts: Sequence[Contrast], settings: Sequence[Setting], here: Setting, axes: Sequence[Axis]
) -> tuple[Fence, ...]:
    """What is known of each guard: its value now, and where a trial broke it."""
    places, labels = points(axes, settings), np.array([not axis.spec.numeric for axis in axes])
    fences = []
    for state in guards:
        if state.value is None:
            continue
        broke = [contrast.setting for contrast in contrasts if contrast.record.guard_breached == state.guard.guard_id]
        rows = np.array([[float(one == other) for other in settings] for one in (here, *broke)])
        for used in Used.of(state.guard, [state.value], [GUARD_NOISE]):
            values = np.array([*used.values, *(TOLD[1] for _ in broke)])
            fences.append(Fence.plain(places, labels, rows, Used(values, np.full(len(values), GUARD_NOISE))))
    return tuple(fences)
