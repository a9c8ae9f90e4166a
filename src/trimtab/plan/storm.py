"""Storm halt: when several of our own changes have done harm in a row, the one thing left to do is nothing, until a person looks.

Derived from the records, so that a restart forgets nothing; a person's resume forgives what was before it. Asked by the guards,
and again right before an action starts. Harm is a verdict of worse, a breached guard, a change that failed or could not be
undone. Inconclusive trials are no harm, however many: that is what ordinary search looks like.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trimtab.domain.actions import ActionRecord, ActionState
from trimtab.plan.history import harmed
from trimtab.plan.settings import StormRules
from trimtab.plan.words import moment, span


@dataclass(frozen=True, slots=True)
class Storm:
    """A halt under way: `changes` did harm within the window; it is over at `until` (Unix seconds) if no more come."""

    changes: int
    until: float
    sentence: str


def storm(
    records: Iterable[ActionRecord], rules: StormRules, now: float, dates: Mapping[str, float] | None = None
) -> Storm | None:
    """The halt that `records` make necessary at `now`; None where there is none.

    `dates` (action id → Unix seconds) says when harm counts as done where that is not when the record says: what a person has
    forgiven, and what a clock that has been set back since dated later than now.
    """
    since, known = now - rules.window_seconds, dates or {}
    harmful = (record for record in records if did_harm(record))
    hurt = sorted(at for record in harmful if (at := min(known.get(record.action_id, harm_at(record)), now)) > since)
    if len(hurt) < rules.harmful_actions:
        return None
    until = hurt[-rules.harmful_actions] + rules.window_seconds
    sentence = (
        f"storm halt: {len(hurt)} {'change' if len(hurt) == 1 else 'changes'} did harm within {span(rules.window_seconds)}; "
        f"nothing new starts before {moment(until, rules.timezone, now)}, or until `trimtab resume`"
    )
    return Storm(len(hurt), until, sentence)


def did_harm(record: ActionRecord) -> bool:
    """Whether the change, really made, did harm or failed. What the agent's own end cut off is not held against it."""
    if record.simulated or record.executed_at is None:
        return False
    if harmed(record) or record.state is ActionState.ROLLBACK_FAILED:
        return True
    return record.state is ActionState.FAILED and not record.interrupted


def harm_at(record: ActionRecord) -> float:
    """When the harm was over, or last seen; Unix seconds."""
    return record.ended_at if record.ended_at is not None else record.since
