"""A trial that takes its change off and puts it on again, in random order: for levers that are declared cheap to move.

Asked once the series' own past, and controls, leave a trial undecided at its deadline; then the lever is switched in blocks:

    verifying ─► off ─► on ─► on ─► off ─► …  one coin for each pair of blocks; every switch is a row of the journal before
        └─► improved: put on, kept │ worse, futile, or out of pairs: taken back │ guard, foreign hand, a critical goal: taken back

Pure: read by `trial`, which decides, and by `observer`, which judges. The coins come from the action's id,
so that a replay tosses the same. A crash leaves a row that says what was asked for last; what is unproven is then taken back.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trimtab.domain.actions import ActionRecord, Switch
from trimtab.domain.goals import GoalState
from trimtab.domain.levers import LeverSpec, LeverValue, Reversibility
from trimtab.domain.verdicts import Verdict

Array = NDArray[np.float64]

MAX_PAIRS = 16  # what so many do not show is not worth the switching; at the defaults they last an hour, as far as windows reach
BLOCK_SAMPLES = 3  # after settling, in each block
PATIENCE_BLOCKS = 3.0  # that a switch may be late, where nothing may be set for a while
ALPHA = 0.025  # for each of the two ways to a verdict, so that both together err with 5 % on either side


def may_switch(record: ActionRecord, spec: LeverSpec, overdue: float = 0.0, sample_seconds: float = 0.0) -> bool:
    """Whether the lever of this trial may be put on and taken off just to see.

    Not where that should have begun `overdue` s ago, and nothing could be set since: no trial waits for ever.
    """
    if overdue > PATIENCE_BLOCKS * block_seconds(record, sample_seconds):
        return False
    cheap = spec.switchback and not spec.run_once and not spec.gradual
    return cheap and record.action.reversibility is Reversibility.REVERSIBLE and not record.simulated


def coins(action_id: str) -> tuple[bool, ...]:
    """For each pair of blocks, whether the change comes first.

    >>> coins("a") == coins("a"), len(coins("a"))
    (True, 16)
    """
    tossed = int.from_bytes(hashlib.sha256(f"switchback {action_id}".encode()).digest(), "big")
    return tuple(bool(tossed >> pair & 1) for pair in range(MAX_PAIRS))


def order(action_id: str) -> tuple[bool, ...]:
    """For each block, whether it is with the change."""
    return tuple(on for coin in coins(action_id) for on in (coin, not coin))


def block_seconds(record: ActionRecord, sample_seconds: float) -> float:
    """How long a block lasts: until the switch has settled, and some samples more."""
    return record.action.settle_seconds + BLOCK_SAMPLES * sample_seconds


def next_switch(record: ActionRecord, now: float, sample_seconds: float) -> bool | None:
    """Whether the next block, due now, is with the change; None while the present one lasts, or where it was the last.

    A block that had to wait, because nothing may start for a while, lasts longer; only its planned time counts.
    """
    done = record.switches
    if len(done) == 2 * MAX_PAIRS or (done and now < done[-1].at + block_seconds(record, sample_seconds)):
        return None
    return order(record.action_id)[len(done)]


def is_over(record: ActionRecord, now: float, sample_seconds: float) -> bool:
    """Whether all blocks have been."""
    return len(record.switches) == 2 * MAX_PAIRS and now >= record.switches[-1].at + block_seconds(record, sample_seconds)


def wanted(record: ActionRecord) -> LeverValue | None:
    """What the lever has to read while the trial is in this block: the change, or what was there before it."""
    return record.action.to_value if record.is_on else record.snapshot


def is_stuck(record: ActionRecord, now: float, sample_seconds: float) -> bool:
    """Whether the next switch could not be made for so long that the pairs are no neighbours any more."""
    return bool(record.switches) and now >= record.switches[-1].at + PATIENCE_BLOCKS * block_seconds(record, sample_seconds)


def switched(record: ActionRecord, on: bool, now: float) -> tuple[Switch, ...]:
    """The switches of a record and one more."""
    return (*record.switches, Switch(now, on))


def verdict_on(record: ActionRecord, samples: tuple[Array, Array], goal: GoalState, now: float, sample_seconds: float,
               min_effect: float) -> Verdict:  # fmt: skip
    """The verdict by the blocks that are over. Futile where even its upper end is not worth having."""
    from trimtab.verify import Block, judge_switchback  # loaded with the first trial

    lasts = block_seconds(record, sample_seconds)
    over = [Block(switch.at, switch.at + lasts, switch.on) for switch in record.switches if switch.at + lasts <= now]
    pairs = over[: len(over) // 2 * 2]
    verdict = judge_switchback(samples, pairs, goal=goal.goal, settle_seconds=record.action.settle_seconds, alpha=ALPHA)
    return replace(verdict, futile=not verdict.conclusive and verdict.high is not None and verdict.high < min_effect)
