"""The hand that carries out a policy: asks it once a turn, and makes its moves with the discipline of every other effect.

A move is looked before, a durable row before it is made, and read back after. Whatever keeps an action from starting keeps a
move from being made. What another hand has moved is left to it for a day. The moves stand under the action that started the
policy; taking that action back takes them back (decision 15).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import structlog

from trimtab.domain.actions import MOVE, ActionRecord
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import LeverError, Permanent, Retryable, StoreError
from trimtab.domain.goals import Goal, GuardState
from trimtab.domain.levers import LeverSpec
from trimtab.domain.regulation import HOLD, Move, Policy, RegulationView
from trimtab.domain.situation import LeverState
from trimtab.domain.words import setting
from trimtab.execute.executor import Executor
from trimtab.execute.ledger import KEPT_MOVES, Ledger, blameless, could_worsen, ledger_from
from trimtab.execute.policy_lever import PolicyLever
from trimtab.execute.trial import PROBE_SECONDS, in_doubt
from trimtab.plan.regulation.past import load_risen

LEFT_SECONDS = 86_400.0  # that a lever is left to another hand which moved it: two hands would fight

_OVER = (S.FAILED, S.ROLLED_BACK, S.STEPPED_BACK, S.YIELDED, S.SIMULATED, S.EXPIRED, S.REJECTED)
_AT_WORK = (S.SETTLING, S.VERIFYING, S.KEPT, S.KEPT_ON_PROBATION)


class Regulator:
    """One element's policy at work. `turn` is called once a turn; one runs at a time."""

    def __init__(self, executor: Executor, lever: PolicyLever, policies: Callable[[str], Policy], *, lag: float) -> None:
        """`policies` makes the policy of a name; `lag`: seconds until a metric shows what happened."""
        self.lever, self.spec = lever, lever.spec
        self.holding: str | None = None  # why no move is made now
        self._executor, self._book, self._levers = executor, executor.book, executor.levers
        self.policies, self._lag = policies, lag
        self._made: dict[str, Policy] = {}
        self._ledger: Ledger | None = None
        self._since: dict[str, float] = {}  # lever → when it was taken up again
        self.moved = dict.fromkeys(lever.spec.governs, 0)  # how often in this process, by lever
        self._asked_at: float | None = None  # the time of the newest sample that the policy has seen
        self._let_go_of: set[str] = set()  # actions whose policy ended when its levers were no longer declared as regulated
        self._failure: str | None = None  # of the policy, which was said
        self._lock = asyncio.Lock()
        self._log = structlog.get_logger("trimtab")
        lever.put_back = self.put_back

    # -- which action is at work

    def in_force(self) -> ActionRecord | None:
        """The action whose policy moves the levers now; None while there is none, or one is being started or taken back."""
        record = self._latest()
        at_work = record is not None and record.state in _AT_WORK and self.lever.value == record.action.to_value
        return record if at_work and self.lever.value != HOLD else None

    def _latest(self) -> ActionRecord | None:
        """The newest action on the policy that is not over."""
        mine = (record for record in reversed(self._mine()) if record.action_id not in self._let_go_of)
        return next((record for record in mine if record.state not in _OVER), None)

    def _mine(self) -> Sequence[ActionRecord]:
        """Every action on the policy that was begun, oldest first."""
        mine = [r for r in self._book.records if r.action.lever_id == self.spec.lever_id and r.executed_at is not None]
        return sorted(mine, key=lambda record: record.executed_at or 0.0)

    async def open(self, now: float) -> None:
        """After a start: the policy that the journal says is in force, and what is left to other hands."""
        for row in await self._book.journal.notes(["policy"], 1_000):
            if row.data.get("lever") == self.spec.lever_id:  # the last that was at work, however many actions came after it
                await self._book.recollect(row.action_id, now)
                break
        told = await self._book.journal.notes(["let_go"], 1_000)
        self._let_go_of = {row.action_id for row in told if "lever" not in row.data}
        latest = self._latest()
        self.lever.value = latest.action.to_value if latest is not None else HOLD
        left: dict[str, float] = {}
        for row in told:
            until = row.data.get("until")
            if isinstance(until, int | float):
                left.setdefault(str(row.data.get("lever")), min(float(until), now + LEFT_SECONDS))
        for lever_id, until in left.items():
            if lever_id in self.spec.governs and until > now:
                self._levers.leave(lever_id, until)

    async def _ledger_of(self, record: ActionRecord) -> Ledger:
        if self._ledger is None or self._ledger.action_id != record.action_id:
            rows = await self._book.journal.history(record.action_id)
            if not any(row.kind == "policy" for row in rows) and record.state in _AT_WORK:
                about = {"lever": self.spec.lever_id, "levers": list(self.spec.governs)}
                why = f"{record.action.to_value} moves {', '.join(self.spec.governs)} from now on"
                await self._book.note("policy", why, self._executor.now(), action_id=record.action_id, data=about)
            latest = self._mine()[-1].action_id == record.action_id  # else a later one moved the levers, and put them back
            moves = [row for row in await self._book.journal.notes([MOVE], KEPT_MOVES) if row.action_id == record.action_id]
            rows = moves[::-1] or rows  # the history has but the latest of them
            self._ledger = ledger_from(rows, record.action_id, self._executor.now(), held=latest)
        return self._ledger

    # -- a turn

    async def turn(self) -> None:
        """See whose hand is at the levers, ask the policy, and make its moves."""
        async with self._lock:
            record = self.in_force()
            if record is None:
                await self._forget()
                return
            ledger = await self._ledger_of(record)
            await self._resolve(record, ledger)
            await self._watch_hands(record, ledger)
            self.holding = self._hindrance(record)
            for move in () if self.holding else self._asked(record, ledger):
                if self._may_move(move, ledger):
                    await self._make(record, ledger, move)

    async def _forget(self) -> None:
        """A policy whose action the journal has given up is no longer in force; it is proposed anew."""
        self.holding = None
        if self.lever.value != HOLD and self._latest() is None:
            why = f"{self.spec.lever_id} is set to hold: the action that started {self.lever.value} is no longer in the journal"
            await self._book.note("note", why, self._executor.now())
            self.lever.value, self._ledger = HOLD, None

    def _hindrance(self, record: ActionRecord) -> str | None:
        """Why no move may be made now: what would keep any action from starting, or data that nothing may rest on."""
        if (closed := self._closed(record)) is not None:
            return closed
        evidence = self._executor.evidence
        goal = evidence.goal(record.action.goal_id)
        if goal is None:
            return f"HOLD: the goal {record.action.goal_id} is not being analysed"
        trusts = [goal.trust, *(state.trust for state in evidence.guards(record.action.locks))]
        return next((trust.why for trust in trusts if not trust.ok), None)

    def _closed(self, record: ActionRecord) -> str | None:
        frozen = self._levers.states[self.spec.lever_id].frozen
        return frozen if frozen is not None else self._executor.closed_to_moves(record)

    def _view(self, record: ActionRecord, levers: Mapping[str, LeverState], moves: Sequence[Move]) -> RegulationView:
        evidence, element, near = self._executor.evidence, self.spec.element, record.action.locks
        goals, guards = tuple(evidence.goals(near)), tuple(evidence.guards(near))
        return RegulationView(self._executor.now(), element, levers, goals, guards, evidence.metrics(element), tuple(moves))

    def _asked(self, record: ActionRecord, ledger: Ledger) -> Sequence[Move]:
        """What the policy wants; nothing, and said so, where it breaks."""
        levers = self._movable()
        if not levers:
            self.holding = f"every lever of {self.spec.element} is out of reach, or left to another hand"
            return ()
        view = self._view(record, levers, ledger.moves)
        newest = max((float(t[-1]) for t, _ in view.metrics.values() if t.size), default=0.0)
        if newest == self._asked_at:
            return ()  # nothing was seen since it was asked
        self._asked_at = newest
        name = str(record.action.to_value)
        try:
            if name not in self._made:
                self._made[name] = self.policies(name)
            return self._made[name].next(view)
        except Exception as error:  # a policy that breaks moves nothing, and takes nothing else down
            self.holding = f"the policy {name} of {self.spec.element} failed: {type(error).__name__}: {error}"
            if self.holding != self._failure:
                self._log.exception("Policy failed", element=self.spec.element, policy=name)
            self._failure = self.holding
            return ()

    def _movable(self) -> Mapping[str, LeverState]:
        states = ((lever_id, self._levers.states[lever_id]) for lever_id in self.spec.governs)
        return {
            lever_id: state
            for lever_id, state in states
            if state.value is not None and state.trust.ok and state.frozen is None and state.left_until is None
        }

    def _may_move(self, move: Move, ledger: Ledger) -> bool:
        """Within what is declared, and not before the last move of the lever has settled."""
        state = self._movable().get(move.lever_id)
        if state is None or move.lever_id in ledger.doubt:
            return False
        if not state.spec.allows(move.to_value) or state.spec.same(state.value, move.to_value):
            return False
        last = ledger.last_at(move.lever_id)
        return last is None or self._executor.now() >= last + state.spec.settle_seconds

    # -- one move

    async def _make(self, record: ActionRecord, ledger: Ledger, wanted: Move) -> None:
        """Look, note, set, read back. Nothing is awaited between the last look at who may act and the row, nor before the set."""
        lever_id, spec = wanted.lever_id, self._levers.states[wanted.lever_id].spec
        try:
            value = await self._levers.look(lever_id, self._executor.now())
        except LeverError:
            return  # its state says so
        if not spec.same(value, wanted.from_value) or not self._still(record):
            return
        now = self._executor.now()
        move = Move(lever_id, value, wanted.to_value, now, wanted.reason)
        broken = (state.guard.guard_id for state in self._executor.evidence.guards(record.action.locks) if state.breached)
        ledger.intend(move, broken)
        try:
            await self._note(record, ledger, move, _sentence(move))
        except StoreError:
            ledger.failed(move)
            raise
        if not self._still(record):
            await self._came_to_nothing(record, ledger, move, "it was called off before anything was set")
            return
        error: LeverError | None = None
        try:
            await self._levers.put(lever_id, move.to_value, now)
        except LeverError as failure:
            error = failure
        with suppress(LeverError):
            value = await self._levers.look(lever_id, self._executor.now())
            if isinstance(error, Permanent) and spec.same(value, move.from_value):
                await self._came_to_nothing(record, ledger, move, error.message)
                return
        await self._resolve(record, ledger)
        self.moved[lever_id] += 1
        self._log.info("Move", lever=lever_id, move=f"{setting(move.from_value)} → {setting(move.to_value)}", reason=move.reason,
                       action_id=record.action_id)  # fmt: skip

    def _still(self, record: ActionRecord) -> bool:
        now_in_force = self.in_force()
        return now_in_force is not None and now_in_force.action_id == record.action_id and self._closed(record) is None

    async def _resolve(self, record: ActionRecord, ledger: Ledger) -> None:
        """What became of moves in doubt: there, on the way, without effect, or (left for `_watch_hands`) another hand's."""
        for lever_id, move in list(ledger.doubt.items()):
            state = self._levers.states.get(lever_id)
            if state is None:
                ledger.doubt.pop(lever_id)
                continue
            if state.read_at < move.at or not state.trust.ok:
                with suppress(LeverError):
                    await self._levers.look(lever_id, self._executor.now())
                state = self._levers.states[lever_id]
            if not state.trust.ok:
                continue
            spec, waited = state.spec, self._executor.now() - move.at
            if spec.same(state.value, move.to_value):
                ledger.doubt.pop(lever_id)
            elif spec.same(state.value, move.from_value) and waited >= in_doubt(spec):
                await self._came_to_nothing(record, ledger, move, f"{lever_id} still reads {setting(state.value)}")
            elif spec.half_way(state.value, move.from_value, move.to_value) and waited > max(spec.takes_seconds, PROBE_SECONDS):
                ledger.held[lever_id] = state.value if state.value is not None else move.from_value
                ledger.doubt.pop(lever_id)
            elif not ledger.ours(spec, state.value):
                ledger.doubt.pop(lever_id)

    async def _came_to_nothing(self, record: ActionRecord, ledger: Ledger, move: Move, why: str) -> None:
        ledger.failed(move)
        await self._note(record, ledger, move, f"{_sentence(move)}: came to nothing: {why}", failed=True)

    async def _note(self, record: ActionRecord, ledger: Ledger, move: Move, sentence: str, **more: object) -> None:
        if record.simulated:
            more["simulated"] = True
        await self._book.note(MOVE, sentence, self._executor.now(), action_id=record.action_id, data=ledger.data(move, **more))

    # -- other hands

    async def _watch_hands(self, record: ActionRecord, ledger: Ledger) -> None:
        """Let go of each lever that another hand has moved; take up again what it has left alone for long enough."""
        now = self._executor.now()
        for lever_id in self.spec.governs:
            state = self._levers.states[lever_id]
            if state.left_until is not None:
                self._still_left(ledger, state, now)
            elif self._moved_by_another(ledger, state):
                await self._let_go(record, ledger, state)

    def _moved_by_another(self, ledger: Ledger, state: LeverState) -> bool:
        lever_id = state.spec.lever_id
        if not state.trust.ok or state.value is None:
            return False
        if lever_id in ledger.held:
            fresh = state.read_at >= (ledger.last_at(lever_id) or 0.0)
            return fresh and not ledger.ours(state.spec, state.value)
        return state.moved_by_others_at is not None and state.moved_by_others_at > self._since.get(lever_id, ledger.since)

    async def _let_go(self, record: ActionRecord, ledger: Ledger, state: LeverState) -> None:
        lever_id, now = state.spec.lever_id, self._executor.now()
        until = now + LEFT_SECONDS
        ours = f", where we had set {setting(ledger.held[lever_id])}" if lever_id in ledger.held else ""
        reason = f"another hand set {lever_id} to {setting(state.value)}{ours}: {self.lever.value} leaves it alone for a day"
        self._levers.leave(lever_id, until)
        ledger.held.pop(lever_id, None)
        ledger.doubt.pop(lever_id, None)
        data = {"lever": lever_id, "value": state.value, "until": until}
        await self._book.note("let_go", reason, now, action_id=record.action_id, data=data)
        self._log.warning("Lever let go", lever=lever_id, reason=reason, action_id=record.action_id)
        await self._book.tell("foreign_write", f"let go: {lever_id}", reason)

    def _still_left(self, ledger: Ledger, state: LeverState, now: float) -> None:
        lever_id, until = state.spec.lever_id, state.left_until or 0.0
        if state.moved_by_others_at is not None:
            until = max(until, state.moved_by_others_at + LEFT_SECONDS)
        if now >= until:
            self._since[lever_id] = now
            self._log.info("Lever taken up again", lever=lever_id, reason="no other hand has moved it for a day")
        self._levers.leave(lever_id, until if now < until else None)

    # -- taking it back

    async def put_back(self) -> None:
        """Restore every lever that still stands where the policy left it. Raises `LeverError` where one could not be."""
        taken = [r for r in self._mine() if r.state in (S.ROLLING_BACK, S.SIMULATED)]
        if not taken:
            return
        record = taken[-1]
        async with self._lock:
            ledger = await self._ledger_of(record)
            results = await asyncio.gather(
                *(self._put_back(record, ledger, lever_id) for lever_id in ledger.snapshot), return_exceptions=True
            )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _put_back(self, record: ActionRecord, ledger: Ledger, lever_id: str) -> None:
        state, before = self._levers.states.get(lever_id), ledger.snapshot[lever_id]
        if state is None or state.left_until is not None or lever_id not in self.spec.governs:
            return
        spec, now = state.spec, self._executor.now()
        value = await self._levers.look(lever_id, now)
        if spec.same(value, before) and lever_id not in ledger.doubt:
            return
        if not ledger.ours(spec, value):
            await self._let_go(record, ledger, self._levers.states[lever_id])
            return
        back = Move(lever_id, value, before, now, "")
        ledger.held[lever_id] = before
        ledger.doubt[lever_id] = back
        await self._note(record, ledger, back, f"{_sentence(back)}: put back", undo=True)
        await self._levers.put(lever_id, before, now, undo=True)
        value = await self._levers.look(lever_id, self._executor.now())
        if not spec.same(value, before):
            raise Retryable(f"{lever_id} reads {setting(value)} instead of {setting(before)}")
        ledger.doubt.pop(lever_id, None)

    # -- what the executor asks

    def blameless(self, record: ActionRecord, guards: Sequence[GuardState]) -> frozenset[str]:
        """The guards that this policy cannot have broken."""
        if self._ledger is None or self._ledger.action_id != record.action_id:
            return frozenset(state.guard.guard_id for state in guards)
        return blameless(self._ledger, self._specs(), guards, self._executor.now(), self._lag)

    def moves_of(self, record: ActionRecord) -> Sequence[Move]:
        """The moves under this action, oldest first."""
        return self._ledger.moves if self._ledger is not None and self._ledger.action_id == record.action_id else ()

    def could_worsen(self, record: ActionRecord, goal: Goal) -> bool:
        """Whether any of them may have made this goal's metric worse."""
        return self._ledger is not None and bool(self.moves_of(record)) and could_worsen(self._ledger, self._specs(), goal)

    def load_risen(self, record: ActionRecord) -> bool:
        """Whether load has since been clearly beyond what it was before the policy was put to work."""
        levers = {lever_id: self._levers.states[lever_id] for lever_id in self.spec.governs}
        return load_risen(self._view(record, levers, ()), record.executed_at or record.since)

    def moved_since(self, moment: float) -> str | None:
        """A lever that the policy has moved since."""
        moves = self._ledger.moves if self._ledger is not None else []
        return next((move.lever_id for move in reversed(moves) if move.at > moment), None)

    def left(self) -> Sequence[str]:
        """The levers that are left to another hand."""
        return [lever_id for lever_id in self.spec.governs if self._levers.states[lever_id].left_until is not None]

    def _specs(self) -> Mapping[str, LeverSpec]:
        return {lever_id: self._levers.states[lever_id].spec for lever_id in self.spec.governs}

    # -- what people see

    @property
    def moves_made(self) -> int:
        """How many moves the policy in force has made."""
        return self._ledger.count if self._ledger is not None and self.lever.value != HOLD else 0


def _sentence(move: Move) -> str:
    about = f"{move.lever_id} {setting(move.from_value)} → {setting(move.to_value)}"
    return f"{about}: {move.reason}" if move.reason else about
