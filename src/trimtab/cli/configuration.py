"""`trimtab config`: check the file, print the schema."""

from __future__ import annotations

from pathlib import Path

from trimtab.cli import show
from trimtab.domain.errors import ConfigError


def validate(config: Path | None, json: bool) -> int:
    """0 where the configuration can be used; 1, with every mistake and its line, where not."""
    from trimtab.assembly import load_settings
    from trimtab.assembly.process import config_path

    try:
        settings = load_settings(config)
    except ConfigError as error:
        if not json:
            raise
        show.as_json({"valid": False, "problems": list(error.problems) or [str(error)]})
        return 1
    if json:
        show.as_json({"valid": True, "problems": []})
        return 0
    counts = {
        "element": len(settings.elements),
        "sensor": sum(len(element.sensors) for element in settings.elements),
        "lever": sum(len(element.levers) for element in settings.elements),
        "goal": len(settings.goals),
    }
    parts = ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items())
    show.line(f"{config_path(config)} is valid: {parts}")
    return 0


def schema() -> int:
    """The JSON schema of the configuration with every installed system."""
    from trimtab.config import json_schema
    from trimtab.systems.registry import registry

    types = registry()
    show.as_json(json_schema(types.sensor_options, types.lever_options, types.job_options))
    return 0
