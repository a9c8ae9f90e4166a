"""The demo's service and its clients as processes: real effects, honest measurement, no orphans."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from trimtab.demo.load import ClientSecond, summarize
from trimtab.demo.pool import WorkerPool
from trimtab.demo.scene import Clients, scene
from trimtab.demo.workload import Rejected, Shop


def ask(url, value=None):
    body = None if value is None else json.dumps({"value": value}).encode()
    request = urllib.request.Request(url, data=body, method="GET" if body is None else "PUT")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


@pytest.fixture(scope="module")
def stage():
    with scene(duration=60.0) as it:
        yield it


def test_levers_read_back_what_they_were_set_to(stage):
    url = f"{stage.service_url}/levers"
    try:
        for name, value in (("workers", 3), ("prefetch_pages", 2), ("log_level", "info")):
            assert json.loads(ask(f"{url}/{name}", value)) == {"value": value} == json.loads(ask(f"{url}/{name}"))
            assert stage.read_lever(name) == value
    finally:
        for name, value in (("workers", 1), ("prefetch_pages", 0), ("log_level", "warning")):
            ask(f"{url}/{name}", value)


@pytest.mark.parametrize(
    ("path", "value", "status"),
    [("workers", 0, 422), ("workers", 17, 422), ("workers", True, 422), ("workers", "2", 422), ("prefetch_pages", 25, 422),
     ("log_level", "loud", 422), ("nothing", 1, 404)],
    ids=str,
)  # fmt: skip
def test_a_lever_refuses_what_it_cannot_hold(stage, path, value, status):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        ask(f"{stage.service_url}/levers/{path}", value)
    assert refusal.value.code == status
    assert stage.read_lever("workers") == 1


def test_metrics_are_what_the_configuration_derives_from(stage):
    ask(f"{stage.service_url}/item")
    text = ask(f"{stage.service_url}/metrics")
    for name in ("http_request_duration_seconds_bucket", "http_requests_total", "http_errors_total"):
        assert f"\n{name}" in text
        assert name.removesuffix("_bucket") in stage.config.read_text()


def test_the_configuration_is_valid(stage):
    from trimtab.assembly import load_settings

    settings = load_settings(stage.config)
    assert [lever.name for lever in settings.elements[0].levers] == ["workers", "log_level", "prefetch_pages"]


def test_clients_report_what_they_feel(stage):
    import time

    deadline = time.monotonic() + 10.0
    while stage.clients.last(30.0) is None:
        assert time.monotonic() < deadline, "no report of the clients"
        time.sleep(0.05)
    view = stage.clients.last(30.0)
    assert view.good_per_second > 20
    assert 0.01 < view.p95_seconds < 5


def test_the_scene_leaves_nothing_behind():
    with scene(duration=30.0) as stage:
        folder = stage.folder
        assert folder.exists()
    assert not folder.exists()
    with pytest.raises(OSError):
        ask(f"{stage.service_url}/item")


def test_the_service_ends_with_its_standard_input():
    command = [sys.executable, "-m", "trimtab.demo.workload", "--duration", "30"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert json.loads(child.stdout.readline())["port"] > 0
        child.stdin.close()
        assert child.wait(timeout=5.0) == 0
    finally:
        child.kill()
        child.stdout.close()
        child.wait()


def test_pages_fetched_ahead_cost_real_time():
    import time

    shop = Shop(WorkerPool(1, 4))
    began = time.perf_counter()
    shop.look_up()
    plain = time.perf_counter() - began
    shop.pull("prefetch_pages", 24)
    began = time.perf_counter()
    shop.look_up()
    assert time.perf_counter() - began > plain + 0.1
    with pytest.raises(Rejected):
        shop.pull("prefetch_pages", -1)
    shop.pool.close()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([], None),
        ([ClientSecond(1.0)], None),
        ([ClientSecond(1.0, [0.1] * 99 + [9.0])], (0.1, 100.0, 0.0)),
        ([ClientSecond(1.0, [0.1] * 9 + [9.0] * 1)], (9.0, 10.0, 0.0)),
        ([ClientSecond(1.0, [], errors=3, unsent=1)], (None, 0.0, 1.0)),
        ([ClientSecond(1.0, [0.2], errors=1), ClientSecond(2.0, [0.4], unsent=1)], (0.4, 1.0, 0.5)),
    ],
    ids=["nobody", "silence", "one in a hundred", "one in ten", "all failed", "two seconds"],
)
def test_seconds_become_one_view(seconds, expected):
    view = summarize(seconds)
    assert (view and (view.p95_seconds, view.good_per_second, view.error_ratio)) == expected


def test_a_window_takes_only_its_own_seconds():
    import time

    lines = [json.dumps({"at": float(n), "latencies": [n / 10], "errors": 0, "unsent": 0}) for n in range(1, 6)]
    clients = Clients(iter(lines))
    deadline = time.monotonic() + 5.0
    while clients.between(0.0, 9.0) is None or clients.between(4.0, 9.0) is None:
        assert time.monotonic() < deadline
    assert clients.between(1.0, 3.0).p95_seconds == pytest.approx(0.3)
    assert clients.between(5.0, 9.0) is None
