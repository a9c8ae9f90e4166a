"""Everything that `trimtab doctor` looks at, in the order in which it is told. Looks only: sets, locks and makes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from trimtab.config import Settings
from trimtab.doctor import place, store
from trimtab.doctor.findings import Finding, Mark, Standing, of_error
from trimtab.doctor.targets import count_reads, look_at_targets
from trimtab.domain.actions import ActionRecord
from trimtab.domain.errors import StoreError
from trimtab.systems.registry import Registry


async def examine(
    settings: Settings, types: Registry, standing: Standing, *, loopback: bool, told: Callable[[str], None]
) -> list[Finding]:
    """Every finding. `standing` is what the agent said of itself; `told` hears what is being looked at, in words."""
    began = time.time(), time.monotonic()
    sensors, levers = count_reads(settings)
    told(f"reading the sensors ({sensors}), levers and jobs ({levers})")
    targets = await look_at_targets(settings, types)
    told("checking the journal")
    journal = await store.look_at_journal(settings, lambda rows: told(f"checking the journal: {rows:,} rows hold"))
    told("checking the metric store")
    metrics = store.look_at_metrics(settings)
    status, left, unknown = await _standing(settings, standing, journal)
    return [
        *place.look_at_versions(types.problems),
        *store.look_at_folder(settings),
        *store.look_at_holder(settings, standing),
        place.look_at_port(settings, standing),
        *store.look_at_tokens(settings, loopback),
        *journal,
        metrics,
        place.look_at_log(settings),
        *place.look_at_clock(settings, began),
        place.look_at_notifications(settings),
        *targets,
        *unknown,
        *place.look_at_waiting(status, left, standing.running),
    ]


async def _standing(
    settings: Settings, standing: Standing, journal: Sequence[Finding]
) -> tuple[dict[str, Any], list[ActionRecord], list[Finding]]:
    """What waits for a person: as the agent says, else as the journal says."""
    if standing.status is not None:
        return dict(standing.status), [], []
    try:
        return (*await store.stored_standing(settings), [])
    except StoreError as error:
        if any(finding.mark is not Mark.OK for finding in journal):
            return {}, [], []  # told already: the journal cannot be read
        return {}, [], [of_error("journal", error)]
