"""What blocks with and without a change tell, and what of a block does not count."""

from __future__ import annotations

import numpy as np

from trimtab.domain.verdicts import VerdictStatus
from trimtab.verify import judge_switchback, plan_switchback

BLOCKS = plan_switchback(0.0, 60.0, [i % 3 == 0 for i in range(16)])
T = np.arange(0.0, 60.0 * len(BLOCKS), 10.0)
ON = np.array([BLOCKS[int(t // 60)].on for t in T])
SETTLING = T % 60.0 < 30.0


def judged(y, settle_seconds=30.0):
    return judge_switchback((T, y), BLOCKS, goal="minimize", settle_seconds=settle_seconds).status


def test_what_happens_while_a_switch_settles_does_not_count():
    y = np.exp(0.1 * np.random.default_rng(1).standard_normal(T.size)) * np.where(ON & SETTLING, 3.0, 1.0)
    assert judged(y) is VerdictStatus.INCONCLUSIVE
    assert judged(y, settle_seconds=0.0) is VerdictStatus.WORSE
