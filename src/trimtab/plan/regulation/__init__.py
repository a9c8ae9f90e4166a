"""How a regulated lever follows load: the policies, by name. Pure; contract in `domain.regulation`.

`reactive` answers what is seen. `predictive` learns from the element's own history what it can bear (`model`), what its levers
cost (`costs`) and how its load goes on (`forecast`), and weighs every configuration by what would follow (`ahead`). Both see
levers as `knobs`; `past` lines up the history. Why it is done so: docs/decisions/0015, docs/regulation.md.
"""

from __future__ import annotations

from trimtab.domain.regulation import PREDICTIVE, REACTIVE, Policy
from trimtab.plan.regulation.predictive import Predictive
from trimtab.plan.regulation.reactive import Reactive


def policy_of(name: str) -> Policy:
    """The policy called `name`. Raises `KeyError` for any but reactive and predictive: `hold` is the absence of one.

    >>> type(policy_of("reactive")).__name__
    'Reactive'
    """
    policies: dict[str, type[Policy]] = {REACTIVE: Reactive, PREDICTIVE: Predictive}
    return policies[name]()


__all__ = ["Predictive", "Reactive", "policy_of"]
