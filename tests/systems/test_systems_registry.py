"""The registry: built-in types, plug-ins, and plug-ins that are broken."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from trimtab.domain.errors import ConfigError
from trimtab.domain.levers import LeverSpec
from trimtab.systems.kinds import JobType, LeverType, SensorType
from trimtab.systems.net import Net
from trimtab.systems.registry import GROUP, Registry, registry

PLUG_IN = """
from trimtab.config.options import LeverOptions, SensorOptions
from trimtab.systems.kinds import LeverType, SensorType
class Options(SensorOptions):
    colour: str = "red"
SENSORS = {"lamp": SensorType(Options, lambda options, element, net: (options.colour, element))}
LEVERS = {"dimmer": LeverType(LeverOptions, lambda options, spec, net: spec)}
"""


def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str | None) -> EntryPoint:
    if source is not None:
        (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    return EntryPoint(name, name, GROUP)


def test_built_in_types_are_there_and_name_themselves() -> None:
    found = registry(plug_ins=())
    assert {"host", "prometheus", "http_json", "app", "plant"} <= set(found.sensors)
    assert {"http", "app", "plant"} <= set(found.levers)
    assert found.problems == ()
    options: Mapping[str, type] = {**found.sensor_options, **found.lever_options}
    for name in options:
        assert options[name].model_fields["type"].default == name  # type: ignore[attr-defined]


def test_installed_plug_ins_load_without_problems() -> None:
    assert registry().problems == ()


def test_a_plug_in_adds_its_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = registry([plug_in(tmp_path, monkeypatch, "plug_lamp", PLUG_IN)])
    assert found.problems == ()
    options = found.sensor_options["lamp"].model_validate({"type": "lamp"})
    assert found.build_sensor(options, "hall", Net()) == ("red", "hall")  # type: ignore[comparison-overlap]
    spec = LeverSpec("dim", "hall")
    assert (
        found.build_lever(
            found.lever_options["dimmer"].model_validate({"type": "dimmer", "name": "dim", "bounds": (0, 9)}), spec, Net()
        )
        is spec
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param(None, "No module named", id="not importable"),
        pytest.param("raise RuntimeError('out of order')", "out of order", id="breaks on import"),
        pytest.param("import sys\nsys.exit(3)", "SystemExit: 3", id="exits on import"),
        pytest.param("x = 1", "none of SENSORS, LEVERS and JOBS", id="offers nothing"),
        pytest.param("SENSORS = {'lamp': object()}", "'lamp' is no trimtab.systems.kinds.SensorType", id="wrong values"),
        pytest.param("SENSORS = 3", "AttributeError", id="not a mapping"),
        pytest.param(PLUG_IN.replace('"lamp"', '"host"'), "'host' exists already", id="takes a built-in's name"),
    ],
)
def test_a_broken_plug_in_is_left_out_with_a_sentence(
    source: str | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"plug_{abs(hash(source))}"
    found = registry([plug_in(tmp_path, monkeypatch, name, source)])
    (problem,) = found.problems
    assert name in problem and words in problem and "was left out" in problem
    assert set(found.sensors) == set(registry(plug_ins=()).sensors)


@pytest.mark.parametrize("what", ["sensor", "lever", "job"])
def test_an_unknown_type_is_named_with_the_known_ones(what: str) -> None:
    known: dict[str, Any] = {"sensor": SensorType, "lever": LeverType, "job": JobType}
    one_each = ({name: kind(object, lambda *_: None)} for name, kind in known.items())
    found = Registry(*one_each)
    options = type("Options", (), {"type": "sensro"})()
    build = {"sensor": found.build_sensor, "lever": found.build_lever, "job": found.build_job}[what]
    with pytest.raises(ConfigError, match=rf"no {what} type is called 'sensro'\. Known are: {what}"):
        build(options, LeverSpec("a", "b"), Net())  # type: ignore[arg-type]


def test_collecting_types_imports_no_client() -> None:
    clients = "{'httpx', 'psutil', 'prometheus_client'}"
    code = f"import sys; from trimtab.systems.registry import registry; registry(()); print(sorted({clients} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
