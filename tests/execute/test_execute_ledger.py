"""What a policy did, kept in its rows: who is to blame, whose value stands there, what a restart still knows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trimtab.domain.actions import JournalRow
from trimtab.domain.goals import Guard, GuardState
from trimtab.domain.levers import Autonomy, LeverSpec, Mode, Reversibility
from trimtab.domain.metrics import Health, Trust
from trimtab.domain.regulation import POLICIES, Move
from trimtab.execute.ledger import Ledger, blameless, ledger_from
from trimtab.execute.policy_lever import policy_spec

SERVERS = LeverSpec("servers", "web", bounds=(1, 8), settle_seconds=20.0, moves=(("p95_seconds", "down"),))
DIMMER = LeverSpec("dimmer", "web", bounds=(0, 8), settle_seconds=20.0)
SPECS = {"web/servers": SERVERS, "web/dimmer": DIMMER}
LATENCY = GuardState(Guard("p95_seconds", max=1.0, element="web"), "web", 2.0, True, Trust(Health.OK))


def move(lever="servers", start=2, end=3, at=100.0):
    return Move(f"web/{lever}", start, end, at, "load rises")


def ledger(*moves):
    found = Ledger("a", 0.0)
    for each in moves:
        found.intend(each)
    return found


def rows(*written):
    return [JournalRow(n, 100.0, "move", "a", None, None, "trimtab", "", data, "", "") for n, data in enumerate(written, 1)]


@pytest.mark.parametrize(
    ("moves", "now", "innocent"),
    [
        ([], 110.0, True),  # nothing was moved
        ([move()], 110.0, True),  # declared to take latency down
        ([move(end=1)], 110.0, False),
        ([move("dimmer")], 110.0, False),  # nobody said what it does to latency
        ([move("dimmer")], 171.0, True),  # settled, and seen, long ago
        ([move("dimmer", at=100.0), move("dimmer", 3, 4, at=160.0)], 200.0, False),
    ],
)
def test_a_guard_is_blamed_on_moves_that_may_have_broken_it(moves, now, innocent):
    found = blameless(ledger(*moves), SPECS, [LATENCY], now, lag=50.0)
    assert found == (frozenset({LATENCY.guard.guard_id}) if innocent else frozenset())


def test_a_guard_that_was_broken_before_the_move_is_not_its_doing():
    known = Ledger("a", 0.0)
    known.intend(move("dimmer"), broken=[LATENCY.guard.guard_id])
    assert blameless(known, SPECS, [LATENCY], 110.0, lag=50.0) == {LATENCY.guard.guard_id}


def test_a_floor_is_broken_from_above():
    floor = replace(LATENCY, guard=Guard("p95_seconds", min=0.5, element="web"), value=0.1)
    assert blameless(ledger(move()), SPECS, [floor], 110.0, lag=50.0) == frozenset()
    assert blameless(ledger(move(end=1)), SPECS, [floor], 110.0, lag=50.0) == {floor.guard.guard_id}


def test_the_newest_row_tells_what_every_lever_should_read_and_where_it_stood_before():
    known = ledger(move(), move("dimmer", 8, 6), move(start=3, end=4))
    again = ledger_from(rows(known.data(move(start=3, end=4))), "a", 500.0, held=True)
    assert again.snapshot == {"web/servers": 2, "web/dimmer": 8}
    assert again.held == {"web/servers": 4, "web/dimmer": 6}
    assert again.count == 3
    assert again.ours(SERVERS, 4) and again.ours(SERVERS, 3)  # died before or after the set
    assert not again.ours(SERVERS, 2) and not again.ours(DIMMER, 8)
    assert ledger_from(rows(known.data(move())), "a", 500.0, held=False).held == {}


def test_a_move_that_came_to_nothing_leaves_the_lever_where_it_was():
    known = ledger(move())
    known.failed(move())
    again = ledger_from(rows(known.data(move(), failed=True)), "a", 500.0, held=True)
    assert again.moves == [] and again.ours(SERVERS, 2) and not again.ours(SERVERS, 3)


def test_a_gradual_lever_on_its_way_is_ours():
    pool = replace(SERVERS, gradual=True)
    known = ledger(move(start=2, end=6))
    assert known.ours(pool, 4) and not known.ours(pool, 7)
    known.doubt.clear()
    assert not known.ours(pool, 4)


def test_a_policy_is_as_careful_as_the_most_careful_of_its_levers():
    careful = replace(
        DIMMER, autonomy=Autonomy.ASK, risk_level=0.6, reversibility=Reversibility.IRREVERSIBLE, locks=frozenset({"lock:pool"})
    )
    spec = policy_spec([SERVERS, careful])
    assert (spec.autonomy, spec.risk_level, spec.reversibility) == (Autonomy.ASK, 0.6, Reversibility.IRREVERSIBLE)
    assert spec.locks == {"web", "lock:pool"} and spec.governs == ("web/servers", "web/dimmer")
    assert spec.choices == POLICIES and spec.mode is Mode.REGULATED


def test_a_lever_that_was_to_be_put_back_when_the_agent_died_may_still_stand_where_the_policy_left_it():
    up = {"lever": "web/servers", "from": 2, "to": 5, "snapshot": {"web/servers": 2, "web/dimmer": 4}, "held": {"web/servers": 5}}
    back = {**up, "from": 5, "to": 2, "held": {"web/servers": 2, "web/dimmer": 4}, "undo": True}
    other = {**back, "lever": "web/dimmer", "from": 6, "to": 4}
    found = ledger_from(rows(up, back, other), "a", 0.0, held=True)
    assert found.ours(SERVERS, 5) and found.ours(SERVERS, 2) and found.ours(DIMMER, 6)
    assert not found.ours(SERVERS, 7)
