"""The built-in types through the configuration's own loader: what a person writes becomes sensors and levers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from systems.scripted_http import Setting, http_target
from trimtab.config import Settings, load
from trimtab.domain.errors import ConfigError
from trimtab.systems.net import Net
from trimtab.systems.registry import registry

YAML = """
version: 1
elements:
  - name: checkout
    sensors:
      - {{type: host, name: box, paths: [/], interval_seconds: 5}}
      - type: prometheus
        url: "{url}/metrics"
        derive:
          - {{name: checkout_p95_seconds, quantile: 0.95, of: http_request_duration_seconds, where: {{route: /pay}}}}
          - {{name: checkout_error_ratio, ratio: [http_errors_total, http_requests_total]}}
      - {{type: prometheus, name: lag, server: "{url}", query: "max(lag)"}}
      - {{type: http_json, url: "{url}/stats", metrics: {{checkout_queue_length: "queue.length"}}}}
      - {{type: app, socket: ./shop.sock}}
    levers:
      - name: workers
        type: http
        url: "{url}/levers/workers"
        headers: {{Authorization: "Bearer ${{env:SHOP_TOKEN}}"}}
        kind: integer
        bounds: [1, 16]
      - {{name: pool, type: app, app: in-process, bounds: [1, 4]}}
"""


def loaded(tmp_path: Path, text: str) -> Settings:
    found = registry(plug_ins=())
    file = tmp_path / "trimtab.yaml"
    file.write_text(text)
    return load(file, environ={"SHOP_TOKEN": "s3cret-token"}, sensors=found.sensor_options, levers=found.lever_options)


def test_a_written_lever_moves_the_target(tmp_path: Path) -> None:
    setting = Setting(1)
    with http_target(setting) as target:
        settings = loaded(tmp_path, YAML.format(url=target.url))
        types, (element,) = registry(plug_ins=()), settings.elements

        async def run() -> None:
            async with Net() as net:
                sensors = [types.build_sensor(options, element.name, net) for options in element.sensors]
                assert [sensor.element for sensor in sensors] == ["checkout"] * 5
                assert sensors[0].interval == 5.0 and sensors[1].interval is None
                lever = types.build_lever(element.levers[0], element.levers[0].spec("checkout", frozenset()), net)
                await lever.set(8)

        asyncio.run(run())
        assert setting.value == 8
        assert target.requests[0].headers["Authorization"] == "Bearer s3cret-token"
    assert "s3cret" not in repr(settings)


def test_a_socket_is_found_from_the_files_folder(tmp_path: Path) -> None:
    settings = loaded(tmp_path, YAML.format(url="http://127.0.0.1:1"))
    assert settings.elements[0].sensors[4].socket == str(tmp_path / "shop.sock")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        pytest.param("queue.length", "queue..length", "is not a path; write it like", id="path"),
        pytest.param("ratio: [http_errors_total, http_requests_total]", "ratio: [http_errors_total]", "ratio", id="half a ratio"),
        pytest.param('query: "max(lag)"', "metrics: [lag]", "server needs query and name", id="no query"),
        pytest.param("socket: ./shop.sock", "socket: 10.0.0.1:80", "not an address of this machine", id="another machine"),
        pytest.param(", app: in-process", "", "the program is in one place", id="no place"),
        pytest.param("type: host", "type: hots", "no sensor of type", id="misspelt type"),
    ],
)
def test_a_mistake_is_told_with_its_line(wrong: str, right: str, words: str, tmp_path: Path) -> None:
    text = YAML.format(url="http://127.0.0.1:1")
    assert wrong in text
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text.replace(wrong, right))
    (problem,) = caught.value.problems
    assert words in problem and "trimtab.yaml:" in problem
