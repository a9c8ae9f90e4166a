"""`trimtab config`: check the file, print the schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.cli import show
from trimtab.domain.errors import ConfigError

if TYPE_CHECKING:
    from trimtab.config import Settings


def validate(config: Path | None, json: bool) -> int:
    """0 where the configuration can be used; 1, with every mistake and its line, where not."""
    from trimtab.assembly import load_settings
    from trimtab.assembly.process import config_path

    try:
        settings = load_settings(config)
    except ConfigError as error:
        if not json:
            raise
        show.as_json({"valid": False, "problems": list(error.problems) or [str(error)], "warnings": []})
        return 1
    warnings = _warnings(settings, config_path(config))
    if json:
        show.as_json({"valid": True, "problems": [], "warnings": warnings})
        return 0
    counts = {
        "element": len(settings.elements),
        "sensor": sum(len(element.sensors) for element in settings.elements),
        "lever": sum(len(element.levers) for element in settings.elements),
        "goal": len(settings.goals),
    }
    parts = ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items())
    show.line(f"{config_path(config)} is valid: {parts}")
    for warning in warnings:
        show.line(f"warning: {warning}", "yellow")
    return 0


def _warnings(settings: Settings, path: Path) -> list[str]:
    """What can be used but is hardly meant, each with its line: metrics that no sensor promises, goals that no lever serves."""
    from trimtab.config.yaml_source import read_yaml
    from trimtab.doctor.promises import promised, unpromised, unserved
    from trimtab.systems.registry import registry

    promises = promised(settings, registry())
    found = unpromised(settings, promises)
    document = read_yaml(path) if found else None
    warnings = []
    for each in found:
        place = document.place(each.path) if document is not None else None
        where = f"{path}:{place.line}:{place.column}" if place is not None else str(path)
        warnings.append(f"{where}: {each.what}; {each.remedy}")
    if (lack := unserved(settings, promises)) is not None:
        warnings.append(f"{path}: {'; '.join(lack)}")
    return warnings


def schema() -> int:
    """The JSON schema of the configuration with every installed system."""
    from trimtab.config import json_schema
    from trimtab.systems.registry import registry

    types = registry()
    show.as_json(json_schema(types.sensor_options, types.lever_options, types.job_options))
    return 0
