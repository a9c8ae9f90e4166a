"""Plan: a situation and what is believed in, a plan out, with a sentence for every decision.

Reads: `domain.situation.Situation`, `domain.beliefs.BeliefView`. Produces: `domain.actions.Plan`; the moves of levers that follow
load (`plan.regulation`); and `SafeSearch`, the search of set-points by ask and tell. May import: domain, config, stats. Never: a
clock, a random source, a lever or a store; the rooms `learn`, `analyze` and `verify`. Same input, same plan.
"""

from __future__ import annotations

from trimtab.plan.decide import decide
from trimtab.plan.lever_search import LeverSearch
from trimtab.plan.planner import make_plan
from trimtab.plan.policy_start import PolicyStart
from trimtab.plan.search import SafeSearch
from trimtab.plan.settings import BASELINE_SAMPLES, PlanSettings

__all__ = ["BASELINE_SAMPLES", "LeverSearch", "PlanSettings", "PolicyStart", "SafeSearch", "decide", "make_plan"]
