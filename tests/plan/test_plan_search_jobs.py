"""A job is proposed while it is absent, and never the way back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plan.plan_world import METRIC, WORKERS, lever, situation
from trimtab.domain.levers import LeverKind
from trimtab.plan import LeverSearch

INDEX = replace(
    WORKERS, name="index", kind=LeverKind.CHOICE, bounds=None, choices=("absent", "done"), moves=(), run_once=True,
    action_type="query_index_create",
)  # fmt: skip


@pytest.mark.parametrize(("value", "found"), [("absent", ["done"]), ("running", []), ("done", []), ("broken", [])])
def test_a_job_is_proposed_only_while_it_is_absent(value, found):
    actions = LeverSearch().propose(situation(lever(INDEX, value), current=0.61))
    assert [action.to_value for action in actions] == found


def test_what_is_learned_of_a_job_is_kept_under_its_own_type():
    (action,) = LeverSearch().propose(situation(lever(INDEX, "absent"), current=0.61))
    assert action.action_type == "query_index_create"
    assert action.description.startswith(f"run {INDEX.lever_id} to bring {METRIC}")


def test_a_job_that_is_declared_to_harm_the_goal_is_not_proposed():
    harmful = replace(INDEX, moves=((METRIC, "up"),))
    assert not LeverSearch().propose(situation(lever(harmful, "absent"), current=0.61))
