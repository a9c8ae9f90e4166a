"""Defaults are the requirements', whichever way the settings come about."""

import math

import pytest

from trimtab.config import load
from trimtab.config.settings import Settings
from trimtab.domain.metrics import DEFAULT_THRESHOLDS, MetricType

DEFAULTS = [
    ("F2", "collection_interval_seconds", 30),
    ("F2", "analysis_window_minutes", 60),
    ("F2", "anomaly_threshold_stddev", 2.5),
    ("F2", "corrective_action_cooldown_seconds", 300),
    ("F2", "max_concurrent_actions", 3),
    ("F2", "retention_days", 30),
    ("A10", "monitoring.interval_seconds", 30),
    ("A10", "monitoring.analysis_interval_seconds", 60),
    ("A10", "monitoring.optimization_interval_seconds", 300),
    ("A1", "monitoring.execution_interval_seconds", 10),
    ("A10", "thresholds.min_improvement_threshold", 0.05),
    ("A10", "thresholds.max_risk_threshold", 0.7),
    ("A10", "thresholds.max_concurrent_actions", 3),
    ("A10", "safety.enable_automatic_actions", True),
    ("A10", "safety.require_approval_for_critical", True),
    ("A10", "safety.rollback_on_failure", True),
    ("A10", "safety.simulation_mode", False),
    ("design", "version", 1),
    ("design", "timezone", "UTC"),
    ("design", "decision.risk_model", "odds"),
    ("design", "decision.deadband", 0.05),
    ("design", "decision.approval_expiry_seconds", 86400),
    ("design", "decision.verify_seconds", None),
    ("design", "storage.url", None),
    ("design", "storage.journal_key", None),
    ("design", "api.enabled", True),
    ("design", "api.host", "127.0.0.1"),
    ("design", "api.port", 8642),
    ("design", "api.allowed_hosts", ()),
    ("design", "log.level", "info"),
    ("design", "log.file", None),
    ("design", "log.format", "console"),
    ("design", "elements", ()),
    ("design", "goals", ()),
    ("design", "notifications", ()),
]


def at(settings, dotted):
    for part in dotted.split("."):
        settings = getattr(settings, part)
    return settings


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    file = tmp_path_factory.mktemp("defaults") / "trimtab.yaml"
    file.write_text("version: 1\n")
    return load(file, environ={})


@pytest.mark.parametrize(("covers", "key", "value"), DEFAULTS, ids=[f"{row[0]}-{row[1]}" for row in DEFAULTS])
def test_default_of_a_setting(loaded, covers, key, value):
    assert at(loaded, key) == at(Settings(), key) == value
    assert type(at(loaded, key)) is type(value) or isinstance(value, int)


@pytest.mark.parametrize(
    ("kind", "warning", "critical", "lower_is_worse"),
    [
        ("response_time", 1.0, 3.0, False),
        ("error_rate", 0.01, 0.05, False),
        ("memory_usage", 70, 85, False),
        ("cpu_usage", 75, 90, False),
        ("success_rate", 95, 90, True),
    ],
)
def test_default_thresholds_of_a_metric_type_covers_F3(loaded, kind, warning, critical, lower_is_worse):
    limits = loaded.thresholds.by_type()[MetricType(kind)]
    assert (limits.warning, limits.critical, limits.lower_is_worse) == (warning, critical, lower_is_worse)


def test_thresholds_given_replace_one_limit_and_keep_the_rest(tmp_path):
    file = tmp_path / "t.yaml"
    file.write_text("thresholds: {metrics: {cpu_usage: {warning: 60}, throughput: {warning: 20, critical: 10}}}")
    limits = load(file, environ={}).thresholds.by_type()
    assert (limits[MetricType.CPU_USAGE].warning, limits[MetricType.CPU_USAGE].critical) == (60, 90)
    assert limits[MetricType.THROUGHPUT].lower_is_worse
    assert {kind: limits[kind] for kind in DEFAULT_THRESHOLDS if kind is not MetricType.CPU_USAGE} == {
        kind: limit for kind, limit in DEFAULT_THRESHOLDS.items() if kind is not MetricType.CPU_USAGE
    }


@pytest.mark.parametrize(
    "text",
    [
        "collection_interval_seconds: 5\nmax_concurrent_actions: 1",
        "monitoring: {interval_seconds: 5}\nthresholds: {max_concurrent_actions: 1}",
        "collection_interval_seconds: 5\nmonitoring: {interval_seconds: 5.0}\n"
        "max_concurrent_actions: 1\nthresholds: {max_concurrent_actions: 1}",
    ],
    ids=["top-level", "nested", "both-alike"],
)
def test_two_names_of_one_setting_show_one_value_covers_F2(tmp_path, text):
    file = tmp_path / "t.yaml"
    file.write_text(text)
    settings = load(file, environ={})
    assert settings.collection_interval_seconds == settings.monitoring.interval_seconds == 5
    assert settings.max_concurrent_actions == settings.thresholds.max_concurrent_actions == 1
    assert settings.monitoring.analysis_interval_seconds == 60


def test_settings_cannot_be_changed():
    with pytest.raises(Exception, match="frozen"):
        Settings().safety.simulation_mode = True
    with pytest.raises(Exception, match="frozen"):
        Settings().retention_days = 1


def test_settings_built_in_python_obey_the_same_relations():
    with pytest.raises(ValueError, match="one setting"):
        Settings(collection_interval_seconds=5, monitoring={"interval_seconds": 6})
    with pytest.raises(ValueError, match="did you mean 'db'"):
        Settings(elements=[{"name": "db"}, {"name": "web", "depends_on": ["dbb"]}])
    with pytest.raises(ValueError):
        Settings(analysis_window_minutes=math.nan)
