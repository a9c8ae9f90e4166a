"""The sensor of a file: how old and how large it is, and a number in it. Called by `monitor` when it is due."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from trimtab.domain.errors import SensorError
from trimtab.domain.metrics import Reading, Series
from trimtab.systems.aside import Aside
from trimtab.systems.file.options import FileSensorOptions
from trimtab.systems.file.replace import Original, read
from trimtab.systems.paths import Absent, as_number, follow, parse_path

AGE, SIZE = "file_age_seconds", "file_size_bytes"
TIMEOUT_SECONDS = 5.0  # a network file system may hang


class FileSensor:
    """Age and size, and a number where one is named: NaN for what is none; a key that is not there is missing."""

    def __init__(self, options: FileSensorOptions, element: str) -> None:
        self.name = options.name or f"file {options.path.name}"
        self.element = element
        self.interval = options.interval_seconds
        self._options = options
        self._aside = Aside(self.name)

    @property
    def metric_names(self) -> Sequence[str]:
        """The number's series where it has one, age and size."""
        return [*([self._options.metric] if self._options.metric else []), AGE, SIZE]

    async def read(self, now: float) -> Sequence[Reading]:
        """Read once. Raises `SensorError` where there is no such file, or no JSON in it."""
        original = await self._aside.look(lambda: read(self._options.path), TIMEOUT_SECONDS)
        return list(self._readings(original, now))

    def _readings(self, original: Original, now: float) -> Iterator[Reading]:
        labels = {"path": str(self._options.path)}
        yield Reading(Series.named(AGE, self.element, labels, source=self.name), max(0.0, now - original.about.st_mtime), now)
        yield Reading(Series.named(SIZE, self.element, labels, source=self.name), float(len(original.content)), now)
        if self._options.metric is None:
            return
        try:
            value = self._number(original.content.decode(errors="replace"))
        except Absent:
            return
        yield Reading(Series.named(self._options.metric, self.element, source=self.name), value, now)

    def _number(self, text: str) -> float:
        if self._options.key is None:
            try:
                return float(text.strip())
            except ValueError:
                return float("nan")
        try:
            document = json.loads(text.removeprefix("\ufeff"))
        except (ValueError, RecursionError) as error:
            raise SensorError(
                f"{self.name}: {self._options.path} is no JSON: {error}", remedy="Correct format:, or the file"
            ) from error
        return as_number(follow(document, parse_path(self._options.key)))

    async def close(self) -> None:
        """Nothing is held."""
