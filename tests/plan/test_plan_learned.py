"""What the agent's own records teach the search: differences from verdicts, settings by walking back, harm remembered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plan.plan_world import GOAL, METRIC, NOW, WORKERS, goal_state, guard, lever, record, situation
from trimtab.domain.actions import ActionState
from trimtab.domain.levers import LeverSpec
from trimtab.domain.verdicts import Verdict, VerdictStatus
from trimtab.plan import LeverSearch
from trimtab.plan.history import History
from trimtab.plan.learned import model_of, outlook_of
from trimtab.stats.surrogate import Surrogate

S = ActionState
WIDE = replace(WORKERS, bounds=(0, 100), moves=())
POOL = LeverSpec("pool", "checkout", bounds=(1, 64))


def seen(effect, width=0.1):
    unsure = VerdictStatus.WORSE if effect < -width / 2 else VerdictStatus.INCONCLUSIVE
    status = VerdictStatus.IMPROVED if effect > width / 2 else unsure
    return Verdict(status, effect, effect - width / 2, effect + width / 2, "test", "")


def trial(state, start, end, effect, at, lever_name="workers", **rest):
    kind = f"{lever_name}_{'increase' if end > start else 'decrease'}"
    verdict = seen(effect) if effect is not None else None
    return record(state, at=at, lever=lever_name, action_type=kind, from_value=start, to_value=end, verdict=verdict, **rest)


PAST_THE_BEST = (
    trial(S.KEPT, 20, 40, 0.4, NOW - 12_000),
    trial(S.KEPT, 40, 55, 0.1, NOW - 9000),
    trial(S.ROLLED_BACK, 55, 85, -0.04, NOW - 6000),
)


def history(*records, value=55):
    return History.of(situation(lever(WIDE, value), records=tuple(records)))


def test_two_verdicts_teach_too_little():
    assert outlook_of(goal_state(), [lever(WIDE, 55)], [guard()], history(*PAST_THE_BEST[:2]), model_of) is None


def test_the_settings_of_other_levers_are_found_by_walking_back():
    records = (*PAST_THE_BEST[:2], trial(S.KEPT, 8, 16, 0.2, NOW - 5000, "pool"))
    world = situation(lever(WIDE, 55), lever(POOL, 16), records=records)
    found = outlook_of(goal_state(), [lever(WIDE, 55), lever(POOL, 16)], [guard()], History.of(world), model_of)
    assert found is not None and found[1] == (55, 16)
    assert set(found[0].settings) == {(55, 16), (55, 8), (40, 8), (20, 8)}


def test_the_model_turns_back_where_a_way_went_too_far():
    (action,) = LeverSearch().propose(situation(lever(WIDE, 55), records=PAST_THE_BEST))
    assert 40 < action.to_value < 85


def test_what_broke_a_guard_is_neither_tried_again_nor_passed():
    broke = trial(S.ROLLED_BACK, 55, 60, None, NOW - 5000, guard_breached=guard().guard.guard_id)
    helped = (*PAST_THE_BEST[:2], trial(S.KEPT, 10, 20, 0.3, NOW - 20_000), broke)
    found = outlook_of(goal_state(), [lever(WIDE, 55)], [guard()], history(*helped), model_of)
    assert found is not None
    assert not any(one[0] >= 60 for one in found[0].allowed([(value,) for value in range(50, 101, 2)]))
    assert all(action.to_value < 60 for action in LeverSearch().propose(situation(lever(WIDE, 55), records=helped)))


@pytest.mark.parametrize("about", [{"simulated": True}, {"goal_id": "goal:other"}], ids=["simulated", "for another goal"])
def test_what_says_nothing_of_this_goal_is_not_learned(about):
    fields = {"simulated"} & set(about)
    records = tuple(
        replace(one, **about) if fields else replace(one, action=replace(one.action, **about)) for one in PAST_THE_BEST
    )
    assert outlook_of(goal_state(), [lever(WIDE, 55)], [guard()], history(*records), model_of) is None


def test_the_declared_way_stands_above_the_model():
    declared = replace(WIDE, moves=((METRIC, "up"),))  # raising makes it worse, whatever the verdicts seem to say
    assert all(a.to_value < 55 for a in LeverSearch().propose(situation(lever(declared, 55), records=PAST_THE_BEST)))
    assert GOAL.direction.sign < 0


def test_verdicts_are_learned_from_once_and_guards_are_heard_at_every_turn(monkeypatch):
    further = trial(S.ROLLED_BACK, 55, 48, -0.2, NOW - 3000)
    fitted = []
    fit = Surrogate.fit
    monkeypatch.setattr(Surrogate, "fit", lambda *measured: fitted.append(1) or fit(*measured))
    calm, tight, learned = (
        situation(lever(WIDE, 55), records=records, guards=(guard(value),))
        for value, records in ((0.001, PAST_THE_BEST), (0.0099, PAST_THE_BEST), (0.001, (*PAST_THE_BEST, further)))
    )
    search = LeverSearch()
    kept = [search.propose(world) for world in (calm, tight, learned, calm)]
    assert len(fitted) == 2
    assert kept == [LeverSearch().propose(world) for world in (calm, tight, learned, calm)]
    assert kept[0] != kept[1]
