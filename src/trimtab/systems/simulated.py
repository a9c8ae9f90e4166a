"""The lever that simulation mode puts in front of every real one. Called by `execute` in place of the real one.

That nothing is set is proven here, at the last place before the target, and not by a flag further up: this class has no way to
call the inner lever's `set`.
"""

from __future__ import annotations

from trimtab.domain.levers import LeverSpec, LeverValue
from trimtab.domain.ports import Lever
from trimtab.systems.values import as_kind


class SimulatedLever:
    """Reads pass through until a value is set; from then on that value is read, until what is set is what is really there.

    The inner lever is only ever read and closed.
    """

    def __init__(self, inner: Lever) -> None:
        self.spec: LeverSpec = inner.spec
        self.pretended: LeverValue | None = None  # what was set last; None where nothing was
        self._read, self._close = inner.read, inner.close

    async def read(self) -> LeverValue:
        """The pretended value, or the real one where none was set, or where both are the same again."""
        real = await self._read()
        if self.pretended is not None and self.spec.same(self.pretended, real):
            self.pretended = None
        return real if self.pretended is None else self.pretended

    async def set(self, value: LeverValue) -> None:
        """Remember `value`. Refuses what the real lever would refuse."""
        self.pretended = as_kind(self.spec, value)

    async def close(self) -> None:
        """Close the inner lever."""
        await self._close()
