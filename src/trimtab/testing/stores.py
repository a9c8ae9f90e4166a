"""What every journal and every metric store must do. A new backend inherits the suite and adds only its differences.

    class TestMyJournal(JournalConformance):
        def make(self, path):
            return MyJournal(path / "journal")

`make` is called with an empty folder, and again with the same one where a test reopens what it wrote.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from trimtab.domain.actions import MOVE, MOVES_TOLD, SAID_AGAIN, ActionState, Decision
from trimtab.domain.actions import Choice as DecisionChoice
from trimtab.domain.errors import Conflict
from trimtab.domain.levers import LeverValue
from trimtab.domain.ports import Journal
from trimtab.domain.verdicts import Verdict, VerdictStatus
from trimtab.testing.metric_stores import MetricStoreConformance as MetricStoreConformance
from trimtab.testing.records import a_record, moved, run, write_life


class JournalConformance:
    """The contract of `domain.ports.Journal`."""

    durable = True  # whether what was written is there after close and make

    def make(self, path: Path) -> Journal:
        """A journal kept in the folder `path`."""
        raise NotImplementedError

    def test_an_empty_journal_has_nothing_and_holds(self, tmp_path: Path) -> None:
        """No rows, no actions, and no error."""
        journal = self.make(tmp_path)
        assert run(journal.head()) == (0, "")
        assert run(journal.verify()) == 0
        assert not run(journal.recent(10)) and not run(journal.unfinished()) and not run(journal.counts())
        assert not run(journal.notes(["paused"])) and not run(journal.history("a1"))
        assert run(journal.get("a1")) is None

    def test_a_step_reads_back_as_row_and_as_record(self, tmp_path: Path) -> None:
        """The row says what happened, the record where the action stands."""
        journal = self.make(tmp_path)
        first = a_record("a1")
        then = moved(first, ActionState.SCHEDULED, actor="ann", snapshot=2, decision=Decision(DecisionChoice.ACT, "worth it"))
        rows = [run(journal.record(first, None)), run(journal.record(then, ActionState.PROPOSED))]
        assert run(journal.get("a1")) == then
        assert list(run(journal.history("a1"))) == rows
        assert [(row.seq, row.from_state, row.to_state) for row in rows] == [
            (1, None, ActionState.PROPOSED),
            (2, ActionState.PROPOSED, ActionState.SCHEDULED),
        ]
        assert (rows[1].at, rows[1].actor, rows[1].reason, rows[1].kind) == (101.0, "ann", "now scheduled", "transition")
        assert rows[1].previous == rows[0].hash
        assert run(journal.head()) == (2, rows[1].hash)

    @pytest.mark.parametrize("value", [True, False, 1, 0, 1.0, 0.0, "1", "", 2**70, 1e300, -0.0], ids=repr)
    def test_values_of_levers_keep_their_type(self, tmp_path: Path, value: LeverValue) -> None:
        """1, 1.0, true and "1" are four settings."""
        journal = self.make(tmp_path)
        run(journal.record(replace(a_record("a1", to_value=value), snapshot=value), None))
        found = run(journal.get("a1"))
        assert found is not None
        assert repr((found.action.to_value, found.snapshot)) == repr((value, value))

    def test_a_full_record_reads_back_equal(self, tmp_path: Path) -> None:
        """Every field that a long life fills in."""
        journal = self.make(tmp_path)
        record = replace(
            a_record("a1", ActionState.KEPT),
            verdict=Verdict(VerdictStatus.IMPROVED, 0.3, 0.2, 0.4, "test", "p95 fell: 200 → 140 ms", 60, 60),
            guards_broken_before=(("guard:errors", 0.02),),
            goals_met_before=("goal:a", "goal:b"),
            belief_before={"mean": 0.1, "n": 1.0},
            executed_at=103.0,
            ended_at=104.0,
            acknowledged=True,
        )
        run(journal.record(record, None))
        assert run(journal.get("a1")) == record

    @pytest.mark.parametrize(
        ("stored", "expected"),
        [
            (None, ActionState.PROPOSED),
            (ActionState.PROPOSED, None),
            (ActionState.SCHEDULED, ActionState.PROPOSED),
            (ActionState.PROPOSED, ActionState.SCHEDULED),
        ],
        ids=["unknown", "not new", "moved on", "not there yet"],
    )
    def test_a_writer_that_is_mistaken_is_refused(
        self, tmp_path: Path, stored: ActionState | None, expected: ActionState | None
    ) -> None:
        """The fence against two writers; a refused step leaves no trace."""
        journal = self.make(tmp_path)
        if stored is not None:
            run(journal.record(a_record("a1", stored), None))
        before = run(journal.head()), run(journal.get("a1"))
        with pytest.raises(Conflict, match="a1"):
            run(journal.record(a_record("a1", ActionState.APPLYING), expected))
        assert (run(journal.head()), run(journal.get("a1"))) == before
        assert run(journal.verify()) == before[0][0]

    def test_unfinished_are_those_to_look_after(self, tmp_path: Path) -> None:
        """All that have not ended and those on probation, oldest first."""
        journal = self.make(tmp_path)
        for age, state in enumerate(ActionState):
            run(journal.record(a_record(f"a-{state}", state, at=1000.0 - age), None))
        expected = [state for state in ActionState if not state.terminal or state is ActionState.KEPT_ON_PROBATION]
        assert [record.state for record in run(journal.unfinished())] == expected[::-1]

    def test_recent_are_the_newest_first(self, tmp_path: Path) -> None:
        """By creation, however often they moved since; of the same moment the later written is newer."""
        journal = self.make(tmp_path)
        for action_id, at in (("a", 10.0), ("b", 30.0), ("c", 20.0), ("d", 30.0)):
            run(journal.record(a_record(action_id, at=at), None))
        run(journal.record(moved(a_record("a", at=10.0), ActionState.IGNORED), ActionState.PROPOSED))
        assert [record.action_id for record in run(journal.recent(3))] == ["d", "b", "c"]
        assert len(run(journal.recent(10))) == 4
        assert not run(journal.recent(0))

    def test_counts_follow_the_states(self, tmp_path: Path) -> None:
        """Each action counts once, where it stands now."""
        journal = self.make(tmp_path)
        run(write_life(journal, "a", ActionState.SCHEDULED, ActionState.APPLYING))
        run(write_life(journal, "b", ActionState.SCHEDULED))
        run(write_life(journal, "c", ActionState.SCHEDULED))
        assert dict(run(journal.counts())) == {ActionState.APPLYING: 1, ActionState.SCHEDULED: 2}

    def test_of_the_moves_of_an_action_its_history_has_the_latest(self, tmp_path: Path) -> None:
        """A policy makes hundreds a day; `notes` has them all."""
        journal = self.make(tmp_path)
        run(write_life(journal, "a"))
        for number in range(MOVES_TOLD + 5):
            run(journal.note(MOVE, f"move {number}", at=10.0 + number, action_id="a"))
        run(journal.note("let_go", "another hand", at=90.0, action_id="a"))
        told = [row.reason for row in run(journal.history("a")) if row.kind == MOVE]
        assert told == [f"move {number}" for number in range(5, MOVES_TOLD + 5)]
        assert run(journal.history("a"))[0].kind == "transition" and run(journal.history("a"))[-1].kind == "let_go"
        assert len(run(journal.notes([MOVE], 1000))) == MOVES_TOLD + 5

    def test_notes_are_rows_of_the_same_chain(self, tmp_path: Path) -> None:
        """Newest first, of the kinds asked for; one about an action is part of its history."""
        journal = self.make(tmp_path)
        run(journal.note("paused", "by hand", at=1.0, actor="ann", data={"levers": ["shop/workers"], "ratio": 0.5}))
        run(write_life(journal, "a"))
        run(journal.note("frozen", "rollback failed", at=3.0, action_id="a"))
        run(journal.note("resumed", "by hand", at=4.0))
        assert [row.seq for row in run(journal.notes(["paused", "resumed"]))] == [4, 1]
        assert [row.seq for row in run(journal.notes(["resumed", "paused", "frozen"], limit=2))] == [4, 3]
        assert [row.kind for row in run(journal.history("a"))] == ["transition", "frozen"]
        first = run(journal.notes(["paused"]))[0]
        assert (first.actor, first.data, first.action_id) == ("ann", {"levers": ["shop/workers"], "ratio": 0.5}, "")
        assert run(journal.verify()) == 4

    def test_a_note_cannot_pose_as_a_transition(self, tmp_path: Path) -> None:
        """Nor carry what JSON cannot hold."""
        journal = self.make(tmp_path)
        with pytest.raises(ValueError, match="record"):
            run(journal.note("transition", "sneaky", at=1.0, action_id="a"))
        with pytest.raises(ValueError, match="JSON"):
            run(journal.note("note", "odd", at=1.0, data={"what": object()}))
        assert run(journal.head()) == (0, "")

    def test_odd_numbers_and_texts_survive(self, tmp_path: Path) -> None:
        """NaN, ±inf and half a surrogate pair come from broken targets; they must not stop the journal, nor break its chain."""
        journal = self.make(tmp_path)
        record = replace(
            a_record("a1"), reason="naïve \ud800 \x00 🙂", guards_broken_before=(("g", math.nan),), belief_before={"m": -math.inf}
        )
        run(journal.record(record, None))
        row = run(journal.note("note", "", at=math.nan, data={"value": math.inf}))
        assert run(journal.verify()) == 2
        found = run(journal.get("a1"))
        assert found is not None and math.isnan(found.guards_broken_before[0][1]) and found.belief_before == {"m": -math.inf}
        assert row.data == {"value": math.inf}

    def test_the_chain_tells_every_value_an_action_had(self, tmp_path: Path) -> None:
        """Each row carries what it changed."""
        journal = self.make(tmp_path)
        record = a_record("a1")
        run(journal.record(record, None))
        row = run(journal.record(moved(record, ActionState.APPLYING, snapshot=2), ActionState.PROPOSED))
        assert row.data["changed"] == {"snapshot": 2}

    def test_what_was_written_is_there_after_reopening(self, tmp_path: Path) -> None:
        """And the chain goes on where it ended."""
        if not self.durable:
            pytest.skip("this journal does not outlive its process")
        journal = self.make(tmp_path)
        record = run(write_life(journal, "a", ActionState.SCHEDULED))
        head = run(journal.head())
        run(journal.close())
        again = self.make(tmp_path)
        assert run(again.head()) == head
        assert run(again.get("a")) == record
        row = run(again.record(moved(record, ActionState.APPLYING), ActionState.SCHEDULED))
        assert row.previous == head[1]
        assert run(again.verify()) == 3

    def test_pruning_gives_up_a_prefix_and_the_chain_holds(self, tmp_path: Path) -> None:
        """What ended before goes, what is younger stays; the row that says so is the last one, and `verify` goes on from it."""
        journal = self.make(tmp_path)
        run(write_life(journal, "old", ActionState.IGNORED, at=100.0))
        run(journal.note("learned", "of old", at=150.0, action_id="old"))
        young = run(write_life(journal, "young", ActionState.SCHEDULED, ActionState.EXPIRED, at=500.0))
        assert run(journal.prune(400.0, at=1000.0)) == 3
        assert run(journal.get("old")) is None and not run(journal.history("old"))
        assert run(journal.get("young")) == young
        assert [row.seq for row in run(journal.history("young"))] == [4, 5, 6]
        (said,) = run(journal.notes(["pruned"]))
        assert (said.seq, said.at, run(journal.head())) == (7, 1000.0, (7, said.hash))
        assert run(journal.verify()) == 4
        assert run(journal.prune(400.0, at=1001.0)) == 0
        assert run(journal.head()) == (7, said.hash), "a journal with nothing to give up is left as it is"

    @pytest.mark.parametrize("state", list(ActionState), ids=str)
    def test_what_is_not_over_for_good_is_never_given_up(self, tmp_path: Path, state: ActionState) -> None:
        """Nor anything after it: only a prefix goes."""
        journal = self.make(tmp_path)
        run(write_life(journal, "first", ActionState.IGNORED, at=50.0))
        run(journal.record(a_record("it", state, at=100.0), None))
        run(write_life(journal, "last", ActionState.IGNORED, at=200.0))
        needed = not state.terminal or state in (ActionState.KEPT_ON_PROBATION, ActionState.ROLLBACK_FAILED)
        assert run(journal.prune(1e6, at=2e6)) == (2 if needed else 5)
        assert (run(journal.get("it")) is not None, run(journal.get("last")) is not None) == (needed, needed)
        run(journal.verify())

    def test_an_action_that_ended_later_keeps_its_first_rows(self, tmp_path: Path) -> None:
        """However long it lasted."""
        journal = self.make(tmp_path)
        record = run(write_life(journal, "long", ActionState.SCHEDULED, at=100.0))
        run(write_life(journal, "short", ActionState.IGNORED, at=200.0))
        run(journal.record(replace(moved(record, ActionState.EXPIRED), since=900.0), ActionState.SCHEDULED))
        assert run(journal.prune(800.0, at=1000.0)) == 0
        assert run(journal.prune(950.0, at=1000.0)) == 5
        run(journal.verify())

    @pytest.mark.parametrize(
        ("notes", "left"), [(("paused",), 1), (("paused", "resumed"), 0), (("resumed", "paused", "paused"), 2)], ids=str
    )
    def test_the_pause_in_force_is_never_given_up(self, tmp_path: Path, notes: tuple[str, ...], left: int) -> None:
        """An agent that was paused a year ago must still be paused after a restart."""
        journal = self.make(tmp_path)
        for at, kind in enumerate(notes):
            run(journal.note(kind, "", at=float(at)))
        assert run(journal.prune(1e6, at=2e6)) == len(notes) - left
        assert [row.kind for row in run(journal.notes(["paused", "resumed"]))] == ["paused"] * left
        run(journal.verify())

    def test_pruning_goes_on_where_it_left_off(self, tmp_path: Path) -> None:
        """Time after time, until only the row is left that says so; then new actions follow."""
        journal = self.make(tmp_path)
        for number in range(6):
            run(write_life(journal, f"a{number}", ActionState.IGNORED, at=100.0 * number))
        for cut in (150.0, 250.0, 260.0, 1e6):
            run(journal.prune(cut, at=1000.0))
            run(journal.verify())
        assert run(journal.prune(1e9, at=1000.0)) == 0, "what pruning wrote is younger than what it may remove"
        assert not run(journal.recent(10)) and not run(journal.counts())
        record = run(write_life(journal, "new", ActionState.IGNORED, at=2000.0))
        assert run(journal.get("new")) == record
        run(journal.verify())

    def test_a_policy_in_force_outlives_its_rows(self, tmp_path: Path) -> None:
        """It may stand for years: where it stands and what was last said of it is written again, until another one is kept."""
        journal = self.make(tmp_path)
        for number, at in enumerate((100.0, 200.0)):
            plain = a_record(f"p{number}", at=at)
            action = replace(plain.action, lever="regulation", to_value="predictive")
            record = replace(plain, action=action)
            run(journal.record(record, None))
            record = replace(record, state=ActionState.KEPT, executed_at=at)
            run(journal.record(record, ActionState.PROPOSED))
            run(journal.note("move", "first", at=at + 1.0, data={"to": 3}, action_id=record.action_id))
            run(journal.note("move", "last", at=at + 2.0, data={"to": 4}, action_id=record.action_id))
        for at in (1000.0, 2000.0, 3000.0):
            run(journal.prune(at - 1.0, at=at))
            assert (run(journal.get("p0")), run(journal.get("p1"))) == (None, record)
            assert [(row.kind, row.to_state, row.at) for row in run(journal.history("p1"))] == [
                ("transition", ActionState.KEPT, at),
                ("move", None, at),
            ]
            assert dict(run(journal.notes(["move"]))[0].data) == {"to": 4, SAID_AGAIN: True}
            run(journal.verify())
        over = replace(moved(record, ActionState.ROLLING_BACK), since=3001.0)
        run(journal.record(over, ActionState.KEPT))
        run(journal.record(moved(over, ActionState.ROLLED_BACK), ActionState.ROLLING_BACK))
        run(journal.prune(1e6, at=2e6))
        assert run(journal.get("p1")) is None
        run(journal.verify())
