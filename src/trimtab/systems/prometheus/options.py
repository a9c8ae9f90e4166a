"""What can be said of a `type: prometheus` sensor in the YAML."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from trimtab.config import SensorOptions
from trimtab.config.parts import MetricName, Part, rule
from trimtab.domain.errors import UnitMismatch
from trimtab.systems.net import DEFAULT_TIMEOUT_SECONDS, check_url
from trimtab.systems.prometheus.derive import Derivation, factor

Url = Annotated[str, AfterValidator(check_url)]


class DeriveOptions(Part):
    """A series made of counters or a histogram: exactly one of `rate`, `ratio`, or `quantile` with `of`."""

    name: MetricName = Field(description="Name of the series, with its unit at the end, such as checkout_p95_seconds.")
    rate: str | None = Field(None, description="A counter: its increase per second.")
    ratio: tuple[str, str] | None = Field(None, description="Two counters: the increase of the first per increase of the second.")
    quantile: float | None = Field(None, gt=0, le=1, description="The quantile to estimate, 0.95 for p95.")
    of: str | None = Field(None, description="The histogram that the quantile is of, without _bucket.")
    where: dict[str, str] = Field(default_factory=dict, description="Labels that must match; what matches is summed.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in (self.rate, self.ratio, self.quantile)) != 1:
            raise rule("a derived series is made in one way", "give exactly one of rate, ratio, quantile")
        if (self.quantile is None) != (self.of is None):
            raise rule("quantile and of belong together", "e.g. {quantile: 0.95, of: http_request_duration_seconds}")
        try:
            factor(self.derivation())
        except UnitMismatch as error:
            raise rule(error.message, error.remedy.replace("Call", "call")) from None
        return self

    def derivation(self) -> Derivation:
        """The same as a plain value."""
        return Derivation(self.name, self.rate, self.ratio, self.quantile, self.of, self.where)


class PrometheusOptions(SensorOptions):
    """Scrape a target in the Prometheus text format (`url`), or ask a Prometheus server (`server` with `query` and `name`)."""

    type: Literal["prometheus"] = "prometheus"
    url: Url | None = Field(None, description="The target's metrics page.")
    metrics: tuple[MetricName, ...] | None = Field(
        None, description="Names to take as they are, with their labels. Default: every gauge."
    )
    derive: tuple[DeriveOptions, ...] = Field((), description="Series made of counters and histograms.")
    server: Url | None = Field(None, description="A Prometheus server's address.")
    query: str | None = Field(None, description="PromQL; the series is called `name`.")
    headers: dict[str, str] = Field(default_factory=dict, description="Sent with each request.")
    timeout_seconds: float = Field(DEFAULT_TIMEOUT_SECONDS, gt=0, le=60)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.url is None) == (self.server is None):
            raise rule(
                "a prometheus sensor reads one source", "give either url (a target to scrape) or server (with query and name)"
            )
        if self.server is not None and not (self.query and self.name):
            raise rule("server needs query and name", "query is PromQL, name is what the series is called")
        if self.server is not None and (self.metrics is not None or self.derive):
            raise rule("metrics and derive belong to url", "say it in PromQL instead")
        names = [*(self.metrics or ()), *(derived.name for derived in self.derive)]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise rule(f"two series are called {', '.join(doubled)}", "give each a name of its own")
        return self
