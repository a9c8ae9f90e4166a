"""The sensor that asks a Prometheus server for the present value of a PromQL query. Called by `monitor` when it is due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from trimtab.domain.errors import SensorError
from trimtab.domain.metrics import Reading, Series
from trimtab.systems.net import Answer, Net, NoAnswer, clean_url
from trimtab.systems.prometheus.options import PrometheusOptions


class QuerySensor:
    """One series name, one reading for each label set that the query yields. An empty result is missing; NaN is passed on."""

    def __init__(self, options: PrometheusOptions, element: str, net: Net) -> None:
        self.series_name = options.name or ""
        self.name = f"prometheus query {self.series_name}"
        self.element = element
        self.interval = options.interval_seconds
        self._options = options
        self._net = net
        self._url = f"{(options.server or '').rstrip('/')}/api/v1/query"
        self._source = f"prometheus {clean_url(options.server or '')}"

    @property
    def metric_names(self) -> Sequence[str]:
        """The one series."""
        return [self.series_name]

    async def read(self, now: float) -> Sequence[Reading]:
        """Ask once. Raises `SensorError` where the server does not answer, or cannot answer: that tells nothing of it."""
        try:
            answer = await self._net.fetch(
                self._url,
                params={"query": self._options.query or ""},
                headers=self._options.headers,
                timeout_seconds=self._options.timeout_seconds,
            )
            found = list(_values(_data(answer)))
        except NoAnswer as error:
            raise SensorError(f"{self.name}: {error.message}", remedy=error.remedy) from error
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise SensorError(f"{self.name}: {clean_url(self._url)} answered in a form that is not Prometheus' own") from error
        return [
            Reading(Series.named(self.series_name, self.element, labels, source=self._source), value, now)
            for labels, value in found
        ]

    async def close(self) -> None:
        """Nothing is held: connections belong to `Net`."""


def _data(answer: Answer) -> Mapping[str, object]:
    """The `data` of a successful answer; the server's own words otherwise (a query with a mistake is HTTP 400 with JSON)."""
    if not answer.ok and "json" not in answer.headers.get("content-type", ""):
        answer.require_ok()
    document = answer.json()
    if not isinstance(document, dict):
        raise TypeError("not an object")
    if document.get("status") != "success" or not answer.ok:
        raise NoAnswer(
            f"{answer.url} answered: {document.get('error') or f'HTTP {answer.status}'}",
            remedy="Try the query in Prometheus itself",
        )
    data = document["data"]
    if not isinstance(data, dict):
        raise TypeError("no data")
    return data


def _values(data: Mapping[str, object]) -> Iterator[tuple[dict[str, str], float]]:
    """Labels and value of each sample of a vector or a scalar."""
    result = data["result"]
    if data["resultType"] == "scalar":
        yield {}, float(result[1])  # type: ignore[index]  # shapes are checked by trying: read() turns what breaks into a sentence
    elif data["resultType"] == "vector":
        for sample in result:  # type: ignore[attr-defined]
            labels = {str(name): str(value) for name, value in sample["metric"].items() if name != "__name__"}
            yield labels, float(sample["value"][1])
    else:
        raise NoAnswer(
            f"the query yields a {data['resultType']}", remedy="Ask for an instant vector or a scalar: drop the [range]"
        )
