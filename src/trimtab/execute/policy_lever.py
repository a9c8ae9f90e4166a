"""Which policy moves an element's regulated levers, as a lever with the settings hold, reactive and predictive (decision 15).

Setting a policy starts it, and putting the former setting back takes it back: with it the levers that it moved. So a policy lives
the life of every other action. The setting is the agent's own and is found in the journal after a restart: see `regulator`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from trimtab.domain.levers import Autonomy, LeverKind, LeverSpec, LeverValue, Mode, Reversibility
from trimtab.domain.ports import Lever
from trimtab.domain.regulation import HOLD, POLICIES, REGULATION


class PolicyLever:
    """The policy in force at one element; `hold` moves nothing. Its regulator says what putting it back entails."""

    def __init__(self, spec: LeverSpec) -> None:
        self.spec = spec
        self.value: LeverValue = HOLD
        self.put_back: Callable[[], Awaitable[None]] | None = None  # restores the levers; raises `LeverError`

    async def read(self) -> LeverValue:
        """The policy in force."""
        return self.value

    async def set(self, value: LeverValue) -> None:
        """Let another policy be in force; the levers stay where they are."""
        self.value = value

    async def restore(self, value: LeverValue) -> None:
        """Take the policy back: first the levers that it moved, so that it is read as in force until they are restored."""
        if self.put_back is not None:
            await self.put_back()
        self.value = value

    async def close(self) -> None:
        """Nothing is held."""


def policy_spec(governed: Sequence[LeverSpec]) -> LeverSpec:
    """What is declared of the policy that moves these levers of one element: of each property the most careful that they declare.

    >>> policy_spec([LeverSpec("servers", "web", risk_level=0.1), LeverSpec("dimmer", "web", risk_level=0.2)]).risk_level
    0.2
    """
    autonomies, ways = list(Autonomy), list(Reversibility)
    return LeverSpec(
        name=REGULATION,
        element=governed[0].element,
        kind=LeverKind.CHOICE,
        choices=POLICIES,
        mode=Mode.REGULATED,
        reversibility=max((spec.reversibility for spec in governed), key=ways.index),
        autonomy=min((spec.autonomy for spec in governed), key=autonomies.index),
        risk_level=max(spec.risk_level for spec in governed),
        priority=min((spec.priority for spec in governed), key=lambda priority: priority.rank),
        expected_improvement=max(spec.expected_improvement for spec in governed),
        success_probability=max(spec.success_probability for spec in governed),
        settle_seconds=max(spec.settle_seconds for spec in governed),
        module=governed[0].module,
        locks=frozenset().union(*(spec.locks for spec in governed)),
        governs=tuple(spec.lever_id for spec in governed),
    )


def policy_levers(levers: Iterable[Lever]) -> list[PolicyLever]:
    """One for each element that has regulated levers, in their order."""
    governed: dict[str, list[LeverSpec]] = {}
    for lever in levers:
        if lever.spec.mode is Mode.REGULATED:
            governed.setdefault(lever.spec.element, []).append(lever.spec)
    return [PolicyLever(policy_spec(specs)) for specs in governed.values()]
