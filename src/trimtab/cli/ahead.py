"""`trimtab forecast`: what is expected of goals, guards, what can be full, load and cost. Only the running agent can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from trimtab.cli import client, show

POINTS = 12  # rows of one metric's course


def forecast(config: Path | None, metric: str | None, hours: float, json: bool) -> int:
    """One sentence each; of a metric that was named, its course, too."""
    from trimtab.assembly import load_settings

    asked = urlencode({"hours": hours, **({"metric": metric} if metric is not None else {})})
    document = client.call(load_settings(config), "GET", f"/agent/forecast?{asked}")
    if json:
        show.as_json(document)
        return 0
    if not document:
        show.line("Nothing to foretell: no goal, guard, load or priced lever is configured")
    show.facts((" ".join(filter(None, (one["about"], one["element"]))), one["sentence"]) for one in document)
    for one in document if metric is not None else ():
        if one["course"]:
            show.table(one["element"], ("from", "expected", "90 % from", "to"), _rows(one))
    return 0


def _rows(one: dict[str, Any]) -> list[tuple[Any, ...]]:
    name, course = one["metric_name"], one["course"]
    quantities = ([show.quantity(name, step[part]) for part in ("mean", "low", "high")] for step in course)
    rows = [(f"{step['at'][:10]} {step['at'][11:16]}Z", *three) for step, three in zip(course, quantities, strict=True)]
    return rows[:: -(-len(rows) // POINTS)]
