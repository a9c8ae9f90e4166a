"""`trimtab doctor`: look at everything, say what is wrong and how to mend it. Changes nothing, whether an agent runs or not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.cli import client, show
from trimtab.cli.words import causes
from trimtab.domain.errors import ConfigError, TrimtabError

if TYPE_CHECKING:
    from trimtab.config import Settings
    from trimtab.doctor.findings import Finding, Standing


def doctor(config: Path | None, json: bool) -> int:
    """0: all is well, or there are warnings only; 1: something does not work."""
    from trimtab.doctor.findings import Mark

    findings = _findings(config, json)
    if json:
        show.as_json(_document(findings))
    else:
        _tell(findings)
    return 1 if any(finding.mark is Mark.FAILS for finding in findings) else 0


def _findings(config: Path | None, json: bool) -> list[Finding]:
    from trimtab.assembly.process import config_path, load_settings
    from trimtab.doctor.findings import of_error, ok
    from trimtab.systems.registry import registry

    path = config_path(config)
    if not path.exists():
        return _without(path)
    try:
        settings = load_settings(config)
    except ConfigError as error:
        return _broken(error, config)
    try:
        found = asyncio.run(_examine(settings, registry(), json))
    except TrimtabError as error:
        found = [of_error("doctor", error)]
    counts = f"{show.counted(len(settings.elements), 'element')}, {show.counted(len(settings.goals), 'goal')}"
    simulated = "; simulation mode: nothing is really set" if settings.safety.simulation_mode else ""
    return [_redacted(each, settings) for each in (ok("config", f"{path}: {counts}{simulated}"), *found)]


async def _examine(settings: Settings, types: Any, quiet: bool) -> list[Finding]:
    from trimtab.api.server import is_loopback
    from trimtab.doctor.examine import examine

    with show.busy("asking the agent", hidden=quiet) as told:
        standing = await asyncio.to_thread(_ask_the_agent, settings)
        found = await examine(settings, types, standing, loopback=is_loopback(settings.api.host), told=told)
    return [*found, *_holds(standing)]


def _ask_the_agent(settings: Settings) -> Standing:
    from trimtab.doctor.findings import Standing

    address = client.url_of(settings)
    try:
        return Standing(running=True, status=client.call(settings, "GET", "/agent/status"), address=address)
    except (client.NotRunning, client.Silent) as error:
        stranger = isinstance(error, client.Stranger | client.Silent)
        return Standing(why=error.message, remedy=error.remedy, address=address, stranger=stranger)
    except TrimtabError as error:
        return Standing(running=True, why=error.message, remedy=error.remedy or "look at its log", address=address)


def _holds(standing: Standing) -> list[Finding]:
    """Why the running agent decides nothing, one finding for each cause."""
    from trimtab.doctor.findings import warning

    told = (standing.status or {}).get("holds", ())
    remedy = "nothing is done that would rest on it; `trimtab status` shows it until it is over"
    return [warning("hold", f"{about}: {why}" if why else about, remedy) for about, why in causes(told)]


def _without(path: Path) -> list[Finding]:
    from trimtab.doctor.findings import fails
    from trimtab.doctor.place import look_at_versions
    from trimtab.systems.registry import registry

    return [
        *look_at_versions(registry().problems),
        fails(
            "config", f"there is no {path}", "`trimtab init` looks at this machine and writes one; --config FILE names another"
        ),
    ]


def _broken(error: ConfigError, config: Path | None) -> list[Finding]:
    """Every mistake is a finding: where, what, and what to do."""
    from trimtab.doctor.findings import fails, of_error
    from trimtab.doctor.place import look_at_versions
    from trimtab.systems.registry import registry

    found = list(look_at_versions(registry().problems))
    for problem in error.problems:
        what, _, remedy = problem.partition("; ")
        found.append(fails("config", what, remedy))
    found += [] if error.problems else [of_error("config", error)]
    return [*found, *_still_running(config)]


def _still_running(config: Path | None) -> list[Finding]:
    """With mistakes in the file an agent that runs goes on with what it has loaded."""
    from trimtab.assembly.process import load_to_reach
    from trimtab.doctor.findings import ok

    try:
        standing = _ask_the_agent(load_to_reach(config))
    except TrimtabError:
        return []
    return [ok("agent", f"running with what it loaded before; it answers at {standing.address}")] if standing.running else []


def _redacted(finding: Finding, settings: Settings) -> Finding:
    from dataclasses import replace

    return replace(finding, what=settings.redact(finding.what), remedy=settings.redact(finding.remedy))


def _tell(findings: Sequence[Finding]) -> None:
    show.findings([(each.mark.value, each.check, each.what, each.remedy) for each in findings])
    counts = Counter(each.mark.value for each in findings)
    parts = [
        f"{counts['ok']} well",
        f"{counts['warning']} to know" if counts["warning"] else "",
        f"{counts['fails']} to mend" if counts["fails"] else "",
    ]
    show.line("")
    style = "red" if counts["fails"] else "yellow" if counts["warning"] else "green"
    show.line(", ".join(part for part in parts if part), f"bold {style}")


def _document(findings: Sequence[Finding]) -> dict[str, Any]:
    worst = next((mark for mark in ("fails", "warning") if any(each.mark.value == mark for each in findings)), "ok")
    return {
        "status": worst,
        "findings": [
            {"check": each.check, "mark": each.mark.value, "what": each.what, "remedy": each.remedy} for each in findings
        ],
    }
