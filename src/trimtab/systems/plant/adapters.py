"""A plant's levers and metrics behind the ports of real ones. Called by `execute` and `monitor` in simulations."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.domain.errors import LeverError, Permanent, SensorError
from trimtab.domain.levers import LeverSpec, LeverValue
from trimtab.domain.metrics import Reading, Series
from trimtab.domain.ports import Plant
from trimtab.systems.values import as_kind, read_as_kind


class PlantLever:
    """A lever of a plant in this process."""

    def __init__(self, plant: Plant, spec: LeverSpec) -> None:
        self.spec = spec
        self._plant = plant

    async def read(self) -> LeverValue:
        """The value that the plant holds."""
        try:
            raw = self._plant.get(self.spec.name)
        except LeverError:
            raise
        except Exception as error:  # a plant is somebody else's code
            raise Permanent(f"lever {self.spec.lever_id}: the plant cannot tell it: {type(error).__name__}: {error}") from error
        return read_as_kind(self.spec, raw)

    async def set(self, value: LeverValue) -> None:
        """Set it at the plant."""
        wanted = as_kind(self.spec, value)
        try:
            self._plant.set(self.spec.name, wanted)
        except LeverError:
            raise
        except Exception as error:
            raise Permanent(
                f"lever {self.spec.lever_id}: the plant refused {wanted!r}: {type(error).__name__}: {error}"
            ) from error

    async def close(self) -> None:
        """Nothing is held."""


class PlantTime:
    """A plant's own time: it moves in steps of `every` seconds, whoever reads the plant, and however often.

    An extra look between two steps sees the last step again: nothing happens in a plant because somebody looks.
    """

    def __init__(self, plant: Plant, every: float) -> None:
        self._plant, self._every = plant, every
        self._at: float | None = None
        self.last: dict[str, float] = {}  # the metrics of the last step

    def advance(self, now: float) -> float:
        """Step up to `now`; returns when the last step ended, in Unix seconds. The first step ends at the first look."""
        if self._at is None:
            self._step(now)
        while self._at is not None and now - self._at > self._every * (1.0 - 1e-6):
            self._step(self._at + self._every)
        return self._at if self._at is not None else now

    def _step(self, at: float) -> None:
        self.last = {name: float(value) for name, value in self._plant.step(at, self._every).items()}
        self._at = at


class PlantSensor:
    """Moves a plant's time forward to `now` and yields the metrics of its last step."""

    def __init__(self, time: PlantTime, element: str, *, name: str = "plant", interval: float | None = None) -> None:
        self.name = name
        self.element = element
        self.interval = interval
        self._time = time

    @property
    def metric_names(self) -> Sequence[str]:
        """The metrics of the step before; none before the first."""
        return list(self._time.last)

    async def read(self, now: float) -> Sequence[Reading]:
        """Step to `now`. Raises `SensorError` where the plant breaks."""
        try:
            at = self._time.advance(now)
        except Exception as error:  # a plant is somebody else's code
            raise SensorError(f"{self.name}: the plant broke: {type(error).__name__}: {error}") from error
        return [Reading(Series.named(name, self.element, source=self.name), v, at) for name, v in self._time.last.items()]

    async def close(self) -> None:
        """Nothing is held."""
