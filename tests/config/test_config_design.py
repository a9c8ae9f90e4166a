"""A whole configuration as people write it, and the domain values it becomes."""

import json

import pytest

from trimtab.config import LeverOptions, SensorOptions, json_schema, load, locks_of
from trimtab.config.settings import Settings
from trimtab.domain.direction import Direction
from trimtab.domain.goals import Goal, Guard
from trimtab.domain.levers import ActionPriority, Autonomy, LeverKind, LeverSpec, Reversibility

SHOP = """
version: 1
timezone: Europe/Berlin                    # for windows and quiet hours; storage is UTC
storage: {path: ./trimtab-data}
api: {host: 127.0.0.1, port: 8642}
elements:
  - name: checkout
    sensors:
      - type: prometheus                   # scrape a target
        url: "http://127.0.0.1:9100/metrics"
        derive:
          - {name: checkout_p95_seconds, quantile: 0.95, of: http_request_duration_seconds, where: {route: /pay}}
          - {name: checkout_requests_per_second, rate: http_requests_total}
          - {name: checkout_error_ratio, ratio: [http_errors_total, http_requests_total]}
      - {type: http_json, url: "http://127.0.0.1:9100/stats", metrics: {checkout_queue_length: "queue.length"}}
      - {type: command, argv: ["./queue-depth"], metric: checkout_queue_length}
    levers:
      - name: workers
        type: http
        url: "http://127.0.0.1:9100/levers/workers"
        headers: {Authorization: "Bearer ${env:SHOP}"}
        kind: integer
        bounds: [1, 16]
        step: 1
        mode: tuned
        reversibility: reversible
        autonomy: act
        risk_level: 0.3
        priority: high
        expected_improvement: 0.1
        settle_seconds: 20
        moves: {checkout_p95_seconds: down}
    guards: [{metric_name: checkout_error_ratio, max: 0.01}]
goals: [{metric_name: checkout_p95_seconds, target_value: 0.2, direction: minimize, weight: 1.0}]
notifications: [{url: "slack://…", on: [approval, rollback, failed]}]
"""


@pytest.fixture
def shop(tmp_path):
    (tmp_path / "trimtab.yaml").write_text(SHOP, encoding="utf-8")
    return load(tmp_path / "trimtab.yaml", environ={"SHOP": "hunter22"})


def test_a_whole_configuration_loads_covers_A10(shop):
    (checkout,) = shop.elements
    assert [sensor.type for sensor in checkout.sensors] == ["prometheus", "http_json", "command"]
    assert checkout.sensors[0].derive[2]["ratio"] == ["http_errors_total", "http_requests_total"]
    assert [goal.goal() for goal in shop.goals] == [Goal("checkout_p95_seconds", 0.2, Direction.MINIMIZE)]
    assert [guard.guard("checkout") for guard in checkout.guards] == [Guard("checkout_error_ratio", max=0.01, element="checkout")]
    assert checkout.levers[0].spec("checkout", locks_of(shop, "checkout")) == LeverSpec(
        name="workers",
        element="checkout",
        kind=LeverKind.INTEGER,
        bounds=(1.0, 16.0),
        autonomy=Autonomy.ACT,
        reversibility=Reversibility.REVERSIBLE,
        priority=ActionPriority.HIGH,
        moves=(("checkout_p95_seconds", "down"),),
        locks=frozenset({"checkout"}),
    )


def test_goals_and_guards_take_element_labels_and_aggregate(tmp_path):
    (tmp_path / "t.yaml").write_text(
        "elements:\n- {name: b}\n"
        "- {name: a, guards: [{metric_name: g, min: 1, element: b, where: {z: '1', y: '2'}, aggregate: sum}]}\n"
        "goals: [{metric_name: m, target_value: 5, direction: maximize, weight: 2, element: b, where: {k: v}, aggregate: max}]"
    )
    settings = load(tmp_path / "t.yaml", environ={})
    assert settings.goals[0].goal() == Goal("m", 5, Direction.MAXIMIZE, 2, "b", (("k", "v"),), "max")
    assert settings.elements[1].guards[0].guard("a") == Guard("g", None, 1, "b", (("y", "2"), ("z", "1")), "sum")


@pytest.mark.parametrize(("given", "expected"), [(None, "act"), ("act", "act"), ("ask", "ask"), ("observe", "observe")])
def test_a_lever_acts_unless_told_otherwise(given, expected):
    lever = LeverOptions(type="t", name="l", bounds=(1, 2), autonomy=given)
    assert lever.spec("a", frozenset()).autonomy == expected


def test_locks_are_the_element_all_it_depends_on_and_the_lever_s_own():
    elements = [
        {"name": "web", "depends_on": ["api"]},
        {"name": "api", "depends_on": ["db", "cache"]},
        {"name": "db"},
        {"name": "cache", "depends_on": ["db"]},
        {"name": "batch"},
    ]
    settings = Settings(elements=elements)
    assert locks_of(settings, "web") == {"web", "api", "db", "cache"}
    assert locks_of(settings, "db") == {"db"}
    lever = LeverOptions(type="t", name="l", bounds=(1, 2), locks=("db",))
    assert lever.spec("web", locks_of(settings, "web")).locks == {"web", "api", "db", "cache", "lock:db"}


class Scrape(SensorOptions):
    """Scrape a target."""

    url: str


class Web(LeverOptions):
    """A lever behind HTTP."""

    url: str


class Local(LeverOptions):
    """A lever in a file."""

    file: str


@pytest.mark.parametrize("levers", [{}, {"http": Web}, {"http": Web, "file": Local}], ids=["none", "one", "two"])
def test_the_schema_tells_types_apart(levers):
    schema = json_schema({"scrape": Scrape}, levers)
    assert json.loads(json.dumps(schema))["properties"]["api"]
    assert schema["additionalProperties"] is False
    definitions = schema["$defs"]
    assert definitions["sensors_scrape"]["properties"]["type"]["const"] == "scrape"
    for name, model in levers.items():
        assert definitions[f"levers_{name}"]["properties"]["type"]["const"] == name
        assert definitions[f"levers_{name}"]["description"] == model.__doc__
    if len(levers) == 2:
        items = definitions["ElementSettings"]["properties"]["levers"]["items"]
        assert items["discriminator"]["propertyName"] == "type"
        assert len(items["oneOf"]) == 2


def test_every_setting_has_a_schema_with_its_default():
    properties = json_schema({}, {})["properties"]
    assert set(properties) == set(Settings.model_fields)
    assert properties["corrective_action_cooldown_seconds"]["default"] == 300
