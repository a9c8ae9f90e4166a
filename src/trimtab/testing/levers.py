"""What every lever keeps. Subclass `LeverConformance` in a test module, provide `make()` and `values`, and pytest runs it all.

class TestMyLever(LeverConformance):
    values = (2, 5)

    async def make(self):
        return MyLever(spec, address)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from unittest import SkipTest

from trimtab.domain.errors import LeverError, Permanent
from trimtab.domain.levers import LeverKind, LeverValue
from trimtab.domain.ports import Lever

_NOT_OF_KIND: dict[LeverKind, tuple[Any, ...]] = {
    LeverKind.INTEGER: ("many", None, True, 2.5, float("nan"), [1]),
    LeverKind.FLOAT: ("much", None, False, float("nan"), float("inf"), {}),
    LeverKind.CHOICE: (None, 3, True, ["a"]),
    LeverKind.BOOLEAN: ("perhaps", None, 7, 0.5),
}


class LeverConformance:
    """The laws of a lever: absolute, idempotent, restorable, typed, and failing only in known ways."""

    values: tuple[LeverValue, LeverValue]  # two settings that the target accepts and that differ

    async def make(self) -> Lever:
        """A lever whose target can be reached. Called inside each test's own event loop."""
        raise NotImplementedError

    async def make_unreachable(self) -> Lever | None:
        """A lever whose target cannot be reached; None where there is no such thing."""
        return None

    async def release(self) -> None:
        """Release what `make` borrowed beside the lever, such as a `Net`."""

    def test_reads_a_value_of_its_kind(self) -> None:
        """What is read is a value of the declared kind."""

        async def law(lever: Lever) -> None:
            value = await lever.read()
            assert lever.spec.same(lever.spec.coerce(value), value)
            assert type(lever.spec.coerce(value)) is type(value)

        self._holds(law)

    def test_holds_what_was_set(self) -> None:
        """A set value is read back."""

        async def law(lever: Lever) -> None:
            for value in self.values:
                await lever.set(value)
                assert lever.spec.same(await lever.read(), value)

        self._holds(law)

    def test_setting_twice_is_the_same_as_once(self) -> None:
        """A repeated set changes nothing more, so that a doubtful one may be sent again."""

        async def law(lever: Lever) -> None:
            await lever.set(self.values[1])
            once = await lever.read()
            await lever.set(self.values[1])
            assert lever.spec.same(await lever.read(), once)

        self._holds(law)

    def test_values_are_absolute(self) -> None:
        """Where the lever stood before does not matter: only the last value counts."""

        async def law(lever: Lever) -> None:
            a, b = self.values
            for value in (a, b, a):
                await lever.set(value)
            assert lever.spec.same(await lever.read(), a)

        self._holds(law)

    def test_restoring_the_snapshot_is_the_identity(self) -> None:
        """Rollback after apply leaves the lever as it was found."""

        async def law(lever: Lever) -> None:
            snapshot = await lever.read()
            for value in self.values:
                await lever.set(value)
                await lever.set(snapshot)
                assert lever.spec.same(await lever.read(), snapshot)

        self._holds(law)

    def test_refuses_what_is_not_of_its_kind(self) -> None:
        """A value of another kind is refused for good, and nothing is changed by it."""

        async def law(lever: Lever) -> None:
            before = await lever.read()
            for value in _NOT_OF_KIND[lever.spec.kind]:
                assert isinstance(await _raised(lever.set(value)), Permanent), f"set({value!r}) must raise Permanent"
            assert lever.spec.same(await lever.read(), before)

        self._holds(law)

    def test_closing_never_raises(self) -> None:
        """Closing twice is harmless."""

        async def law(lever: Lever) -> None:
            await lever.close()
            await lever.close()

        self._holds(law)

    def test_out_of_reach_raises_only_lever_errors(self) -> None:
        """A target that is gone is a LeverError with a sentence, whatever was asked."""

        async def law(lever: Lever) -> None:
            for attempt in (lever.read, lambda: lever.set(self.values[0])):
                error = await _raised(attempt())
                assert isinstance(error, LeverError), f"expected a LeverError, got {error!r}"
                assert str(error)

        self._holds(law, self.make_unreachable)

    def _holds(self, law: Callable[[Lever], Awaitable[None]], make: Callable[[], Awaitable[Lever | None]] | None = None) -> None:
        async def run() -> None:
            lever = await (make or self.make)()
            if lever is None:
                raise SkipTest("there is no such target")
            try:
                await law(lever)
            finally:
                await lever.close()
                await self.release()

        asyncio.run(run())


async def _raised(attempt: Awaitable[object]) -> Exception | None:
    try:
        await attempt
    except Exception as error:
        return error
    return None
