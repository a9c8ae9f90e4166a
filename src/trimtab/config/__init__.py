"""The configuration: one YAML file, the environment on top, every mistake reported at once with its line.

Reads: `trimtab.yaml`, files named by `${file:…}`, and the environment that it is handed. Produces: `Settings`, frozen.
May import: domain, pydantic, ruamel.yaml (only while a file is read). Never: the network, a clock, `os.environ`, another room.
"""

from trimtab.config.loader import load, load_part
from trimtab.config.parts import Part
from trimtab.config.schema import json_schema
from trimtab.config.settings import JobOptions, LeverOptions, SensorOptions, Settings, locks_of

__all__ = ["JobOptions", "LeverOptions", "Part", "SensorOptions", "Settings", "json_schema", "load", "load_part", "locks_of"]
