"""A record survives its JSON: every field, every type."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.domain.actions import ActionRecord, ActionState, Decision, OptimizationAction
from trimtab.domain.errors import StoreError
from trimtab.domain.levers import ActionPriority, Reversibility
from trimtab.domain.verdicts import Verdict
from trimtab.storage.codec import canonical, decode, encode, row_data
from trimtab.testing.records import a_record

# text() draws no surrogates: those come back as "?" by design, and a test of the conformance suite says so.
numbers = st.floats(allow_nan=False)
values = st.booleans() | st.integers() | numbers | st.text()

actions = st.builds(
    OptimizationAction,
    from_value=values,
    to_value=values,
    expected_improvement=numbers,
    success_probability=numbers,
    risk_level=numbers,
    settle_seconds=numbers,
    created_at=numbers,
    priority=st.sampled_from(ActionPriority),
    reversibility=st.sampled_from(Reversibility),
    locks=st.frozensets(st.text()),
)
records = st.builds(
    ActionRecord,
    action=actions,
    state=st.sampled_from(ActionState),
    since=numbers,
    decision=st.none()
    | st.builds(Decision, expected_value=numbers, score=numbers, p_success=numbers, p_harm=numbers, exploratory=st.booleans()),
    actor=st.text(),
    executed_at=st.none() | numbers,
    acknowledged=st.booleans(),
    ended_at=st.none() | numbers,
    snapshot=st.none() | values,
    expires_at=st.none() | numbers,
    approved_by=st.none() | st.text(),
    verdict=st.none() | st.builds(Verdict, effect=st.none() | numbers, low=st.none() | numbers, high=st.none() | numbers),
    error=st.none() | st.text(),
    guard_breached=st.none() | st.text(),
    rollback_reason=st.none() | st.text(),
    guards_broken_before=st.lists(st.tuples(st.text(), numbers)).map(tuple),
    goals_met_before=st.lists(st.text()).map(tuple),
    belief_before=st.dictionaries(st.text(), numbers),
    simulated=st.booleans(),
)


def test_a_record_of_an_earlier_version_reads_back_without_what_is_no_longer_kept():
    old = json.loads(encode(a_record("a")))
    assert decode(json.dumps({**old, "belief_after": {"p_success": 0.6}})) == a_record("a")


@settings(max_examples=60, deadline=None)
@given(records)
def test_a_record_comes_back_equal_and_of_the_same_types(record):
    again = decode(encode(record))
    assert again == record
    settings_of = [(r.action.from_value, r.action.to_value, r.snapshot) for r in (again, record)]
    assert repr(settings_of[0]) == repr(settings_of[1])
    assert encode(again) == encode(record)


@settings(max_examples=30, deadline=None)
@given(records, records)
def test_the_rows_alone_tell_the_whole_record(first, second):
    one, two = encode(first), encode(second)
    merged = {**json.loads(one), **row_data(two, one)["changed"]}
    spoken_by_the_row = ("state", "since", "reason", "actor")
    assert canonical(merged | {name: json.loads(two)[name] for name in spoken_by_the_row}) == two


def test_the_bytes_do_not_depend_on_the_seed_of_hashes():
    code = (
        "from dataclasses import replace; from trimtab.storage.codec import encode; from trimtab.testing.records import a_record;"
        "r = a_record('a'); print(encode(replace(r, action=replace(r.action, locks=frozenset('abcdefgh')))))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
    assert '"locks":["a","b","c"' in texts.pop()


@pytest.mark.parametrize(("before", "after"), [(1, True), (1, 1.0), (0, False), ("1", 1), (0.0, -0.0)], ids=str)
def test_a_change_of_type_alone_is_a_change(before, after):
    data = row_data(encode(a_record("a", to_value=after)), encode(a_record("a", to_value=before)))
    assert data["changed"]["action"]["to_value"] == after


@pytest.mark.parametrize("text", ["", "{", "[]", '{"action":{}}', "null"], ids=repr)
def test_what_is_no_record_is_a_clear_error(text):
    with pytest.raises(StoreError, match=r"cannot be read.*last backup"):
        decode(text)


def test_a_field_of_a_newer_record_is_passed_over():
    document = json.loads(encode(a_record("a")))
    assert decode(json.dumps(document | {"not_yet_invented": 1})) == a_record("a")
