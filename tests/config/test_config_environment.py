# ruff: noqa: E501 — one mistake a line reads best
"""Environment variables override scalars, and say so when they cannot."""

import pytest

from trimtab.config import load
from trimtab.domain.errors import ConfigError
from trimtab.domain.metrics import MetricType

OVERRIDES = {
    "number": ("TRIMTAB_API__PORT", "9000", "api.port", 9000),
    "true": ("TRIMTAB_SAFETY__SIMULATION_MODE", "true", "safety.simulation_mode", True),
    "false": ("TRIMTAB_SAFETY__SIMULATION_MODE", "False", "safety.simulation_mode", False),
    "top level": ("TRIMTAB_RETENTION_DAYS", "7", "retention_days", 7),
    "fraction": ("TRIMTAB_THRESHOLDS__MAX_RISK_THRESHOLD", ".5", "thresholds.max_risk_threshold", 0.5),
    "text": ("TRIMTAB_TIMEZONE", "Asia/Tokyo", "timezone", "Asia/Tokyo"),
    "text that looks like a number": ("TRIMTAB_API__HOST", "127", "api.host", "127"),
    "nothing by default": ("TRIMTAB_DECISION__VERIFY_SECONDS", "60", "decision.verify_seconds", 60),
    "a reference is plain text here": ("TRIMTAB_API__HOST", "${env:X}", "api.host", "${env:X}"),
}


def loaded(tmp_path, environ, text="version: 1\nsafety: {simulation_mode: true}\napi: {port: 1000}"):
    (tmp_path / "t.yaml").write_text(text)
    return load(tmp_path / "t.yaml", environ=environ)


def problems(tmp_path, environ, text="version: 1"):
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, environ, text)
    return list(caught.value.problems)


@pytest.mark.parametrize(("name", "text", "key", "value"), OVERRIDES.values(), ids=OVERRIDES.keys())
def test_a_variable_overrides_the_file(tmp_path, name, text, key, value):
    settings = loaded(tmp_path, {name: text, "PATH": "/bin", "TRIMTABX": "1"})
    for part in key.split("."):
        settings = getattr(settings, part)
    assert settings == value and type(settings) in (type(value), float)


def test_limits_of_a_metric_type_can_be_overridden(tmp_path):
    limits = loaded(tmp_path, {"TRIMTAB_THRESHOLDS__METRICS__CPU_USAGE__WARNING": "60"}).thresholds.by_type()
    assert (limits[MetricType.CPU_USAGE].warning, limits[MetricType.CPU_USAGE].critical) == (60, 90)


@pytest.mark.parametrize("name", ["TRIMTAB_TOKEN", "TRIMTAB_CONFIG", "TRIMTAB_REQUIRE_SERVICES"])
def test_variables_of_others_pass(tmp_path, name):
    assert loaded(tmp_path, {name: "anything"}).api.port == 1000


WRONG = {
    "unknown": ({"TRIMTAB_API__PROT": "1"}, "TRIMTAB_API__PROT: there is no such setting; did you mean 'TRIMTAB_API__PORT'?"),
    "one underscore": ({"TRIMTAB_API_PORT": "1"}, "TRIMTAB_API_PORT: there is no such setting; did you mean 'TRIMTAB_API__PORT'?"),
    "small letters": ({"TRIMTAB_api__port": "1"}, "TRIMTAB_api__port: there is no such setting; did you mean 'TRIMTAB_API__PORT'?"),
    "nothing like it": ({"TRIMTAB_QQQQQQ": "1"}, "TRIMTAB_QQQQQQ: there is no such setting; remove it, or see `trimtab config schema` for what there is"),
    "list": ({"TRIMTAB_GOALS__0__WEIGHT": "1"}, "TRIMTAB_GOALS__0__WEIGHT: there is no such setting; lists are set in the file only"),
    "section": ({"TRIMTAB_API": "1"}, "TRIMTAB_API: there is no such setting; did you mean 'TRIMTAB_API__PORT'?"),
    "no number": ({"TRIMTAB_API__PORT": "high"}, "TRIMTAB_API__PORT: api.port: expected a whole number, got 'high'; write a number in digits"),
    "no boolean": ({"TRIMTAB_API__ENABLED": "yes"}, "TRIMTAB_API__ENABLED: api.enabled: expected true or false, got 'yes'; write true"),
    "infinite": ({"TRIMTAB_RETENTION_DAYS": ".inf"}, "TRIMTAB_RETENTION_DAYS: retention_days: expected a whole number, got '.inf'; write a number in digits"),
    "out of range": ({"TRIMTAB_API__PORT": "70000"}, "TRIMTAB_API__PORT: api.port: 70000 is out of range; give at most 65535"),
    "empty": ({"TRIMTAB_API__PORT": ""}, "TRIMTAB_API__PORT: api.port: expected a whole number, got ''; write a number in digits"),
    "unknown word": ({"TRIMTAB_LOG__LEVEL": "INFO"}, "TRIMTAB_LOG__LEVEL: log.level: 'INFO' is not known here; did you mean 'info'?"),
    "not utf-8": ({"TRIMTAB_API__HOST": "\udcff"}, "TRIMTAB_API__HOST: the value is not UTF-8; give it as UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize(("environ", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_variable_is_named(tmp_path, environ, expected):
    assert problems(tmp_path, environ) == [f"environment variable {expected}"]


def test_a_variable_for_one_name_of_a_setting_overrides_the_other_name_in_the_file(tmp_path):
    both = "collection_interval_seconds: 30\nmonitoring: {interval_seconds: 30}"
    for name in ("TRIMTAB_COLLECTION_INTERVAL_SECONDS", "TRIMTAB_MONITORING__INTERVAL_SECONDS"):
        settings = loaded(tmp_path, {name: "5"}, both)
        assert settings.collection_interval_seconds == settings.monitoring.interval_seconds == 5


def test_two_variables_for_one_setting_must_agree(tmp_path):
    (problem,) = problems(tmp_path, {"TRIMTAB_COLLECTION_INTERVAL_SECONDS": "5", "TRIMTAB_MONITORING__INTERVAL_SECONDS": "6"})
    assert "TRIMTAB_COLLECTION_INTERVAL_SECONDS" in problem and "TRIMTAB_MONITORING__INTERVAL_SECONDS" in problem


def test_a_secret_from_the_environment_is_hidden(tmp_path):
    settings = loaded(tmp_path, {"TRIMTAB_STORAGE__JOURNAL_KEY": "hunter22"})
    assert settings.storage.journal_key.get_secret_value() == "hunter22"
    assert "hunter22" not in repr(settings) + settings.redact("key hunter22")


def test_mistakes_of_file_and_environment_come_together(tmp_path):
    found = problems(tmp_path, {"TRIMTAB_API__PORT": "0"}, "version: 1\napi: {host: 3}\nlog: {levle: info}")
    assert [problem.split(": ")[0].rsplit("/")[-1] for problem in found] == [
        "t.yaml:2:13",
        "t.yaml:3:7",
        "environment variable TRIMTAB_API__PORT",
    ]
