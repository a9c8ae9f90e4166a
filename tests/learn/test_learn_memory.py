"""What the journal keeps of beliefs: it reads back as it was, and what is not understood is left out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.learn import Beliefs, Context, Outcome, VerdictStatus, recall, remember
from trimtab.learn.memory import outcome_from, outcome_to

labels = st.sampled_from(["", "low", "high"])
outcomes = st.builds(
    Outcome,
    st.uuids().map(str),
    st.sampled_from(["workers_increase", "cache_increase"]),
    st.sampled_from(["shop", "search"]),
    st.sampled_from(list(VerdictStatus)),
    st.one_of(st.none(), st.floats(-2.0, 2.0)),
    st.booleans(),
    st.floats(0.0, 2e9),
    st.builds(Context, labels, labels, labels, labels),
)


@settings(max_examples=40)
@given(st.lists(outcomes, max_size=20))
def test_beliefs_read_back_as_they_were(told):
    beliefs = Beliefs.from_outcomes(told)
    assert recall(json.loads(json.dumps(remember(beliefs)))) == beliefs


@settings(max_examples=40)
@given(outcomes)
def test_an_outcome_reads_back_as_it_was(outcome):
    assert outcome_from(json.loads(json.dumps(outcome_to(outcome)))) == outcome


ONE = Outcome("a", "workers_increase", "shop", VerdictStatus.IMPROVED, 0.2, False, 1.0, Context(load="high"))


def test_facts_of_a_newer_version_are_left_out():
    newer = outcome_to(ONE) | {"context": {"load": "high", "moon": "full"}, "mood": "good"}
    assert outcome_from(newer) == ONE


@pytest.mark.parametrize(
    "found", [None, 3, {}, {"id": "a"}, outcome_to(ONE) | {"status": "splendid"}, outcome_to(ONE) | {"at": "noon"}], ids=str
)
def test_what_is_no_outcome_is_none(found):
    assert outcome_from(found) is None


@pytest.mark.parametrize("data", [{}, {"stories": 3}, {"stories": [3, {}, {"told": []}, {"told": [{}], "trials": 1}]}], ids=str)
def test_what_is_no_memory_is_nothing_believed(data):
    assert recall(data) == Beliefs()


def test_the_counts_outlive_the_outcomes_that_are_forgotten():
    data = remember(Beliefs.from_outcomes([ONE]))
    data["stories"][0] |= {"trials": 900, "successes": 700}
    assert recall(data).trials == 900
