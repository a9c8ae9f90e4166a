"""Propose the next value of each tuned lever, or the job, that might bring a missed goal back. Called once a turn.

One value per lever and missed goal: a way (where the declared effect, or a success, points; else the way that has not failed),
a distance (small; larger while a goal is missed by more than twice; doubled where the last move this way helped too little or
was too small to see), and never a value at or beyond one that did harm. What is not worth a trial is left to `plan.decide`; what
just failed is left to the cool-downs of `plan.guards`, so that it is seen with the seconds left.

Once three verdicts with an interval are there, the model of `plan.outlook` chooses the value instead, from all levers together:
where it sees no hope, and before, the rules above hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from trimtab.domain.actions import ActionRecord, ActionState, OptimizationAction
from trimtab.domain.goals import GoalState, GuardState, Symptom
from trimtab.domain.levers import ABSENT, LeverSpec, LeverValue, Mode, way
from trimtab.domain.words import of_metric, setting
from trimtab.plan.axes import Setting
from trimtab.plan.history import History, harmed, improved, promising
from trimtab.plan.learned import model_of, outlook_of
from trimtab.plan.outlook import Outlook
from trimtab.plan.settings import FAR
from trimtab.plan.steps import reach, step_from, step_size

if TYPE_CHECKING:
    from trimtab.domain.situation import LeverState, Situation

NEAR_GUARD = 0.2  # of its limit: this close, or not read, one more large move could breach it


@dataclass(frozen=True, slots=True)
class Case:
    """One lever and one missed goal, with what the search knows of the two."""

    spec: LeverSpec
    value: LeverValue
    goal: GoalState
    symptom: Symptom
    trials: tuple[ActionRecord, ...]  # on this lever for this goal, newest first
    unsafe: tuple[ActionRecord, ...]  # trials on this lever that did harm
    guard_near: bool
    suspected: str = ""  # the diagnosis in words

    @property
    def trigger(self) -> str:
        """The symptom, and where it probably began."""
        return f"{self.symptom.evidence}; {self.suspected}" if self.suspected else self.symptom.evidence

    @property
    def known_way(self) -> int:
        """+1 or -1 where the declaration says which way to move the lever for this goal, 0 where it does not."""
        return self.spec.effect_on(self.goal.goal.metric_name) * self.goal.goal.direction.sign


class LeverSearch:
    """The optimizer for every lever that is merely declared: needs no model of the system behind it."""

    def __init__(self) -> None:
        self._models = lru_cache(maxsize=16)(model_of)  # a goal is missed for many turns between two verdicts

    def propose(self, situation: Situation) -> Sequence[OptimizationAction]:
        """At most one value for each tuned lever and missed goal. Levers with nothing left to try are left out."""
        history = History.of(situation)
        proposals: list[OptimizationAction] = []
        for learned, cases in self._searches(situation, history):
            modelled = _by_the_model(learned, cases) if learned is not None else {}
            for case in cases:
                value = modelled.get(case.spec.lever_id)
                value = next(_next_values(case), None) if value is None else value
                if value is not None:
                    proposals.append(_action(case, value, situation.now))
        return proposals

    def _searches(self, situation: Situation, history: History) -> Iterator[tuple[tuple[Outlook, Setting] | None, list[Case]]]:
        """For each missed goal the model of all levers that may bear on it, with the setting in place, and each lever's case."""
        for symptom in situation.analysis.symptoms:
            goal = _missed_goal(symptom, situation)
            if goal is None:
                continue
            bearing = [situation.levers[lever_id] for lever_id in sorted(situation.levers)]
            bearing = [state for state in bearing if state.value is not None and _bears_on(state, goal)]
            cases = list(_cases(bearing, goal, symptom, situation, history))
            if cases:
                yield outlook_of(goal, bearing, _guards_of(bearing, situation), history, self._models), cases


def _cases(
    levers: Sequence[LeverState], goal: GoalState, symptom: Symptom, situation: Situation, history: History
) -> Iterator[Case]:
    """Every lever at rest that may bear on a missed goal, or is known to on one that will be missed."""
    diagnosis = situation.analysis.diagnosis_of(symptom.symptom_id)
    for state in levers:
        lever_id = state.spec.lever_id
        moving = any(record.action.lever_id == lever_id for record in history.active)
        if state.value is not None and not moving:
            case = Case(
                state.spec,
                state.value,
                goal,
                symptom,
                tuple(history.trials(lever_id, goal.goal.goal_id)),
                tuple(history.unsafe(lever_id)),
                any(guard.near(NEAR_GUARD) for guard in situation.analysis.guards_of(state.spec.locks)),
                diagnosis.sentence if diagnosis is not None else "",
            )
            if not goal.foreseen or case.known_way or any(improved(record) for record in case.trials):
                yield case


def _guards_of(levers: Sequence[LeverState], situation: Situation) -> list[GuardState]:
    names = frozenset(name for state in levers for name in state.spec.locks)
    return list(situation.analysis.guards_of(names))


def _missed_goal(symptom: Symptom, situation: Situation) -> GoalState | None:
    """The goal of a symptom that is missed now or, where a trend was seen, will be."""
    if symptom.kind not in ("goal_missed", "forecast"):
        return None
    for state in situation.analysis.goals:
        if state.goal.goal_id == symptom.goal_id and state.element == symptom.element:
            return state if state.current is not None and (state.achieved is False or state.foreseen) else None
    return None


def _bears_on(state: LeverState, goal: GoalState) -> bool:
    spec = state.spec
    if spec.run_once and state.value != ABSENT:
        return False  # it is done, or under way; only a person asks for the way back
    return spec.mode is Mode.TUNED and (spec.element == goal.element or goal.goal.metric_name in dict(spec.moves))


def _next_values(case: Case) -> Iterator[LeverValue]:
    """Values worth trying where the model knows too little, or hopes for nothing; the best first."""
    if case.spec.numeric:
        if not isinstance(case.value, str):
            yield from _along_the_scale(case, float(case.value))
    else:
        yield from _among_the_choices(case)


def _by_the_model(learned: tuple[Outlook, Setting], cases: Sequence[Case]) -> dict[str, LeverValue]:
    """For each lever the value that the model of all verdicts so far hopes most of; none where it hopes for nothing."""
    outlook, here = learned
    moves: dict[Setting, Case] = {}
    places = {axis.spec.lever_id: place for place, axis in enumerate(outlook.axes)}
    for case in cases:
        place = places[case.spec.lever_id]
        values = [value for value in outlook.axes[place].values if not case.spec.run_once and _open(case, value)]
        moves |= {(*here[:place], value, *here[place + 1 :]): case for value in values}
    measured = dict(zip(outlook.settings, outlook.proven.tolist(), strict=True))
    options = [one for one in moves if measured.get(one)] + outlook.allowed([one for one in moves if one not in measured])
    most: dict[str, float] = {}
    found: dict[str, LeverValue] = {}
    for option, worth in zip(options, outlook.worth(here, options).tolist() if options else [], strict=True):
        lever_id = moves[option].spec.lever_id
        if worth > most.get(lever_id, 0.0):
            most[lever_id], found[lever_id] = worth, option[places[lever_id]]
    return found


def _open(case: Case, value: LeverValue) -> bool:
    """Whether a value is another one, lies the declared way, and neither did harm nor lies beyond what did."""
    if case.spec.same(value, case.value) or any(case.spec.same(value, record.action.to_value) for record in case.unsafe):
        return False
    direction = way(case.value, value)
    if not direction or isinstance(value, str):
        return not case.known_way or not case.spec.choices or case.value not in case.spec.choices or _declared(case, value)
    harm = _nearest_harm(case, direction)
    return direction * case.known_way >= 0 and (harm is None or direction * (harm - float(value)) > 0)


def _declared(case: Case, value: LeverValue) -> bool:
    """Whether a choice lies the declared way along the declared order."""
    order = case.spec.choices
    return isinstance(value, str) and (order.index(value) - order.index(str(case.value))) * case.known_way > 0


def _along_the_scale(case: Case, current: float) -> Iterator[LeverValue]:
    far = case.goal.miss >= FAR
    for direction in _ways(case):
        last = next((r for r in case.trials if r.action.way == direction), None)
        size = step_size(case.spec, far=far, guard_near=case.guard_near, last_move=_move_to_double(last, far=far))
        if last is not None and not case.guard_near:
            size = max(size, _extrapolated(last, case))
        value = step_from(case.spec, current, direction, size, _nearest_harm(case, direction))
        if value is not None and not case.spec.same(value, case.value):
            yield value


def _nearest_harm(case: Case, direction: int) -> float | None:
    """The first value on the way that did harm; it and all beyond it are out of reach."""
    ends = [r.action.to_value for r in case.unsafe if r.action.way == direction]
    values = [float(end) for end in ends if not isinstance(end, str)]
    return min(values, key=lambda value: direction * value, default=None)


def _extrapolated(last: ActionRecord, case: Case) -> float:
    """How far the verified effect of the last move this way says the goal is; never more than twice that move."""
    start, end = last.action.from_value, last.action.to_value
    if (
        not improved(last)
        or last.verdict is None
        or last.verdict.effect is None
        or isinstance(start, str)
        or isinstance(end, str)
    ):
        return 0.0
    return reach(float(start), float(end), last.verdict.effect, case.goal.goal.direction, case.goal.miss)


def _ways(case: Case) -> list[int]:
    """Which ways to try, the preferred first: only the declared one, only what helped, else what is untried, what failed."""
    if case.known_way:
        return [case.known_way]
    helped = next((r.action.way for r in case.trials if improved(r)), 0)
    overshot = next((harmed(r) for r in case.trials if r.action.way == helped), False)
    if helped and not overshot:
        return [helped]

    def preference(direction: int) -> tuple[int, float]:
        last = next((r for r in case.trials if r.action.way == direction), None)
        if last is None:
            return (1, 0.0)
        return (0, 0.0) if improved(last) or promising(last) else (2, last.since)  # of two failures the older is tried first

    return sorted((1, -1), key=preference)


def _move_to_double(last: ActionRecord | None, *, far: bool) -> float | None:
    """The size of the last move, where it was right but too short, or harmless but too small to see."""
    if last is None or harmed(last):
        return None
    start, end = last.action.from_value, last.action.to_value
    if isinstance(start, str) or isinstance(end, str):
        return None
    undone = last.state in (ActionState.ROLLED_BACK, ActionState.STEPPED_BACK)
    unseen = undone and last.verdict is not None and not last.verdict.conclusive
    return abs(end - start) if (improved(last) and far) or unseen else None


def _among_the_choices(case: Case) -> Iterator[LeverValue]:
    """Settings without a scale: those that helped, the untried, those that failed; among equals the nearest in declared order."""
    options = case.spec.options
    here = options.index(case.value) if case.value in options else None
    unsafe = {record.action.to_value for record in case.unsafe}
    helped = _way_that_helped(case, options)
    ranked = []
    for place, option in enumerate(options):
        if option == case.value or option in unsafe:
            continue
        distance = place - here if here is not None else place + 1
        if case.known_way and here is not None and distance * case.known_way < 0:
            continue
        last = next((r for r in case.trials if r.action.to_value == option), None)
        rank = 1 if last is None else (0 if improved(last) or promising(last) else 2)
        back = helped * distance < 0  # towards where we came from
        ranked.append(((back, rank, last.since if last is not None else 0.0, abs(distance), -distance), option))
    yield from (option for _, option in sorted(ranked, key=lambda pair: pair[0]))


def _way_that_helped(case: Case, options: Sequence[LeverValue]) -> int:
    """+1 or -1 along the declared order where the latest credited change went that way, 0 where there is none."""
    for record in case.trials:
        start, end = record.action.from_value, record.action.to_value
        if improved(record) and start in options and end in options:
            return 1 if options.index(end) > options.index(start) else -1
    return 0


def _action(case: Case, value: LeverValue, now: float) -> OptimizationAction:
    """The complete proposal to set the case's lever to `value`."""
    spec, goal = case.spec, case.goal.goal
    verb, suffix = _verb(case.value, value)
    course = "down" if goal.direction.sign < 0 else "up"
    name, current, target = goal.metric_name, case.goal.current, goal.target_value
    aim = f"bring {name} {of_metric(name, current)} {course} to {of_metric(name, target)}"
    return OptimizationAction.on(
        spec,
        case.value,
        value,
        goal=case.goal,
        action_type=spec.action_type or f"{spec.name}_{suffix}",
        description=f"run {spec.lever_id} to {aim}"
        if spec.run_once
        else f"{verb} {spec.lever_id} from {setting(case.value)} to {setting(value)} to {aim}",
        trigger=case.trigger,
        now=now,
    )


def _verb(start: LeverValue, end: LeverValue) -> tuple[str, str]:
    return {0: ("set", "set"), 1: ("raise", "increase"), -1: ("lower", "decrease")}[way(start, end)]
