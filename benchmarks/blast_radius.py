"""Blast radius: 100,000 generated situations planned, every plan checked by a checker that shares no code with the planner.

    python benchmarks/blast_radius.py [--plans 100000] [--seed 1]

Prints the violations of each law (the bar: none), how much the planner dared at all, and which laws catch planners that were
broken on purpose: a checker that cannot fail proves nothing. Exits 1 on any violation, or where a broken planner goes unnoticed.
"""

from __future__ import annotations

import argparse
import pickle
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from blast_worlds import NOW, OK, World, generate
from trimtab.domain.actions import ActionRecord, ActionState, Choice, OptimizationAction, Plan
from trimtab.domain.levers import ActionPriority, Autonomy, LeverKind, Reversibility
from trimtab.domain.metrics import Health
from trimtab.domain.situation import LeverState
from trimtab.domain.verdicts import VerdictStatus
from trimtab.plan import LeverSearch, make_plan

RUNNING = {"scheduled", "applying", "probing", "settling", "verifying", "rolling_back"}


def violations(world: World, plan: Plan) -> Iterator[str]:
    """The name of every law that `plan` breaks, derived from the situation alone."""
    situation, settings = world.situation, world.settings
    acts = [a for a, d in plan.decided if d.choice is Choice.ACT]
    running = [r.action for r in situation.records if r.state.value in RUNNING]
    if acts and len(acts) + len(running) > settings.max_concurrent_actions:
        yield "at most so many at once"
    taken: set[str] = {name for action in running for name in _names(action)}
    for action in acts:
        if taken & _names(action):
            yield "no overlapping locks"
        taken |= _names(action)
    explored = [a.element for a, d in plan.decided if d.choice is Choice.ACT and d.exploratory]
    if len(explored) != len(set(explored)):
        yield "one exploration an element"
    if len({a.action_id for a, _ in plan.decided} | {r.action_id for r in situation.records}) != len(plan.decided) + len(
        {r.action_id for r in situation.records}
    ):
        yield "ids are new"
    for action, decision in plan.decided:
        if not decision.reason:
            yield "every decision says why"
        if decision.choice in (Choice.ACT, Choice.ASK):
            yield from _started(world, action)
        if decision.choice is Choice.ACT:
            yield from _unattended(world, action)


def _names(action: OptimizationAction) -> set[str]:
    return {*action.locks, action.element, f"{action.element}/{action.lever}"}


def _started(world: World, action: OptimizationAction) -> Iterator[str]:
    """Laws for whatever is carried out or put before a person."""
    situation, cooldown = world.situation, world.settings.cooldown_seconds
    state = situation.levers.get(f"{action.element}/{action.lever}")
    if state is None or state.frozen or state.value is None or state.trust.health is not Health.OK:
        yield "no frozen or untrusted lever"
        return
    if situation.paused or situation.trouble:
        yield "nothing while paused or in trouble"
    if state.moved_by_others_at is not None and NOW - state.moved_by_others_at < cooldown:
        yield "no lever that others just moved"
    mine = [r for r in situation.records if (r.action.element, r.action.lever) == (action.element, action.lever)]
    if any(r.state is ActionState.AWAITING_APPROVAL for r in mine):
        yield "no question twice"
    moved = [
        r.executed_at if r.executed_at is not None else r.since for r in mine if r.executed_at or r.state.value == "simulated"
    ]
    if any(NOW - at < cooldown for at in moved):
        yield "never inside a cool-down"
    if _fails_again_too_soon(action, mine, cooldown):
        yield "a stretched cool-down after failures"
    goal = next((g for g in situation.analysis.goals if g.element == action.element), None)
    if goal is None or goal.trust.health is not Health.OK:
        yield "no data that cannot be trusted"
    if any(g.element == action.element and g.trust.health is not Health.OK for g in situation.analysis.guards):
        yield "no data that cannot be trusted"
    if (situation.samples or {}).get(action.goal_id, 99) < 5:
        yield "a baseline first"
    if any(s.goal_id == action.goal_id and not s.confirmed for s in situation.analysis.symptoms):
        yield "look twice"
    yield from _value_laws(action, state, mine)


def _fails_again_too_soon(action: OptimizationAction, mine: list[ActionRecord], cooldown: float) -> bool:
    """Whether the same move failed n times in a row and fewer than 2^(n-1) cool-downs, at most 8, have passed since."""
    scale = not action.action_type.endswith("_set")
    fails: list[float] = []
    for record in mine:
        same = record.action.action_type == action.action_type and (scale or record.action.to_value == action.to_value)
        if not same or record.executed_at is None or record.action.from_value == record.action.to_value:  # moved nothing
            continue
        credited = record.verdict is not None and record.verdict.status is VerdictStatus.IMPROVED
        if record.state.value in ("failed", "rolled_back", "rollback_failed", "stepped_back"):
            fails.append(record.executed_at)
        elif credited and record.state.value in ("kept", "kept_on_probation"):
            fails = []
    return bool(fails) and NOW - fails[-1] < cooldown * min(8, 2 ** (len(fails) - 1))


def _value_laws(action: OptimizationAction, state: LeverState, mine: list[ActionRecord]) -> Iterator[str]:
    end, spec = action.to_value, state.spec
    if action.from_value != state.value or end == state.value:
        yield "from what the lever holds to something new"
    if spec.kind is LeverKind.CHOICE:
        if end not in spec.choices:
            yield "inside the bounds"
        return
    if isinstance(end, str) or (spec.kind is not LeverKind.BOOLEAN and not spec.bounds[0] <= end <= spec.bounds[1]):  # type: ignore[index]
        yield "inside the bounds"
        return
    if spec.kind is LeverKind.BOOLEAN or action.action_id.startswith("wild"):
        return  # grid and memory are the search's promises
    assert spec.bounds is not None and not isinstance(action.from_value, str)
    steps = (end - spec.bounds[0]) / spec.step
    if abs(steps - round(steps)) > 1e-6 or (spec.kind is LeverKind.INTEGER) != isinstance(end, int):
        yield "on the grid"
    up = end > action.from_value
    for record in mine:
        start, value = record.action.from_value, record.action.to_value
        worse = record.verdict is not None and record.verdict.status is VerdictStatus.WORSE
        if (record.guard_breached or worse) and NOW - record.since < 86_400.0 and not isinstance(start, str | bool):
            assert not isinstance(value, str)
            if start != value and (value > start) == up and (end >= value if up else end <= value):
                yield "nothing at or beyond what did harm"


def _unattended(world: World, action: OptimizationAction) -> Iterator[str]:
    """Laws for what runs without a person."""
    settings, spec = world.settings, world.situation.levers[f"{action.element}/{action.lever}"].spec
    forbidden = (
        spec.autonomy is not Autonomy.ACT,
        not settings.enable_automatic_actions,
        action.priority is ActionPriority.CRITICAL and settings.require_approval_for_critical,
        action.reversibility is Reversibility.IRREVERSIBLE,
        action.risk_level > min(0.7, settings.max_risk_threshold),
        action.risk_level > 0.3 and world.belief.successes == 0,
    )
    if any(forbidden):
        yield "a person is asked"


# ---------------------------------------------------------------- running


def plan_of(world: World) -> Plan:
    """The planner as it is."""
    return make_plan(world.situation, (LeverSearch(), world), world, world.settings)


def _each_lever_alone(world: World) -> Plan:
    decided = []
    for lever_id, state in world.situation.levers.items():
        wild = tuple(a for a in world.wild if a.lever_id == lever_id)
        decided += plan_of(replace(world, situation=replace(world.situation, levers={lever_id: state}), wild=wild)).decided
    return Plan(NOW, "", tuple(decided))


def _with(world: World, **changes: object) -> Plan:
    return plan_of(replace(world, settings=replace(world.settings, **changes)))  # type: ignore[arg-type]


def _credulous(world: World) -> Plan:
    levers = {lever_id: replace(state, trust=OK, frozen=None) for lever_id, state in world.situation.levers.items()}
    return plan_of(replace(world, situation=replace(world.situation, levers=levers)))


BROKEN: dict[str, Callable[[World], Plan]] = {  # each is the planner, robbed of one thing it must look at
    "forgets its cool-downs": lambda w: _with(w, cooldown_seconds=0.0),
    "knows no limit": lambda w: _with(w, max_concurrent_actions=99),
    "forgets what is under way": lambda w: plan_of(replace(w, situation=replace(w.situation, records=()))),
    "looks at each lever alone": _each_lever_alone,
    "trusts every lever": _credulous,
    "asks nobody": lambda w: _with(w, enable_automatic_actions=True, require_approval_for_critical=False),
}


def main() -> int:
    """Run the benchmark; 0 where every law held and every broken planner was caught."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plans", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, found, choices = random.Random(options.seed), Counter[str](), Counter[str]()
    started, planning, acting = time.process_time(), 0.0, 0
    for number in range(options.plans):
        world = generate(rng)
        before = time.process_time()
        plan = plan_of(world)
        planning += time.process_time() - before
        choices.update(decision.choice.value for _, decision in plan.decided)
        acting += any(decision.choice is Choice.ACT for _, decision in plan.decided)
        found.update(set(violations(world, plan)))
        if number % 100 == 0 and plan_of(pickle.loads(pickle.dumps(world))) != plan:
            found["the same world, the same plan"] += 1
    took = time.process_time() - started
    print(f"{options.plans} plans in {took:.1f} s of processor time, {1e6 * planning / options.plans:.0f} µs to make one")
    print(f"decided: {', '.join(f'{name} {count}' for name, count in sorted(choices.items()))}; {acting} plans act")
    print(f"violations: {dict(found) or 0}")
    unnoticed = _break_it(options.seed)
    return 1 if found or unnoticed or not acting else 0


def _break_it(seed: int, plans: int = 2_000) -> list[str]:
    """The names of broken planners that the checker lets pass; prints what caught the others."""
    unnoticed = []
    for name, planner in BROKEN.items():
        rng, caught = random.Random(seed), Counter[str]()
        for _ in range(plans):
            world = generate(rng)
            caught.update(set(violations(world, planner(world))))
        print(f"broken on purpose, {name}: {dict(caught.most_common(3)) or 'NOT CAUGHT'}")
        unnoticed += [] if caught else [name]
    return unnoticed


if __name__ == "__main__":
    sys.exit(main())
