# ruff: noqa: E501 — one mistake a line reads best
"""Each mistake is named with its place and a way out, and all of them at once."""

from typing import Literal

import pytest
from pydantic import field_validator

from trimtab.config import LeverOptions, Part, SensorOptions, load
from trimtab.domain.errors import ConfigError


class Derived(Part):
    name: str
    rate: str


class ScrapeOptions(SensorOptions):
    url: str
    derive: tuple[Derived, ...] = ()


class HttpOptions(LeverOptions):
    url: str
    retries: int = 3
    method: Literal["PUT", "POST"] = "PUT"


SENSORS, LEVERS = {"prometheus": ScrapeOptions}, {"http": HttpOptions}


def problems(tmp_path, text, environ=None, known=True):
    file = tmp_path / "t.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, environ=environ or {}, sensors=SENSORS if known else {}, levers=LEVERS if known else {})
    assert caught.value.problems
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return [problem.replace(str(file), "t.yaml") for problem in caught.value.problems]


def lever(text):
    return f"elements:\n- name: a\n  levers:\n  - {{name: l, type: http, url: 'http://x', {text}}}\n"


def element(text):
    return f"elements:\n- name: a\n  {text}\n"


ONE_MISTAKE = {
    "unknown key": ("retention_dyas: 3", "t.yaml:1:1: unknown key 'retention_dyas'; did you mean 'retention_days'?"),
    "unknown key within": ("api:\n  prot: 1", "t.yaml:2:3: unknown key 'prot' in api; did you mean 'port'?"),
    "nothing like it": ("log: {zzz: 1}", "t.yaml:1:7: unknown key 'zzz' in log; known here: level, file, format"),
    "unknown sensor": (
        element("sensors: [{type: promtheus, url: x}]"),
        "t.yaml:3:20: elements[0].sensors[0].type: there is no sensor of type 'promtheus'; did you mean 'prometheus'?",
    ),
    "unknown lever": (
        element("levers: [{type: htp, name: l, bounds: [1, 2]}]"),
        "t.yaml:3:19: elements[0].levers[0].type: there is no lever of type 'htp'; did you mean 'http'?",
    ),
    "key of a lever's own model": (
        lever("bounds: [1, 4], retrys: 1"),
        "t.yaml:4:60: unknown key 'retrys' in elements[0].levers[0]; did you mean 'retries'?",
    ),
    "key deep in a sensor's own model": (
        element("sensors: [{type: prometheus, url: x, derive: [{name: n, rat: c, rate: c}]}]"),
        "t.yaml:3:59: unknown key 'rat' in elements[0].sensors[0].derive[0]; did you mean 'rate'?",
    ),
    "number of a lever's own model as text": (
        lever("bounds: [1, 4], retries: '3'"),
        "t.yaml:4:69: elements[0].levers[0].retries: expected a whole number, got '3'; write the number without quotes",
    ),
    "missing in a lever's own model": (
        element("levers: [{type: http, name: l, bounds: [1, 2]}]"),
        "t.yaml:3:12: elements[0].levers[0].url is missing; add it",
    ),
    "enum": (lever("bounds: [1, 4], kind: integr"), "t.yaml:4:66: elements[0].levers[0].kind: 'integr' is not known here; did you mean 'integer'?"),
    "literal": ("log: {level: warn}", "t.yaml:1:14: log.level: 'warn' is not known here; did you mean 'warning'?"),
    "literal in another case": ("log: {level: INFO}", "t.yaml:1:14: log.level: 'INFO' is not known here; did you mean 'info'?"),
    "direction": (
        "goals:\n- {metric_name: m, target_value: 1, direction: minimise}",
        "t.yaml:2:48: goals[0].direction: 'minimise' is not known here; did you mean 'minimize'?",
    ),
    "event": (
        "notifications: [{url: 'slack://x', on: [aproval]}]",
        "t.yaml:1:41: notifications[0].on[0]: 'aproval' is not known here; did you mean 'approval'?",
    ),
    "version": ("version: 2", "t.yaml:1:10: version: 2 is not known here; known here: 1"),
    "time zone": ("timezone: Europe/Berln", "t.yaml:1:11: timezone: there is no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?"),
    "infinity": ("retention_days: .inf", "t.yaml:1:17: .inf is not a number that a setting can have; give a finite number, or remove the key"),
    "not a number": ("api: {port: -.NaN}", "t.yaml:1:13: api.port: expected a whole number, got '-.NaN'; write a number in digits"),
    "nan": ("api: {port: .nan}", "t.yaml:1:13: .nan is not a number that a setting can have; give a finite number, or remove the key"),
    "quoted number": (
        "analysis_window_minutes: '60'",
        "t.yaml:1:26: analysis_window_minutes: expected a number, got '60'; write the number without quotes",
    ),
    "yes": ("safety: {simulation_mode: yes}", "t.yaml:1:27: safety.simulation_mode: expected true or false, got 'yes'; write true without quotes"),
    "quoted boolean": (
        "safety: {simulation_mode: 'false'}",
        "t.yaml:1:27: safety.simulation_mode: expected true or false, got 'false'; write false without quotes",
    ),
    "one for true": ("safety: {simulation_mode: 1}", "t.yaml:1:27: safety.simulation_mode: expected true or false, got 1; write true or false"),
    "boolean for a number": ("api: {port: true}", "t.yaml:1:13: api.port: expected a whole number, got true; give a whole number"),
    "fraction of a count": ("retention_days: 1.5", "t.yaml:1:17: retention_days: expected a whole number, got 1.5; give a whole number"),
    "number for a text": ("api: {host: 1}", "t.yaml:1:13: api.host: expected a text, got 1; put it in quotes"),
    "left empty": ("goals:\n", "t.yaml:1:1: goals: expected a list, got nothing; fill it in, or remove the key"),
    "mapping for a list": ("goals: {a: 1}", "t.yaml:1:8: goals: expected a list, got keys with values; see `trimtab config schema` for its form"),
    "zero period": ("collection_interval_seconds: 0", "t.yaml:1:30: collection_interval_seconds: 0 is out of range; give above 0"),
    "negative period": (
        "monitoring: {analysis_interval_seconds: -1}",
        "t.yaml:1:41: monitoring.analysis_interval_seconds: -1 is out of range; give above 0",
    ),
    "port": ("api: {port: 70000}", "t.yaml:1:13: api.port: 70000 is out of range; give at most 65535"),
    "port 0": ("api: {port: 0}", "t.yaml:1:13: api.port: 0 is out of range; give at least 1"),
    "threshold": (
        "thresholds: {max_risk_threshold: 7}",
        "t.yaml:1:34: thresholds.max_risk_threshold: 7 is out of range; give at most 1",
    ),
    "bounds": (
        lever("bounds: [4, 1]"),
        "t.yaml:4:52: elements[0].levers[0].bounds: the low bound 4 is not below the high bound 1; write them as [low, high]",
    ),
    "no bounds": (
        lever("kind: float"),
        "t.yaml:4:5: elements[0].levers[0]: a lever of kind float needs bounds; "
        "give the lowest and highest value allowed, e.g. bounds: [1, 16]",
    ),
    "broken bounds": (
        lever("bounds: [0.5, 2]"),
        "t.yaml:4:52: elements[0].levers[0].bounds: an integer lever needs whole bounds, got [0.5, 2]; round them, or make the kind float",
    ),
    "switched back though it cannot be": (
        lever("bounds: [1, 4], reversibility: transient, switchback: true"),
        "t.yaml:4:98: elements[0].levers[0].switchback: only a reversible lever can be switched back and forth; "
        "remove switchback, or declare it reversible",
    ),
    "step beyond the range": (
        lever("kind: float, bounds: [0, 0.5]"),
        "t.yaml:4:5: elements[0].levers[0]: the step 1 is larger than the range 0.5 between the bounds; "
        "give a smaller step (it is 1 where none is given)",
    ),
    "step 0": (lever("bounds: [1, 4], step: 0"), "t.yaml:4:66: elements[0].levers[0].step: 0 is out of range; give above 0"),
    "step of an integer": (
        lever("bounds: [1, 4], step: 0.5"),
        "t.yaml:4:66: elements[0].levers[0].step: an integer lever needs a whole step, got 0.5; round it, or make the kind float",
    ),
    "one choice": (
        lever("kind: choice, choices: [big]"),
        "t.yaml:4:67: elements[0].levers[0].choices: a lever of kind choice needs at least two different choices; "
        "e.g. choices: [small, large]",
    ),
    "choices of a number": (
        lever("bounds: [1, 2], choices: [a, b]"),
        "t.yaml:4:69: elements[0].levers[0].choices: a lever of kind integer has no choices; remove them, or make the kind choice",
    ),
    "bounds of a boolean": (
        lever("kind: boolean, bounds: [1, 2]"),
        "t.yaml:4:67: elements[0].levers[0].bounds: a lever of kind boolean has no bounds; remove them, or make the kind integer or float",
    ),
    "regulated": (
        lever("kind: boolean, mode: regulated"),
        "t.yaml:4:65: elements[0].levers[0].mode: a lever of kind boolean has no scale to follow load on; use mode: tuned",
    ),
    "regulation": (
        "elements:\n- name: a\n  levers:\n  - {name: regulation, type: http, url: 'http://x', bounds: [1, 4], mode: regulated}\n",
        "t.yaml:4:12: elements[0].levers[0].name: 'regulation' is the lever that holds the policy of an element with regulated levers; "
        "rename this one",
    ),
    "follows": (
        lever("bounds: [1, 4], cost_per_second: 5.0"),
        "t.yaml:4:77: elements[0].levers[0].cost_per_second: only a regulated lever follows load; "
        "give it mode: regulated, or remove cost_per_second",
    ),
    "database": (
        "storage: {url: 'postgresql://h/d'}",
        "t.yaml:1:16: storage.url: databases are not supported yet in this version; "
        "remove url and keep the data in a folder: storage.path",
    ),
    "name": ("elements: [{name: my shop}]", "t.yaml:1:19: elements[0].name: 'my shop' is not in the right form; use letters, digits, '_', '.' and '-' only"),
    "two elements of one name": (
        "elements:\n- name: a\n- name: a\n",
        "t.yaml:3:9: elements[1].name: two elements are named 'a' (the other: line 2); rename one of them",
    ),
    "two levers of one name": (
        lever("bounds: [1, 2]") + "  - {name: l, type: http, url: x, bounds: [1, 2]}",
        "t.yaml:5:12: elements[0].levers[1].name: two levers are named 'l' (the other: line 4); rename one of them",
    ),
    "dependency": (
        "elements: [{name: db}, {name: web, depends_on: [dbb]}]",
        "t.yaml:1:49: elements[1].depends_on[0]: there is no element 'dbb'; did you mean 'db'?",
    ),
    "circle": (
        "elements:\n- {name: a, depends_on: [b]}\n- {name: b, depends_on: [c]}\n- {name: c, depends_on: [a]}\n",
        "t.yaml:2:26: elements[0].depends_on[0]: elements depend on each other in a circle: a → b → c → a; remove one of these",
    ),
    "depends on itself": (
        "elements: [{name: a, depends_on: [a]}]",
        "t.yaml:1:35: elements[0].depends_on[0]: elements depend on each other in a circle: a → a; remove one of these",
    ),
    "goal of no element": (
        "elements: [{name: shop}]\ngoals: [{metric_name: m, target_value: 1, direction: minimize, element: shp}]",
        "t.yaml:2:73: goals[0].element: there is no element 'shp'; did you mean 'shop'?",
    ),
    "two goals": (
        "goals:\n- {metric_name: m, target_value: 1, direction: minimize, where: {a: b}}\n"
        "- {metric_name: m, target_value: 2, direction: minimize, where: {a: b}}",
        "t.yaml:3:17: goals[1].metric_name: there is already a goal for m (the other: line 2); "
        "keep one, or tell them apart by element or where",
    ),
    "guard without limit": (
        element("guards: [{metric_name: m}]"),
        "t.yaml:3:12: elements[0].guards[0]: a guard needs a limit; give max, min or both",
    ),
    "guard upside down": (
        element("guards: [{metric_name: m, max: 1, min: 2}]"),
        "t.yaml:3:34: elements[0].guards[0].max: min 2 is not below max 1; swap or correct them",
    ),
    "guard of no element": (
        element("guards: [{metric_name: m, max: 1, element: aa}]"),
        "t.yaml:3:46: elements[0].guards[0].element: there is no element 'aa'; did you mean 'a'?",
    ),
    "limits in the wrong order": (
        "thresholds: {metrics: {cpu_usage: {warning: 95}}}",
        "t.yaml:1:35: thresholds.metrics.cpu_usage: warning 95 is beyond critical 90; higher is worse for cpu_usage: swap the two",
    ),
    "limits where lower is worse": (
        "thresholds: {metrics: {success_rate: {warning: 90, critical: 95}}}",
        "t.yaml:1:38: thresholds.metrics.success_rate: warning 90 is below critical 95; lower is worse for success_rate: swap the two",
    ),
    "limits in the wrong unit": (
        "thresholds: {metrics: {error_rate: {warning: 0.5, critical: 5}}}",
        "t.yaml:1:36: thresholds.metrics.error_rate: error_rate is a ratio: 5 is not between 0 and 1; "
        "give it as a ratio, e.g. 0.05 for 5 %",
    ),
    "unknown metric type": (
        "thresholds: {metrics: {cpu_usge: {warning: 1, critical: 2}}}",
        "t.yaml:1:24: thresholds.metrics.cpu_usge: 'cpu_usge' is not known here; did you mean 'cpu_usage'?",
    ),
    "two periods": (
        "collection_interval_seconds: 10\nmonitoring:\n  interval_seconds: 30",
        "t.yaml:1:30: collection_interval_seconds: 10 here, but monitoring.interval_seconds is 30, and the two are one setting "
        "(the other: line 3); keep only one of them",
    ),
    "two limits of actions": (
        "thresholds: {max_concurrent_actions: 2}\nmax_concurrent_actions: 3",
        "t.yaml:2:25: max_concurrent_actions: 3 here, but thresholds.max_concurrent_actions is 2, and the two are one setting "
        "(the other: line 1); keep only one of them",
    ),
    "key twice": ("version: 1\nversion: 1", "t.yaml:2:1: the key 'version' is here twice (the other: line 1); keep only one of them"),
    "tag": ("api: {port: !vault x}", "t.yaml:1:13: the tag !vault means nothing here; remove it"),
    "key that is none": ("? [a]\n: 1", "t.yaml:1:3: a key must be a word; write `key: value`"),
    "half a character": (r'api: {host: "\ud800"}', "t.yaml:1:13: the text holds half a character (a lone \\ud… escape); remove it"),
    "huge number": ("retention_days: 99999999999999999999", "t.yaml:1:17: the number is too large; give one below 2^63"),
    "reference to nothing": ("api: {host: '${env:HOST_X}'}", "t.yaml:1:13: the environment variable HOST_X is not set; set it before trimtab starts, e.g. export HOST_X=…"),
    "reference of an unknown kind": (
        "api: {host: '${vault:x}'}",
        "t.yaml:1:13: cannot read the reference ${vault:x}; write ${env:NAME} or ${file:/path}, or $${ for the letters themselves",
    ),
    "reference to no file": ("api: {host: 'a${file:/no/such}b'}", "t.yaml:1:13: there is no file /no/such; create it, or correct the path"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ONE_MISTAKE.values(), ids=ONE_MISTAKE.keys())
def test_a_mistake_is_named_with_its_place_and_a_way_out(tmp_path, text, expected):
    assert problems(tmp_path, text) == [expected]


def test_all_mistakes_are_reported_at_once(tmp_path):
    parts = [
        "timezone: Mars/Olympus",  # unknown zone
        "retention_dyas: 3",  # unknown key
        "analysis_window_minutes: .inf",  # infinite
        "collection_interval_seconds: 10",  # disagrees with monitoring
        "monitoring: {interval_seconds: 30}",
        "api: {port: '1'}",  # quoted number
        "safety: {simulation_mode: on}",  # no boolean
        "api: {}",  # twice
        "log: {file: '${env:NO_SUCH}'}",  # unresolved
        "elements:",
        "- {name: a, depends_on: [b], levers: [{type: http, name: l, url: x, bounds: [2, 1], extra: 1}]}",  # three at once
        "- {name: a, sensors: [{type: nope}]}",  # twice the name, unknown type
        "goals: [{metric_name: m}, {metric_name: m, direction: up, target_value: 1}]",  # missing twice, double, enum
    ]
    found = problems(tmp_path, "\n".join(parts))
    lines = [int(problem.split(":")[1]) for problem in found]
    assert lines == [1, 2, 3, 4, 6, 7, 8, 9, 11, 11, 11, 12, 12, 13, 13, 13, 13]
    assert len(set(found)) == len(found)


def test_the_error_counts_its_mistakes(tmp_path):
    file = tmp_path / "t.yaml"
    file.write_text("a: 1\nb: 2\n")
    with pytest.raises(ConfigError, match=r"t\.yaml cannot be used: 2 mistakes\n"):
        load(file, environ={})


def test_where_no_types_are_known_any_type_passes_with_its_own_keys(tmp_path):
    file = tmp_path / "t.yaml"
    file.write_text(
        element("sensors: [{type: anything, depth: 3}]") + "  levers: [{type: other, name: l, bounds: [1, 2], x: {y: 1}}]"
    )
    (loaded,) = load(file, environ={}).elements
    assert loaded.sensors[0].depth == 3
    assert loaded.levers[0].x == {"y": 1}
    assert problems(tmp_path, element("sensors: [{type: 5}, {}, 3]"), known=False) == [
        "t.yaml:3:20: elements[0].sensors[0].type: expected a text, got 5; put it in quotes",
        "t.yaml:3:24: elements[0].sensors[1].type is missing; add it",
        "t.yaml:3:28: elements[0].sensors[2]: expected keys with values, got 3; give keys with values",
    ]


class Rate(Part):
    name: str
    rate: str


class Ratio(Part):
    name: str
    ratio: tuple[str, str]


class Either(SensorOptions):
    url: str
    derive: tuple[Rate | Ratio, ...] = ()

    @field_validator("url")
    @classmethod
    def _url(cls, value):
        if not value.startswith("http"):
            raise ValueError("ftp is not spoken; write http://…")
        return value


def test_models_of_a_system_report_their_own_rules_and_unions(tmp_path):
    file = tmp_path / "t.yaml"
    file.write_text(element("sensors: [{type: s, url: 'ftp://', derive: [{name: a, rate: b, ratio: [c, d]}]}]"))
    with pytest.raises(ConfigError) as caught:
        load(file, environ={}, sensors={"s": Either})
    assert [problem.partition(":3:")[2] for problem in caught.value.problems] == [
        "28: elements[0].sensors[0].url: ftp is not spoken; write http://…",
        "57: elements[0].sensors[0].derive[0].rate does not go with the other keys here; remove it, or those that exclude it",
        "66: elements[0].sensors[0].derive[0].ratio does not go with the other keys here; remove it, or those that exclude it",
    ]
