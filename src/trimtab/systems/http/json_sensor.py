"""The sensor that takes numbers out of a JSON document. Called by `monitor` when it is due."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trimtab.domain.errors import SensorError
from trimtab.domain.metrics import Reading, Series
from trimtab.systems.http.options import HttpJsonOptions
from trimtab.systems.net import Net, NoAnswer, clean_url
from trimtab.systems.paths import Absent, as_number, follow, parse_path


class HttpJsonSensor:
    """One reading for each path that the document has; null and what is no number read NaN, an absent path is missing."""

    def __init__(self, options: HttpJsonOptions, element: str, net: Net) -> None:
        self.name = options.name or f"http_json {clean_url(options.url)}"
        self.element = element
        self.interval = options.interval_seconds
        self._options = options
        self._net = net
        source = f"http_json {clean_url(options.url)}"
        self._series = [(Series.named(name, element, source=source), parse_path(path)) for name, path in options.metrics.items()]

    @property
    def metric_names(self) -> Sequence[str]:
        """The series named in the options."""
        return [series.name for series, _ in self._series]

    async def read(self, now: float) -> Sequence[Reading]:
        """Ask once. Raises `SensorError` where no JSON document came."""
        options = self._options
        try:
            answer = await self._net.fetch(
                options.url, headers={"Accept": "application/json"} | options.headers, timeout_seconds=options.timeout_seconds
            )
            document = answer.require_ok().json()
        except NoAnswer as error:
            raise SensorError(f"{self.name}: {error.message}", remedy=error.remedy) from error
        return list(self._found(document, now))

    def _found(self, document: object, now: float) -> Iterator[Reading]:
        for series, steps in self._series:
            try:
                yield Reading(series, as_number(follow(document, steps)), now)
            except Absent:
                continue

    async def close(self) -> None:
        """Nothing is held: connections belong to `Net`."""
