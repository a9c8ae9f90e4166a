"""The life of an action: the only table that says what may follow what. `Book.move` asks it before every journal row.

    proposed ─► ignored | expired
       │  └──► awaiting_approval ─► rejected | expired
       ▼            │ approved (bound to the plan's hash; changed state voids it)
    scheduled ─► applying ─► settling ─► verifying ─► kept
       │            │           │           ├──────► kept_on_probation ─► kept
       ▼            │           │           ├──────► yielded   (a foreign hand moved the lever: we let go)
    rejected        ▼           ▼           ▼
    expired      probing ──► rolling_back ◄─┴── kept, kept_on_probation (a guard breached, a person, a calm time)
                    │           │
                    │           └─► rolled_back | stepped_back | yielded | rollback_failed ─► rolling_back (a person retries)
                    └─► settling | failed (only where read-back equals the snapshot) | yielded

A switchback enters `verifying` again at every switch of its lever, so that each is durable before it is set.

Simulation walks the same path, with levers that set nothing, and ends in `simulated` where a real action would end or turn back.
"""

from __future__ import annotations

from collections.abc import Mapping

from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import IllegalTransition

TRANSITIONS: Mapping[S | None, frozenset[S]] = {
    None: frozenset({S.PROPOSED}),
    S.PROPOSED: frozenset({S.IGNORED, S.AWAITING_APPROVAL, S.SCHEDULED, S.EXPIRED}),
    S.AWAITING_APPROVAL: frozenset({S.SCHEDULED, S.REJECTED, S.EXPIRED}),
    S.SCHEDULED: frozenset({S.APPLYING, S.REJECTED, S.EXPIRED}),
    S.APPLYING: frozenset({S.SETTLING, S.PROBING, S.FAILED}),
    S.PROBING: frozenset({S.SETTLING, S.ROLLING_BACK, S.YIELDED, S.FAILED, S.SIMULATED}),
    S.SETTLING: frozenset({S.VERIFYING, S.KEPT_ON_PROBATION, S.PROBING, S.ROLLING_BACK, S.YIELDED, S.SIMULATED}),
    S.VERIFYING: frozenset({S.VERIFYING, S.KEPT, S.KEPT_ON_PROBATION, S.PROBING, S.ROLLING_BACK, S.YIELDED, S.SIMULATED}),
    S.KEPT_ON_PROBATION: frozenset({S.KEPT, S.ROLLING_BACK, S.YIELDED}),
    S.KEPT: frozenset({S.ROLLING_BACK}),
    S.ROLLING_BACK: frozenset({S.ROLLED_BACK, S.STEPPED_BACK, S.ROLLBACK_FAILED, S.YIELDED}),
    S.ROLLBACK_FAILED: frozenset({S.ROLLING_BACK}),
}


def check(from_state: S | None, to_state: S) -> None:
    """Raise `IllegalTransition` unless `to_state` may follow `from_state`.

    >>> check(S.SETTLING, S.VERIFYING)
    >>> check(S.ROLLED_BACK, S.APPLYING)
    Traceback (most recent call last):
        ...
    trimtab.domain.errors.IllegalTransition: an action that is rolled_back cannot become applying
    """
    if to_state not in TRANSITIONS.get(from_state, frozenset()):
        raise IllegalTransition(f"an action that is {from_state or 'new'} cannot become {to_state}")
