"""Laws that every plan obeys whatever the situation, by the independent checker of benchmarks/blast_radius.py."""

from __future__ import annotations

import importlib
import pickle
import random
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.domain.actions import Choice

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
blast = importlib.import_module("blast_radius")


@given(st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_no_plan_breaks_a_law(rng):
    world = blast.generate(rng)
    plan = blast.plan_of(world)
    assert list(blast.violations(world, plan)) == []
    assert plan == blast.plan_of(pickle.loads(pickle.dumps(world)))
    assert plan.sentence


def test_no_plan_breaks_a_law_in_many_seeded_worlds_and_some_act():
    rng, choices = random.Random(5), Counter()
    for _ in range(700):
        world = blast.generate(rng)
        plan = blast.plan_of(world)
        assert list(blast.violations(world, plan)) == []
        choices.update(decision.choice for _, decision in plan.decided)
    assert all(choices[choice] > 15 for choice in Choice)  # otherwise the laws were hardly tested


@pytest.mark.parametrize("name", blast.BROKEN)
def test_the_checker_catches_a_broken_planner(name):
    rng = random.Random(3)
    worlds = (blast.generate(rng) for _ in range(800))
    assert any(list(blast.violations(world, blast.BROKEN[name](world))) for world in worlds)
