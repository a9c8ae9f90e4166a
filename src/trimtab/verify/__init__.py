"""Judge what an action did, against what would have happened without it.

Reads: samples of one metric before and after an action, its goal's direction, and controls where there are any; or samples of a
lever that was switched back and forth. Produces: a `Verdict`: improved, worse, or inconclusive, valid at every look. May import:
`stats`, `domain`, NumPy. Never: a clock, a random source, the environment, the network.
"""

from trimtab.verify.controls import choose_controls
from trimtab.verify.judge import Judge, judge
from trimtab.verify.switchback import Block, judge_switchback, plan_switchback

__all__ = ["Block", "Judge", "choose_controls", "judge", "judge_switchback", "plan_switchback"]
