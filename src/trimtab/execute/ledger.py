"""What a policy did to its levers, and where they stood before: kept in each move's row, so that the newest row tells it all.

Pure. Kept by `regulator`, and read again from the journal after a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from trimtab.domain.actions import MOVE, SAID_AGAIN, JournalRow
from trimtab.domain.goals import Goal, GuardState
from trimtab.domain.levers import LeverSpec, LeverValue, way
from trimtab.domain.regulation import Move

KEPT_MOVES = 1_000  # remembered of one action


@dataclass(slots=True)
class Ledger:
    """The moves of one action. `held` is what each moved lever should read; those in `doubt` may still be on the way there."""

    action_id: str
    since: float  # Unix seconds: from when on another hand at a lever is a foreign one
    snapshot: dict[str, LeverValue] = field(default_factory=dict)
    held: dict[str, LeverValue] = field(default_factory=dict)
    doubt: dict[str, Move] = field(default_factory=dict)
    moves: list[Move] = field(default_factory=list)  # oldest first
    broken: dict[str, frozenset[str]] = field(default_factory=dict)  # lever → guards that were broken when it was last moved
    count: int = 0

    def intend(self, move: Move, broken: Iterable[str] = ()) -> None:
        """A move is about to be made."""
        self.snapshot.setdefault(move.lever_id, move.from_value)
        self.held[move.lever_id] = move.to_value
        self.doubt[move.lever_id] = move
        self.broken[move.lever_id] = frozenset(broken)
        self.moves = [*self.moves[1 - KEPT_MOVES :], move]
        self.count += 1

    def failed(self, move: Move) -> None:
        """It turned out to have had no effect."""
        self.held[move.lever_id] = move.from_value
        self.doubt.pop(move.lever_id, None)

    def last_at(self, lever_id: str) -> float | None:
        """When a lever was last moved."""
        return next((move.at for move in reversed(self.moves) if move.lever_id == lever_id), None)

    def ours(self, spec: LeverSpec, value: LeverValue | None) -> bool:
        """Whether a lever that reads `value` still stands where we left it, or is on its way there."""
        move = self.doubt.get(spec.lever_id)
        if move is not None and (spec.same(value, move.from_value) or spec.half_way(value, move.from_value, move.to_value)):
            return True
        return spec.lever_id not in self.held or spec.same(value, self.held[spec.lever_id])

    def data(self, move: Move, **more: object) -> dict[str, object]:
        """What a row about `move` carries, beside its sentence."""
        about = {"lever": move.lever_id, "from": move.from_value, "to": move.to_value, "because": move.reason}
        return {**about, "snapshot": dict(self.snapshot), "held": dict(self.held), "count": self.count, **more}


def move_of(row: JournalRow) -> Move | None:
    """The move that a row speaks of, None where it says that one failed, took one back, or says again what was long ago."""
    data = row.data
    if row.kind != MOVE or data.get("failed") or data.get("undo") or data.get(SAID_AGAIN):
        return None
    return Move(str(data["lever"]), _value(data["from"]), _value(data["to"]), row.at, str(data.get("because", "")))


def ledger_from(rows: Sequence[JournalRow], action_id: str, since: float, *, held: bool) -> Ledger:
    """The ledger as the journal has it; without `held` where something else moved the levers since."""
    found = Ledger(action_id, since)
    told = [row for row in rows if row.kind == MOVE]
    if not told:
        return found
    newest = told[-1].data
    found.snapshot = _values(newest.get("snapshot"))
    found.moves = [move for row in told if (move := move_of(row)) is not None]
    count = newest.get("count")
    found.count = count if isinstance(count, int) else len(found.moves)
    if held:
        found.held = _values(newest.get("held"))
        last = move_of(told[-1])
        if last is not None:
            found.doubt[last.lever_id] = last  # the agent may have ended before its effect
        latest = {str(row.data.get("lever")): row for row in told}
        found.doubt |= {lever_id: _put_back(row) for lever_id, row in latest.items() if row.data.get("undo")}
    return found


def _put_back(row: JournalRow) -> Move:
    """The move by which a lever was to be put back."""
    return Move(str(row.data["lever"]), _value(row.data["from"]), _value(row.data["to"]), row.at, "")


def blameless(
    ledger: Ledger, specs: Mapping[str, LeverSpec], guards: Iterable[GuardState], now: float, lag: float
) -> frozenset[str]:
    """The ids of the guards that the moves cannot have broken.

    A move is to blame for `lag` seconds after its lever has settled, unless the guard was broken before it, or the lever is
    declared to take that metric away from its limit when moved so.
    """
    latest = {move.lever_id: move for move in ledger.moves}
    recent = [move for key, move in latest.items() if key in specs and now <= move.at + specs[key].settle_seconds + lag]
    return frozenset(
        state.guard.guard_id
        for state in guards
        if not any(_may_have_broken(move, specs[move.lever_id], state, ledger.broken) for move in recent)
    )


def _may_have_broken(move: Move, spec: LeverSpec, state: GuardState, broken: Mapping[str, frozenset[str]]) -> bool:
    if state.guard.guard_id in broken.get(move.lever_id, frozenset()):
        return False
    course = _course(move, spec, state.guard.metric_name)
    if course == 0 or state.value is None:
        return True
    over = state.guard.max is not None and state.value > state.guard.max
    return course > 0 if over else course < 0


def could_worsen(ledger: Ledger, specs: Mapping[str, LeverSpec], goal: Goal) -> bool:
    """Whether any of the moves may have taken a goal's metric away from its target: all but those declared to help it.

    >>> from trimtab.domain.direction import Direction
    >>> up = Move("web/servers", 1, 2, 60.0, "load rises")
    >>> servers = LeverSpec("servers", "web", bounds=(1, 3), moves=(("p95_seconds", "down"),))
    >>> could_worsen(Ledger("a", 0.0, moves=[up]), {"web/servers": servers}, Goal("p95_seconds", 0.5, Direction.MINIMIZE))
    False
    """
    known = (move for move in ledger.moves if move.lever_id in specs)
    return any(_course(move, specs[move.lever_id], goal.metric_name) * goal.direction.sign <= 0 for move in known)


def _course(move: Move, spec: LeverSpec, metric_name: str) -> int:
    """+1 where the move is declared to take the metric up, -1 down, 0 where nothing is declared."""
    return spec.effect_on(metric_name) * way(move.from_value, move.to_value)


def _values(found: object) -> dict[str, LeverValue]:
    return {str(key): _value(value) for key, value in found.items()} if isinstance(found, Mapping) else {}


def _value(found: object) -> LeverValue:
    return found if isinstance(found, bool | int | float | str) else str(found)
