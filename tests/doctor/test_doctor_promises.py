"""Goals and guards that speak of a metric which nobody yields."""

from __future__ import annotations

import pytest

from trimtab.config import load
from trimtab.doctor.promises import Promised, promised, unpromised, unserved, with_readings
from trimtab.systems.registry import registry

TYPES = registry(plug_ins=())
DERIVE = "derive: [{name: shop_p95_seconds, quantile: 0.95, of: x_seconds}]"
SENSORS = {
    "named": f'{{type: prometheus, url: "http://127.0.0.1:9/metrics", metrics: [queue], {DERIVE}}}',
    "every gauge": f'{{type: prometheus, url: "http://127.0.0.1:9/metrics", {DERIVE}}}',
    "json": '{type: http_json, url: "http://127.0.0.1:9/", metrics: {shop_p95_seconds: p95}}',
    "a server": '{type: prometheus, server: "http://127.0.0.1:9", query: up, name: shop_p95_seconds}',
    "a program": "{type: app, socket: ./shop.sock}",
    "part of a program": "{type: app, socket: ./shop.sock, metrics: [shop_p95_seconds]}",
}


def settings_with(folder, sensor: str, metric: str = "shop_p95_seconds", more: str = "", guard: str = ""):
    path = folder / "trimtab.yaml"
    guards = f"\n    guards: [{{metric_name: {guard}, max: 1}}]" if guard else ""
    path.write_text(
        f"version: 1\nelements:\n  - name: shop\n    sensors: [{SENSORS[sensor]}]{guards}\n"
        "  - {name: db, sensors: [{type: host}]}\n"
        f"goals: [{{metric_name: {metric}, target_value: 1, direction: minimize{more}}}]\n"
    )
    return load(path, environ={}, sensors=TYPES.sensor_options, levers=TYPES.lever_options, jobs=TYPES.job_options)


def missing(settings):
    return [(each.subject, each.remedy) for each in unpromised(settings, promised(settings, TYPES))]


@pytest.mark.parametrize("sensor", SENSORS)
def test_what_a_sensor_promises_is_no_mistake(tmp_path, sensor):
    assert missing(settings_with(tmp_path, sensor)) == []


@pytest.mark.parametrize("sensor", [name for name in SENSORS if name != "a program"])
def test_a_slip_of_the_pen_is_told_with_what_was_meant(tmp_path, sensor):
    ((subject, remedy),) = missing(settings_with(tmp_path, sensor, "shop_p95_second"))
    assert (subject, remedy) == ("goal shop_p95_second", "did you mean shop_p95_seconds?")


@pytest.mark.parametrize(
    ("sensor", "told"),
    [
        ("named", True),
        ("json", True),
        ("a server", True),
        ("part of a program", True),
        ("every gauge", False),
        ("a program", False),
    ],
)
def test_a_name_unlike_all_others_is_told_where_no_sensor_takes_whatever_there_is(tmp_path, sensor, told):
    assert bool(missing(settings_with(tmp_path, sensor, "wombats", ", element: shop"))) is told


@pytest.mark.parametrize(
    ("metric", "more", "remedy"),
    [
        ("host_load_1m", "", None),
        ("host_load_1m", ", element: db", None),
        ("host_load_1m", ", element: shop", "element: db"),
        ("trimtab_memory_bytes", "", None),
        ("wombats", "", "add a sensor"),
    ],
)
def test_the_element_counts_and_the_agent_watches_itself(tmp_path, metric, more, remedy):
    found = missing(settings_with(tmp_path, "named", metric, more))
    assert (found == []) if remedy is None else remedy in found[0][1]


def test_guards_count_too_and_have_their_place(tmp_path):
    settings = settings_with(tmp_path, "named", guard="shop_error_ratio")
    (found,) = unpromised(settings, promised(settings, TYPES))
    assert found.path == ("elements", 0, "guards", 0, "metric_name") and found.subject == "guard shop_error_ratio"


def test_once_everything_was_read_there_is_no_doubt_left(tmp_path):
    settings = settings_with(tmp_path, "every gauge", "wombats", ", element: shop")
    before = promised(settings, TYPES)
    assert unpromised(settings, before) == []
    assert unpromised(settings, with_readings(before, {"shop": {"up", "queue"}}))
    assert unpromised(settings, with_readings(before, {"shop": {"up", "wombats"}})) == []
    assert unpromised(settings, with_readings(before, {"db": {"up"}})) == [], "shop was not read"


def test_a_promise_is_a_value():
    assert Promised("a", frozenset({"x"})) == Promised("a", frozenset({"x"}), open=False)


LEVER = "{name: workers, type: file, path: ./x.json, key: workers, format: json, kind: integer, bounds: [1, 8]%s}"


@pytest.mark.parametrize(
    ("element", "lever", "goal", "said"),
    [
        pytest.param("shop", None, "queue", "there is no lever and no job", id="none at all"),
        pytest.param("shop", "", "queue", None, id="on the element that has the metric"),
        pytest.param("db", "", "queue", "could serve any goal", id="on another element"),
        pytest.param("db", ", moves: {queue: down}", "queue", None, id="on another one, and says that it moves it"),
        pytest.param("shop", None, None, None, id="without goals nothing is missed"),
    ],
)
def test_goals_that_no_lever_could_serve(tmp_path, element, lever, goal, said):
    path = tmp_path / "trimtab.yaml"
    levers = {element: f", levers: [{LEVER % lever}]"} if lever is not None else {}
    goals = f"goals: [{{metric_name: {goal}, target_value: 1, direction: minimize}}]\n" if goal else ""
    path.write_text(
        f"version: 1\nelements:\n  - {{name: shop, sensors: [{SENSORS['named']}]{levers.get('shop', '')}}}\n"
        f"  - {{name: db, sensors: [{{type: host}}]{levers.get('db', '')}}}\n{goals}"
    )
    settings = load(path, environ={}, sensors=TYPES.sensor_options, levers=TYPES.lever_options, jobs=TYPES.job_options)
    found = unserved(settings, promised(settings, TYPES))
    assert found is None if said is None else found is not None and said in found[0]
