"""The demo's service and its clients as processes: real effects, levers that hold, no orphans."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from trimtab.demo.faults import World
from trimtab.demo.load import RATES
from trimtab.demo.scene import scene
from trimtab.demo.setup import HARMFUL, PARTS


def ask(url, value=None):
    body = None if value is None else json.dumps({"value": value}).encode()
    request = urllib.request.Request(url, data=body, method="GET" if body is None else "PUT")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def wait_until(condition, seconds=15.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def stage():
    with scene(duration=90.0) as it:
        yield it


@pytest.mark.parametrize(
    ("name", "value"),
    [("workers", 3), ("fetch_ahead", 2), ("cache_pages", 128), ("batch_size", 4), ("log_level", "info")],
    ids=str,
)
def test_a_lever_reads_back_what_it_was_set_to(stage, name, value):
    url = f"{stage.service_url}/levers/{name}"
    before = stage.read_lever(name)
    try:
        assert json.loads(ask(url, value)) == {"value": value} == json.loads(ask(url))
        assert stage.read_lever(name) == value != before
    finally:
        ask(url, before)


@pytest.mark.parametrize(
    ("path", "value", "status"),
    [("workers", 0, 422), ("workers", 65, 422), ("workers", True, 422), ("workers", "2", 422), ("fetch_ahead", 65, 422),
     ("log_level", "loud", 422), ("nothing", 1, 404)],
    ids=str,
)  # fmt: skip
def test_a_lever_refuses_what_it_cannot_hold(stage, path, value, status):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        ask(f"{stage.service_url}/levers/{path}", value)
    assert refusal.value.code == status
    assert stage.read_lever("workers") == 2


@pytest.mark.parametrize("path", ["orders?n=3", "page?n=3", "score?n=3", "item?n=3"], ids=str)
def test_every_part_answers(stage, path):
    assert ask(f"{stage.service_url}/{path.replace('page', 'metrics') if 'page' in path else path}")
    with urllib.request.urlopen(f"{stage.service_url}/{path}", timeout=10) as answer:
        assert answer.status == 200 and answer.read()


def test_the_configuration_is_valid_and_its_names_are_the_service_s_own(stage):
    from trimtab.assembly import load_settings

    settings = load_settings(stage.config)
    assert [element.name for element in settings.elements] == list(PARTS)
    levers = [lever for element in settings.elements for lever in element.levers]
    assert {lever.name for lever in levers} == {"cache_pages", "batch_size", "workers", "log_level", "fetch_ahead"}
    for lever in levers:
        held = stage.read_lever(lever.name)
        spec = lever.spec("any", frozenset())
        assert spec.allows(held)
    assert HARMFUL[0].split("/")[1] in {lever.name for lever in levers}
    page = ask(f"{stage.service_url}/metrics")
    for element in settings.elements:
        for derived in element.sensors[0].derive:
            for name in derived.ratio or (f"{derived.of}_bucket",):
                assert f"\n{name}" in page, name


def test_the_service_starts_healthy_under_the_clients_own_rates(stage):
    wait_until(lambda: all(stage.counters.lately(part, 4.0) is not None for part in PARTS.values()))
    wait_until(lambda: all(stage.counters.meets(part, 4.0) for part in PARTS.values()), 30.0)


def test_the_world_is_told_and_comes_back(stage):
    from trimtab.systems.prometheus.derive import Derivation

    asked = Derivation("r", rate="scoring_requests_total")

    def rate():
        return stage.counters.value(asked, time.time() - 3.5, time.time())

    wait_until(lambda: (rate() or 0.0) > 0.5 * RATES["scoring"])
    stage.change(World("", {}, {"scoring": 2.0}))
    wait_until(lambda: 0.0 < (rate() or 99.0) < 0.5 * RATES["scoring"])
    stage.change(World("", {}, {"scoring": RATES["scoring"]}))
    wait_until(lambda: (rate() or 0.0) > 0.5 * RATES["scoring"])


def test_the_scene_leaves_nothing_behind():
    with scene(duration=30.0) as it:
        folder, children = it.folder, (it.service, it.clients)
        assert folder.exists()
    assert not folder.exists()
    assert all(child.poll() is not None for child in children)
    with pytest.raises(OSError):
        ask(f"{it.service_url}/metrics")


def test_where_the_demo_is_killed_the_service_ends_and_takes_the_folder_along(tmp_path):
    folder = tmp_path / "demo"
    folder.mkdir()
    command = [sys.executable, "-m", "trimtab.demo.workload", "--folder", str(folder), "--duration", "30"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert json.loads(child.stdout.readline())["port"] > 0
        assert list(folder.iterdir())
        child.stdin.close()
        assert child.wait(timeout=10.0) == 0
        assert not folder.exists()
    finally:
        child.kill()
        child.stdout.close()
        child.wait()
