"""What every sensor keeps. Subclass `SensorConformance` in a test module and provide `make()`; pytest runs the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from unittest import SkipTest

from trimtab.domain.errors import SensorError
from trimtab.domain.ports import Sensor


class SensorConformance:
    """The laws of a sensor: promised names only, its own element, the time it was given, and silence that is an error."""

    times: tuple[float, ...] = (1_700_000_000.0, 1_700_000_030.0)  # of the reads; two, since rates need two

    async def make(self) -> Sensor:
        """A sensor whose target can be reached. Called inside each test's own event loop."""
        raise NotImplementedError

    async def make_silent(self) -> Sensor | None:
        """A sensor whose target says nothing usable; None where there is no such thing."""
        return None

    async def release(self) -> None:
        """Release what `make` borrowed beside the sensor, such as a `Net`."""

    def test_yields_something(self) -> None:
        """A target that is well yields readings."""

        async def law(sensor: Sensor) -> None:
            assert [reading for now in self.times for reading in await sensor.read(now)]

        self._holds(law)

    def test_yields_only_what_it_promised(self) -> None:
        """Each reading's name is among `metric_names`, unless none could be promised."""

        async def law(sensor: Sensor) -> None:
            for now in self.times:
                names = {reading.series.name for reading in await sensor.read(now)}
                promised = set(sensor.metric_names)
                assert not promised or names <= promised, f"not promised: {names - promised}"

        self._holds(law)

    def test_readings_are_floats_of_its_element_at_the_time_given(self) -> None:
        """Values are floats (NaN where the target's was none), the element is its own, the timestamp is `now`."""

        async def law(sensor: Sensor) -> None:
            for now in self.times:
                for reading in await sensor.read(now):
                    assert type(reading.value) is float, f"{reading.series.metric_id} is {reading.value!r}"
                    assert reading.series.element == sensor.element
                    assert reading.timestamp == now

        self._holds(law)

    def test_no_series_is_read_twice(self) -> None:
        """One reading for a series in a read."""

        async def law(sensor: Sensor) -> None:
            for now in self.times:
                ids = [reading.series.metric_id for reading in await sensor.read(now)]
                assert len(ids) == len(set(ids))

        self._holds(law)

    def test_has_a_name_and_a_sensible_interval(self) -> None:
        """It can be told apart, and is read at a positive interval or at the agent's own."""

        async def law(sensor: Sensor) -> None:
            assert sensor.name
            assert sensor.interval is None or sensor.interval > 0.0

        self._holds(law)

    def test_silence_is_an_error(self) -> None:
        """No usable answer raises SensorError with a sentence: never a zero, never an empty success."""

        async def law(sensor: Sensor) -> None:
            try:
                readings = await sensor.read(self.times[0])
            except SensorError as error:
                words = str(error)
            else:
                raise AssertionError(f"expected SensorError, got {readings!r}")
            assert words

        self._holds(law, self.make_silent)

    def test_closing_never_raises(self) -> None:
        """Closing twice is harmless."""

        async def law(sensor: Sensor) -> None:
            await sensor.close()
            await sensor.close()

        self._holds(law)

    def _holds(
        self, law: Callable[[Sensor], Awaitable[None]], make: Callable[[], Awaitable[Sensor | None]] | None = None
    ) -> None:
        async def run() -> None:
            sensor = await (make or self.make)()
            if sensor is None:
                raise SkipTest("there is no such target")
            try:
                await law(sensor)
            finally:
                await sensor.close()
                await self.release()

        asyncio.run(run())
