"""Who may start something: the pause of a person, the file, the storm, the calendar; asked right before every start."""

from __future__ import annotations

import asyncio
import os
import time as wall_clock
from dataclasses import replace
from datetime import time

import pytest
from structlog.testing import capture_logs

from execute.kit import FakeJournal, Ticker, a_record, an_action
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import StoreError
from trimtab.domain.windows import Calendar, Window
from trimtab.execute.book import Book
from trimtab.execute.executor import Executor
from trimtab.execute.trial import TrialRules
from trimtab.loop.gatekeeper import Gatekeeper
from trimtab.plan import PlanSettings
from trimtab.plan.settings import StormRules

SHUT = Calendar((Window("nights", start=time(22), end=time(6)),))  # the clock of these tests shows 00:16:40, then 13:30
NOON = 48_600.0


class Told:
    """A notifier that remembers."""

    def __init__(self):
        self.events = []

    async def notify(self, event, title, body):
        self.events.append((event, body))


class Gate:
    """A gatekeeper over a journal that outlives it."""

    def __init__(self, journal=None, pause_file=None, *, settings=PlanSettings(storm=StormRules(2, 600.0))):  # noqa: B008
        self.journal, self.told = journal or FakeJournal(), Told()
        self.book = Book(self.journal, self.told)
        self.executor = Executor(self.book, None, None, Ticker(NOON), TrialRules())  # type: ignore[arg-type]
        self.keeper = Gatekeeper(self.executor, settings, pause_file)

    def harm(self, *times):
        """Changes that ended in a breached guard."""
        for at in times:
            record = a_record(S.ROLLED_BACK, action=an_action(action_id=f"a{at}"), guard_breached="guard", ended_at=at)
            self.book._records[record.action_id] = record

    def do(self, work):
        return asyncio.run(work)

    def kinds(self):
        return [row.kind for row in self.journal.rows]


SCHEDULED = a_record(S.SCHEDULED, executed_at=None)


def test_a_pause_is_logged_once_and_once_more_after_a_resume():
    gate = Gate()
    with capture_logs() as logged:
        gate.do(gate.keeper.pause("ann", NOON))
        gate.do(gate.keeper.pause("ann", NOON + 1))
        assert [line["event"] for line in logged] == ["Paused"]
        gate.do(gate.keeper.resume("ann", NOON + 2))
        gate.do(gate.keeper.pause("ann", NOON + 3))
    assert [line["event"] for line in logged] == ["Paused", "Resumed", "Paused"]


def test_a_pause_is_remembered_with_who_and_since_when_and_whoever_repeats_it_changes_neither():
    gate = Gate()
    gate.do(gate.keeper.pause("ann", NOON))
    gate.do(gate.keeper.pause("bob", NOON + 60))
    later = Gate(gate.journal)
    later.do(later.keeper.open(NOON + 120))
    assert (later.keeper.paused, later.keeper.paused_by) == (True, ("ann", NOON))
    assert later.keeper.holds(NOON + 120) == [
        "paused by ann since Thu 13:30 UTC: nothing new starts; `trimtab resume` goes on",
    ]
    later.do(later.keeper.resume("bob", NOON + 180))
    assert (later.keeper.paused, later.keeper.paused_by, later.keeper.holds(NOON + 180)) == (False, None, [])
    again = Gate(gate.journal)
    again.do(again.keeper.open(NOON + 240))
    assert (again.keeper.paused, again.keeper.resumed_at) == (False, NOON + 180)


@pytest.mark.parametrize("there", [True, False])
def test_the_file_pauses_while_it_is_there_whatever_it_is(tmp_path, there):
    path = tmp_path / "PAUSE"
    gate = Gate(pause_file=path)
    if there:
        path.symlink_to(tmp_path / "nowhere")  # even a dangling link says stop
    sentence = f"paused by the file {path}; remove it to go on" if there else None
    assert (gate.executor.stopped, gate.keeper.paused_because(NOON)) == (sentence, sentence)
    assert gate.executor._blocked(SCHEDULED) == sentence if there else gate.keeper.paused is False
    if there:
        path.unlink()
        assert gate.executor.stopped is None  # nothing polls: the next look sees it


def test_a_folder_that_cannot_be_looked_at_is_a_pause(tmp_path):
    (tmp_path / "plain").write_text("")
    gate = Gate(pause_file=tmp_path / "plain" / "PAUSE")
    assert "cannot be told" in str(gate.executor.stopped)


def test_the_file_is_said_once_when_it_comes_and_once_when_it_goes(tmp_path):
    gate = Gate(pause_file=tmp_path / "PAUSE")
    (tmp_path / "PAUSE").touch()
    for _ in range(3):
        gate.do(gate.keeper.look(NOON))
    (tmp_path / "PAUSE").unlink()
    for _ in range(3):
        gate.do(gate.keeper.look(NOON))
    assert [row.reason for row in gate.journal.rows] == [
        f"paused by the file {tmp_path / 'PAUSE'}; remove it to go on",
        "the file that paused the agent was removed",
    ]
    later = Gate(gate.journal, tmp_path / "PAUSE")
    later.do(later.keeper.open(NOON))
    assert not later.keeper.paused  # the file is the pause, not what was noted of it


def test_a_look_at_the_file_costs_next_to_nothing(tmp_path):
    gate = Gate(pause_file=tmp_path / "PAUSE")
    began = wall_clock.perf_counter()
    for _ in range(1000):
        assert gate.executor.stopped is None
    assert wall_clock.perf_counter() - began < 0.5  # 3 µs each on an idle machine


def test_people_are_told_of_a_storm_once_and_a_restart_does_not_tell_them_again():
    gate = Gate()
    gate.harm(NOON - 20)
    gate.do(gate.keeper.look(NOON))
    assert (gate.kinds(), gate.keeper.why_not(SCHEDULED, NOON)) == ([], None)
    gate.harm(NOON - 10)
    for _ in range(3):
        gate.do(gate.keeper.look(NOON))
    assert (gate.kinds(), [event for event, _ in gate.told.events]) == (["storm"], ["storm"])
    assert gate.keeper.why_not(SCHEDULED, NOON).startswith("storm halt: 2 changes did harm within 10 min")
    assert gate.keeper.status(NOON)["storm_halt"] == gate.told.events[0][1]
    later = Gate(gate.journal)
    later.harm(NOON - 20, NOON - 10)
    later.do(later.keeper.open(NOON + 60))
    assert (later.told.events, later.keeper.storm(NOON + 60) is not None) == ([], True)
    later.harm(NOON + 70)  # it goes on: the same storm
    later.do(later.keeper.look(NOON + 80))
    assert later.told.events == []
    later.do(later.keeper.resume("ann", NOON + 90))
    assert later.keeper.why_not(SCHEDULED, NOON + 90) is None
    later.harm(NOON + 100, NOON + 110)  # another one
    later.do(later.keeper.look(NOON + 120))
    assert [event for event, _ in later.told.events] == ["storm"]


def test_a_storm_that_is_over_is_told_of_anew_when_it_comes_back():
    gate = Gate()
    gate.harm(NOON, NOON + 1)
    gate.do(gate.keeper.look(NOON + 2))
    assert gate.keeper.storm(NOON + 600.5) is None
    gate.harm(NOON + 2000, NOON + 2001)
    gate.do(gate.keeper.look(NOON + 2002))
    assert gate.kinds() == ["storm", "storm"]


def test_a_pause_of_tomorrow_is_since_now_once_the_clock_was_set_back():
    gate = Gate()
    gate.do(gate.keeper.pause("ann", NOON + 86_400))
    later = Gate(gate.journal)
    later.do(later.keeper.open(NOON))
    assert later.keeper.paused_by == ("ann", NOON)


DAY = 86_400.0


@pytest.mark.parametrize("noted", [True, False], ids=["", "a journal from before forgiveness was noted"])
@pytest.mark.parametrize("restarted", [False, True], ids=["", "restarted"])
def test_harm_of_tomorrow_halts_for_a_window_and_a_person_can_forgive_it(restarted, noted):
    """The clock was a day ahead while harm was done, and is right now."""
    gate, at = Gate(), (NOON + DAY, NOON + DAY + 1)
    gate.harm(*at)
    gate.do(gate.keeper.look(NOON))
    assert gate.keeper.storm(NOON + 599).until == NOON + 600  # from when it was first seen: not anew with every look
    assert gate.keeper.storm(NOON + 601) is None
    assert gate.keeper.storm(NOON + DAY + 10) is None  # nor anew once that time comes
    gate = Gate()
    gate.harm(*at)
    gate.do(gate.keeper.look(NOON + DAY + 1))
    gate.do(gate.keeper.look(NOON))
    assert gate.kinds() == ["storm"]
    gate.do(gate.keeper.resume("ann", NOON + 10))
    if restarted:
        rows = gate.journal.rows
        gate = Gate(gate.journal)
        gate.harm(*((NOON + 4, NOON + 5) if not noted else at))
        if not noted:
            rows[-1] = replace(rows[-1], data={})
        gate.do(gate.keeper.open(NOON + 20))
    for now in (NOON + 20, NOON + 700, NOON + DAY + 2):
        assert gate.keeper.storm(now) is None
    gate.harm(NOON + 30, NOON + 40)
    gate.do(gate.keeper.look(NOON + 50))
    assert gate.keeper.storm(NOON + 50) is not None  # what came after is not forgiven
    assert gate.kinds().count("storm") == 2


@pytest.mark.parametrize("restarted", [False, True], ids=["", "restarted"])
def test_a_resume_of_tomorrow_forgives_nothing_that_was_done_after_it(restarted):
    """A person resumed while the clock was a day ahead; it was set back, and then harm was done."""
    gate = Gate()
    gate.harm(NOON + DAY - 20, NOON + DAY - 10)
    gate.do(gate.keeper.look(NOON + DAY))
    gate.do(gate.keeper.resume("ann", NOON + DAY + 1))
    gate.harm(NOON + 1, NOON + 2)
    if restarted:
        gate = Gate(gate.journal)
        gate.harm(NOON + 1, NOON + 2)
        gate.do(gate.keeper.open(NOON + 3))
        assert gate.keeper.resumed_at == NOON + 3
    gate.do(gate.keeper.look(NOON + 3))
    found = gate.keeper.storm(NOON + 3)
    assert (found.changes, found.until) == (2, NOON + 601)
    assert gate.kinds().count("storm") == 2  # and people are told, though an earlier halt was to last until tomorrow


def test_people_hear_of_the_next_storm_though_one_was_to_last_until_tomorrow():
    gate = Gate()
    gate.harm(NOON + DAY, NOON + DAY + 1)
    gate.do(gate.keeper.look(NOON + DAY + 2))
    for now in (NOON, NOON + 700):  # it is over
        gate.do(gate.keeper.look(now))
    gate.harm(NOON + 800, NOON + 801)
    gate.do(gate.keeper.look(NOON + 802))
    assert gate.kinds() == ["storm", "storm"]


def test_a_resume_that_could_not_be_written_forgives_nothing():
    gate = Gate()
    gate.harm(NOON, NOON + 1)
    gate.journal.full = True
    with pytest.raises(StoreError):
        gate.do(gate.keeper.resume("ann", NOON + 2))
    assert gate.keeper.storm(NOON + 3) is not None


@pytest.mark.parametrize(
    ("changes", "starts"),
    [({}, False), ({"approved_by": "ann"}, True), ({"requested": True}, True)],
    ids=["by itself", "approved", "asked for"],
)
@pytest.mark.parametrize("shut", [True, False])
def test_a_person_stands_above_the_calendar(changes, starts, shut):
    gate = Gate(settings=PlanSettings(calendar=SHUT if shut else Calendar()))
    reason = gate.keeper.why_not(replace(SCHEDULED, **changes), NOON)
    assert (reason is None) is (starts or not shut)
    if reason:
        assert reason == "outside of the maintenance windows of shop: 'nights' opens in 8 h 30 min (Thu 22:00 UTC)"


@pytest.mark.parametrize("closing", ["the configuration is reloaded", None])
def test_whoever_is_about_to_end_starts_nothing(closing):
    gate = Gate()
    gate.keeper.closing = closing
    assert gate.keeper.why_not(replace(SCHEDULED, approved_by="ann"), NOON) == closing
    assert gate.keeper.holds(NOON) == ([closing] if closing else [])


def test_the_file_is_only_looked_at_never_read(tmp_path):
    path = tmp_path / "PAUSE"
    os.mkfifo(path)  # who opens it for reading waits for ever
    assert Gate(pause_file=path).executor.stopped == f"paused by the file {path}; remove it to go on"
