"""The search's models from the agent's own trials: each verdict is the difference between a setting with a change and without it.

A record names one lever; what the others held then is found by walking back from what they hold now. A difference does not care
how high the load was that day, which is why verdicts are learned from and raw levels are not. Pure; read by `plan.lever_search`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np

from trimtab.domain.actions import ActionRecord
from trimtab.domain.direction import Direction
from trimtab.domain.goals import GoalState, GuardState
from trimtab.domain.levers import LeverSpec
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


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one trial taught: the settings with and without it, and what it showed."""

    setting: Setting
    without: Setting
    better: float | None  # difference in the logarithm of the metric, positive = better; None where nothing is known
    noise: float  # standard deviation of `better`
    broke: str | None  # the guard that it broke


Models = Callable[[tuple[LeverSpec, ...], Setting, tuple[Lesson, ...]], Outlook]


def outlook_of(
    goal: GoalState,
    levers: Sequence[LeverState],
    guards: Sequence[GuardState],
    history: History,
    models: Models,
) -> tuple[Outlook, Setting] | None:
    """The outlook of a goal over `levers`, and the setting in place; None while there are too few verdicts to learn from.

    Every lever must have been read. `models`: `model_of`, or one that remembers what it said: only guards change at every turn.
    """
    specs = tuple(state.spec for state in levers)
    here: Setting = tuple(state.value for state in levers if state.value is not None)
    lessons = tuple(_lessons(goal, specs, here, history))
    if sum(lesson.better is not None for lesson in lessons) < LEAST_VERDICTS:
        return None
    outlook = models(specs, here, lessons)
    return replace(outlook, fences=_fences(guards, lessons, outlook, here)), here


def model_of(specs: tuple[LeverSpec, ...], here: Setting, lessons: tuple[Lesson, ...]) -> Outlook:
    """All of the outlook that rests on verdicts alone: without the fences."""
    axes = tuple(Axis.of(spec, value) for spec, value in zip(specs, here, strict=True))
    settings = tuple(dict.fromkeys([here, *(one for lesson in lessons for one in (lesson.without, lesson.setting))]))
    told = [lesson for lesson in lessons if lesson.better is not None]
    rows = np.zeros((len(told), len(settings)))
    for number, lesson in enumerate(told):
        rows[number, settings.index(lesson.setting)] += 1.0
        rows[number, settings.index(lesson.without)] -= 1.0
    better, noise = (np.array(column, dtype=float) for column in zip(*((one.better, one.noise) for one in told), strict=True))
    labels = np.array([not spec.numeric for spec in specs])
    decades = tuple(axis.proportional for axis in axes)
    model = Surrogate.fit(points(axes, settings), labels, rows, better, noise, decades)
    broke = {lesson.setting for lesson in lessons if lesson.broke is not None} - {here}
    harmful = np.array([one in broke for one in settings])
    reach = reaches(axes, [(here, False), *((lesson.setting, lesson.setting in broke) for lesson in reversed(lessons))])
    return Outlook(axes, settings, model, (), ~harmful, harmful, reach, float(np.median(noise)))


def _lessons(goal: GoalState, specs: Sequence[LeverSpec], here: Setting, history: History) -> Iterator[Lesson]:
    """The trials of the last day on these levers, newest first; those for other goals only move the levers."""
    places = {spec.lever_id: number for number, spec in enumerate(specs)}
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
            yield Lesson(tried_at, without, *_effect(record, goal.goal.direction), record.guard_breached)
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


def _fences(guards: Sequence[GuardState], lessons: Sequence[Lesson], outlook: Outlook, here: Setting) -> tuple[Fence, ...]:
    """What is known of each guard: its value now, and where a trial broke it."""
    model, settings = outlook.goal, outlook.settings
    fences = []
    for state in guards:
        if state.value is None:
            continue
        broke = [lesson.setting for lesson in lessons if lesson.broke == state.guard.guard_id]
        rows = np.array([[float(one == other) for other in settings] for one in (here, *broke)])
        for used in Used.of(state.guard, [state.value], [GUARD_NOISE]):
            values = np.array([*used.values, *(TOLD[1] for _ in broke)])
            fences.append(Fence.plain(model.points, model.labels, rows, Used(values, np.full(len(values), GUARD_NOISE))))
    return tuple(fences)
