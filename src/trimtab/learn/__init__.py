"""Learn: verified outcomes in, beliefs about action types out; and the choice between rivals.

Reads: `Outcome`s of actions that were really tried. Produces: `Beliefs`, which answers `domain.beliefs.BeliefView`, and
`Chooser`. May import: domain, NumPy. Never: a clock, a random source, a simulated result (an `Outcome` cannot carry
one), the room `plan`. `Outcome`, `VerdictStatus` and `Context` come from the domain and are named here for who only learns.
"""

from __future__ import annotations

from trimtab.domain.actions import Outcome
from trimtab.domain.contexts import Context
from trimtab.domain.verdicts import VerdictStatus
from trimtab.learn.beliefs import Beliefs
from trimtab.learn.choice import Chooser
from trimtab.learn.memory import recall, remember

__all__ = ["Beliefs", "Chooser", "Context", "Outcome", "VerdictStatus", "recall", "remember"]
