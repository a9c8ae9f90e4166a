"""What can be said of `type: http_json` sensors and `type: http` levers in the YAML."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from trimtab.config import LeverOptions, SensorOptions
from trimtab.config.parts import MetricName
from trimtab.systems.net import DEFAULT_TIMEOUT_SECONDS, check_url
from trimtab.systems.paths import JsonPath

Url = Annotated[str, AfterValidator(check_url)]


class HttpJsonOptions(SensorOptions):
    """Numbers out of a JSON document that an HTTP GET yields."""

    type: Literal["http_json"] = "http_json"
    url: Url = Field(description="Where the document is.")
    metrics: dict[MetricName, JsonPath] = Field(
        min_length=1, description="Series name → path in the document, such as queue.length."
    )
    headers: dict[str, str] = Field(default_factory=dict, description="Sent with each request.")
    timeout_seconds: float = Field(DEFAULT_TIMEOUT_SECONDS, gt=0, le=60)


class HttpLeverOptions(LeverOptions):
    """A setting behind a URL: GET yields {"value": …}, PUT takes the same and holds it."""

    type: Literal["http"] = "http"
    url: Url = Field(description="The setting's address.")
    headers: dict[str, str] = Field(default_factory=dict, description="Sent with each request, such as Authorization.")
    timeout_seconds: float = Field(DEFAULT_TIMEOUT_SECONDS, gt=0, le=60)
