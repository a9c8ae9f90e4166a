"""The chooser's laws, and that it learns what it should."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.learn import Chooser, Context

OPTIONS = ["cache", "index", "workers"]


def test_the_first_of_equals_wins():
    assert Chooser().choose(OPTIONS, ("busy",)) == "cache"
    assert Chooser().choose(OPTIONS[::-1], ("busy",)) == "workers"


def test_every_option_is_tried_before_one_that_failed_is_repeated():
    chooser, seen = Chooser(), []
    for _ in OPTIONS:
        seen.append(chooser.choose(OPTIONS))
        chooser = chooser.updated(seen[-1], (), 0.0)
    assert sorted(seen) == OPTIONS


def test_it_settles_on_what_is_best_in_each_context_and_follows_a_change():
    chooser, chosen = Chooser(), []
    for n in range(300):
        busy = n % 2 == 0
        best = "index" if busy == (n < 150) else "cache"
        option = chooser.choose(OPTIONS, Context(load="high" if busy else "low"))
        chooser = chooser.updated(option, Context(load="high" if busy else "low"), float(option == best))
        chosen.append(option == best)
    assert sum(chosen[110:150]) >= 36 and sum(chosen[250:]) >= 40


def test_what_was_long_passed_over_is_known_less_well():
    chooser = Chooser()
    for _ in range(20):
        chooser = chooser.updated("cache", (), 0.0)
    before = chooser.expected("cache")[1]
    for _ in range(200):
        chooser = chooser.updated("index", (), 1.0)
    assert chooser.expected("cache")[1] > before


def test_a_value_is_not_changed_by_what_is_learned():
    chooser = Chooser()
    chooser.updated("cache", (), 1.0)
    assert chooser == Chooser()


@pytest.mark.parametrize("reward", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_reward_out_of_range_is_named(reward):
    with pytest.raises(ValueError, match="between 0 and 1"):
        Chooser().updated("cache", (), reward)


def test_nothing_to_choose_from_is_an_error():
    with pytest.raises(ValueError, match="nothing to choose from"):
        Chooser().choose([])


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(OPTIONS), st.sampled_from(["a", "b", ""]), st.floats(0.0, 1.0)), max_size=30))
def test_the_same_past_makes_the_same_choice(told):
    one, other = Chooser(), Chooser()
    for option, label, reward in told:
        one, other = one.updated(option, (label,), reward), other.updated(option, (label,), reward)
    assert one == other and one.choose(OPTIONS, ("a",)) == other.choose(OPTIONS, ("a",))
    for option in OPTIONS:
        mean, sd = one.expected(option, ("a",))
        assert 0.0 <= mean <= 1.0 and 0.0 <= sd <= 0.5
