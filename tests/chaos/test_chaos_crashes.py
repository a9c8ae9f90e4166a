"""A few crashes of `benchmarks/chaos.py`, the whole of which takes a quarter of an hour: the most telling instants, in parallel.

covers: F8, A4
"""

from __future__ import annotations

import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from services.crashes import EFFECT, REQUEST, Case, Scenario, chain_problems, crash, journalled_value, read_journal
from services.policy_crashes import PolicyCase, crash_policy

KEPT, WORSE = Scenario("kept", "better"), Scenario("worse", "worse")
CASES = (
    Case(KEPT, "integer", "scheduled->applying:before"),
    Case(KEPT, "float", "scheduled->applying:after"),
    Case(KEPT, "boolean", "applying->settling:before", "app"),
    Case(WORSE, "choice", "rolling_back->rolled_back:before"),
    Case(Scenario("slow answer", "better", (("after", 3.0),)), "choice", EFFECT),
    Case(Scenario("slow effect", "better", (("before", 3.0),)), "integer", REQUEST),
    PolicyCase("undo 1:after"),
)


@pytest.fixture(scope="module")
def crashes(tmp_path_factory):
    with ThreadPoolExecutor(max_workers=3) as pool:
        ways = {Case: crash, PolicyCase: crash_policy}
        jobs = {case: pool.submit(ways[type(case)], case, tmp_path_factory.mktemp("crash")) for case in CASES}
        return {case: job.result() for case, job in jobs.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_after_a_crash_every_action_ends_once_and_right(case, crashes):
    left = crashes[case]
    assert left.problems == []
    assert left.edges, "the journal holds nothing"


def row(seq, previous, own, before, after, action="a"):
    return {"seq": seq, "previous": previous, "hash": own, "kind": "transition", "action_id": action, "from_state": before,
            "to_state": after}  # fmt: skip


GOOD = [row(1, "", "h1", None, "proposed"), row(2, "h1", "h2", "proposed", "ignored")]


@pytest.mark.parametrize(
    ("rows", "stands", "problem"),
    [
        (GOOD, "ignored", None),
        (GOOD, "proposed", "do not stand where the rows say"),
        ([GOOD[0], row(3, "h1", "h3", "proposed", "ignored")], "ignored", "does not follow"),
        ([GOOD[0], row(2, "other", "h2", "proposed", "ignored")], "ignored", "does not follow"),
        ([GOOD[0], row(2, "h1", "h2", "scheduled", "applying")], "applying", "left scheduled, but was proposed"),
    ],
    ids=["whole", "projection wrong", "gap", "broken link", "step from elsewhere"],
)
def test_the_independent_reader_sees_what_is_wrong_with_a_journal(rows, stands, problem):
    found = chain_problems(rows, [(stands, {"action": {"action_id": "a"}})])
    assert (problem in " ".join(found)) if problem else found == []


def test_where_there_is_no_journal_there_is_nothing_to_read(tmp_path):
    assert read_journal(tmp_path) == ([], [])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "journal.db").write_bytes(b"no database, by far")
    with pytest.raises(sqlite3.DatabaseError):
        read_journal(tmp_path)


def stood(state, to, executed=1.0, before=2):
    return state, {"executed_at": executed, "action": {"from_value": before, "to_value": to}}


@pytest.mark.parametrize(
    ("actions", "value"),
    [
        ([], 2),
        ([stood("kept", 4)], 4),
        ([stood("kept_on_probation", 4)], 4),
        ([stood("rolled_back", 4)], 2),
        ([stood("expired", 4, executed=None)], 2),
        ([stood("rolled_back", 4), stood("kept", 3)], 3),
        ([stood("kept", 3), stood("failed", 4, before=3)], 3),
        ([stood("yielded", 4)], 5),
    ],
    ids=["none", "kept", "probation", "rolled back", "never started", "second kept", "second failed", "foreign"],
)
def test_what_a_lever_should_hold_follows_from_the_journal(actions, value):
    assert journalled_value("integer", actions) == value
