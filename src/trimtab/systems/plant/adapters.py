"""A plant's levers and metrics behind the ports of real ones. Called by `execute` and `monitor` in simulations."""

from __future__ import annotations

from collections.abc import Sequence

from trimtab.domain.errors import LeverError, Permanent, SensorError
from trimtab.domain.levers import LeverSpec, LeverValue
from trimtab.domain.metrics import Reading, Series
from trimtab.domain.ports import Plant
from trimtab.systems.values import as_kind, read_as_kind

FIRST_STEP_SECONDS = 1.0  # how long the first step is, where no interval tells


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


class PlantSensor:
    """Moves a plant's time forward to `now` and yields the metrics of that step. Reading twice at one instant moves nothing."""

    def __init__(self, plant: Plant, element: str, *, name: str = "plant", interval: float | None = None) -> None:
        self.name = name
        self.element = element
        self.interval = interval
        self._plant = plant
        self._at: float | None = None
        self._last: dict[str, float] = {}

    @property
    def metric_names(self) -> Sequence[str]:
        """The metrics of the step before; none before the first."""
        return list(self._last)

    async def read(self, now: float) -> Sequence[Reading]:
        """Step to `now`. Raises `SensorError` where the plant breaks."""
        dt = (self.interval or FIRST_STEP_SECONDS) if self._at is None else now - self._at
        if dt > 0.0:
            self._last, self._at = self._step(now, dt), now
        return [Reading(Series.named(name, self.element, source=self.name), value, now) for name, value in self._last.items()]

    def _step(self, now: float, dt: float) -> dict[str, float]:
        try:
            return {name: float(value) for name, value in self._plant.step(now, dt).items()}
        except Exception as error:  # a plant is somebody else's code
            raise SensorError(f"{self.name}: the plant broke: {type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Nothing is held."""
