"""Laws of the conversion: whatever the agent holds, JSON comes out, and no header makes the judges of headers stumble."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.fake_agent import FakeAgent
from trimtab.api import views
from trimtab.api.access import host_name, same_origin
from trimtab.domain.actions import ActionState
from trimtab.domain.metrics import Health, Trust

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.sampled_from(Health) | st.binary(),
    lambda each: (
        st.lists(each) | st.tuples(each, each) | st.dictionaries(st.text() | st.integers(), each) | st.frozensets(st.text())
    ),
)


@given(ANYTHING)
def test_anything_becomes_json(value: object) -> None:
    text = json.dumps(views.plain(value), allow_nan=False)
    assert views.plain(json.loads(text)) == json.loads(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64("nan"), None),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (Health.OK, "ok"),
        (Trust(Health.STALE, "old"), {"health": "stale", "reason": "old"}),
        ({"b", "a"}, ["a", "b"]),
        ("\ud800", "?"),
    ],
    ids=["nan", "float32", "int64", "word", "value", "set", "surrogate"],
)
def test_values_of_the_domain_and_of_numpy(value: object, expected: object) -> None:
    assert views.plain(value) == expected


@given(st.none() | st.floats())
def test_a_time_is_rfc_3339_or_null(at: float | None) -> None:
    text = views.rfc3339(at)
    if text is None:
        assert at is None or not -62135596800 <= at < 253402300799
    else:
        assert text.endswith("Z")
        assert abs(datetime.fromisoformat(text).timestamp() - (at or 0.0)) <= 0.002


@given(st.text(), st.text())
def test_no_header_makes_the_judges_stumble(one: str, other: str) -> None:
    name = host_name(one)
    assert name is None or name == host_name(name)
    same_origin(one, other)
    assert not same_origin(one, other) or one.startswith("http")


def test_an_explanation_says_each_thing_once_also_where_a_longer_sentence_contains_it() -> None:
    record = FakeAgent().records["kept_1"]
    said = replace(record, rollback_reason="errors rose", reason="errors rose; taken back", error="errors rose")
    assert views.explanation(said).count("errors rose") == 1
    assert views.explanation(said).endswith("errors rose; taken back.")


def test_what_was_learned_comes_from_the_latest_row_that_says_so() -> None:
    record, rows = asyncio.run(FakeAgent().explain("kept_1"))
    later = replace(rows[-1], seq=4, data={"after": {"alpha": 3.0}})
    assert views.action_detail(record, rows[:2]).belief_after == {}
    assert views.action_detail(record, rows).belief_after == {"alpha": 2.0, "beta": None}
    assert views.action_detail(record, [*rows, later]).belief_after == {"alpha": 3.0}


def test_every_state_can_be_shown() -> None:
    for record in FakeAgent().records.values():
        for state in ActionState:
            shown = views.action(replace(record, state=state))
            assert (shown.state, shown.status) == (state, state.status)
