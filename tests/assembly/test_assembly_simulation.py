"""Simulations: the same agent, nothing real, one seed one story; whatever is wrong with a plant is said."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from trimtab.assembly import load_settings
from trimtab.assembly.simulation import plant_of, simulate
from trimtab.config import load
from trimtab.domain.errors import ConfigError
from trimtab.domain.metrics import Health
from trimtab.plants import ServicePlant
from trimtab.systems.registry import registry

EXAMPLE = Path(__file__).parents[2] / "examples" / "simulate.yaml"


def run(seed=0, seconds=3600.0, plant=None):
    return asyncio.run(simulate(load_settings(EXAMPLE), plant or plant_of("service", seed), seconds))


def test_a_surge_is_met_and_the_story_is_the_same_each_time():
    def story():
        import numpy as np

        found = run(plant=ServicePlant(np.random.default_rng(5), fault_at=1800.0, noise=0.03), seconds=5400.0)
        return [(r.action_id, r.state, r.reason) for r in found.records], dict(found.totals.sums), found

    one, sums, found = story()
    assert (one, sums) == story()[:2]
    assert any(record.success for record in found.records)
    assert found.goals[0].achieved
    assert 0.0 < found.missed_seconds[found.goals[0].goal.goal_id] < 1200.0


def test_time_moves_in_whole_intervals_and_extra_looks_show_nothing_new():
    class Steps:
        def __init__(self):
            self.seen = []

        def get(self, lever):
            return 4

        def set(self, lever, value):
            pass

        def step(self, now, dt):
            self.seen.append((now, dt))
            return {"shop_p95_seconds": 50.0, "shop_error_ratio": 0.001}  # far too slow: critical, so looked at again

    plant = Steps()
    found = run(plant=plant, seconds=600.0)
    assert {dt for _, dt in plant.seen} == {10.0}
    assert {b - a for (a, _), (b, _) in zip(plant.seen, plant.seen[1:], strict=False)} == {10.0}
    assert found.totals.steps == len(plant.seen) == 60
    assert found.goals[0].trust.health is Health.OK


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        pytest.param("cluster", "Shipped are batches, cache", id="no such plant"),
        pytest.param("no_module_of_that_name:Plant", "cannot be imported", id="no such module"),
        pytest.param("json:Plant", "has no Plant", id="no such class"),
        pytest.param("string:ascii_letters", "is no class", id="no class"),
        pytest.param("json:JSONDecoder", "lacks get, set, step", id="no plant"),
        pytest.param("zipfile:ZipFile", "cannot be made", id="wants arguments"),
    ],
)
def test_what_is_no_plant_is_told_from_one(wanted, words):
    with pytest.raises(ConfigError) as raised:
        plant_of(wanted, 0)
    assert words in str(raised.value)


def test_real_systems_are_refused_by_name(tmp_path):
    path = tmp_path / "trimtab.yaml"
    path.write_text(
        """version: 1
elements:
  - name: shop
    sensors: [{type: plant}, {type: host}]
    levers: [{name: workers, type: http, url: "http://127.0.0.1:1/workers", bounds: [1, 4]}]
"""
    )
    types = registry(plug_ins=())
    settings = load(path, environ={}, sensors=types.sensor_options, levers=types.lever_options, jobs=types.job_options)
    with pytest.raises(ConfigError) as raised:
        asyncio.run(simulate(settings, ServicePlant(), 60.0))
    assert "shop: sensor of type host" in str(raised.value)
    assert "shop: lever of type http" in str(raised.value)


def test_the_command_takes_a_plant_from_the_folder_where_it_is_started(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from trimtab.plants import ServicePlant\nclass Mine(ServicePlant):\n"
        "    def __init__(self, seed):\n        super().__init__(fault_at=600.0)\n        self.seed = seed\n"
        "    def step(self, now, dt):\n        return {**super().step(now, dt), 'shop_seed': float(self.seed)}\n"
    )
    command = [sys.executable, "-c", "from trimtab.cli import main; main()", "simulate", "--plant", "mine:Mine", "--seed", "7",
               "--config", str(EXAMPLE), "--duration", "1200", "--json"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert document["metrics"]["shop_seed"] == 7.0
    assert document["totals"]["steps"] == 120
    assert document["totals"]["sums"]["shop_seed"] == 840.0
    assert {"actions", "goals", "metrics", "totals"} == set(document)
