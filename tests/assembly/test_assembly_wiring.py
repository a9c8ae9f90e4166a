"""From a configuration to a wired agent: what the YAML says is what the parts hold. Nothing is started."""

from __future__ import annotations

import asyncio

import pytest

from trimtab.assembly import assemble, load_settings, process
from trimtab.assembly.wiring import Stores
from trimtab.domain.errors import ConfigError, JournalCorrupt
from trimtab.domain.levers import Autonomy
from trimtab.loop.schedule import Stage
from trimtab.storage.journal import SqliteJournal
from trimtab.storage.memory import MemoryJournal, MemoryMetricStore
from trimtab.systems.simulated import SimulatedLever

YAML = """\
version: 1
storage: {path: data}
monitoring: {interval_seconds: 7, analysis_interval_seconds: 11, optimization_interval_seconds: 13, execution_interval_seconds: 3}
corrective_action_cooldown_seconds: 42
thresholds: {min_improvement_threshold: 0.2, max_concurrent_actions: 2}
elements:
  - name: web
    depends_on: [shop]
    sensors: [{type: http_json, url: "http://127.0.0.1:9/stats", metrics: {web_p95_seconds: p95}}]
    levers:
      - {name: threads, type: http, url: "http://127.0.0.1:9/threads", kind: integer, bounds: [1, 4], settle_seconds: 5}
      - {name: cache, type: http, url: "http://127.0.0.1:9/c", kind: integer, bounds: [1, 4], settle_seconds: 9, autonomy: ask}
    guards: [{metric_name: web_error_ratio, max: 0.1}]
  - {name: shop, depends_on: [db]}
  - name: db
    levers: [{name: pool, type: http, url: "http://127.0.0.1:9/pool", kind: integer, bounds: [1, 4]}]
goals: [{metric_name: web_p95_seconds, target_value: 0.2, direction: minimize}]
"""


@pytest.fixture
def make(tmp_path):
    """Assemble from YAML; every agent made is closed at the end."""
    made = []

    def build(more="", memory=True):
        path = tmp_path / "trimtab.yaml"
        path.write_text(YAML + more)
        stores = Stores(MemoryJournal(), MemoryMetricStore()) if memory else None
        made.append(assemble(load_settings(path), stores=stores))
        return made[-1]

    yield build
    for agent in made:
        asyncio.run(agent.close())


def test_everything_that_the_yaml_names_is_there(make):
    parts = make().parts
    assert [(sensor.element, sensor.name.split()[0]) for sensor in parts.sensors] == [("web", "http_json"), ("trimtab", "self")]
    assert set(parts.executor.levers.states) == {"web/threads", "web/cache", "db/pool"}
    assert parts.periods == {
        Stage.MONITOR: 7.0, Stage.ANALYZE: 11.0, Stage.PLAN: 13.0, Stage.EXECUTE: 3.0, Stage.LEARN: 13.0,
    }  # fmt: skip
    assert (parts.plan_settings.cooldown_seconds, parts.plan_settings.max_concurrent_actions) == (42.0, 2)
    assert parts.plan_settings.min_improvement_threshold == 0.2
    assert parts.settle_by_element["web"] == 9.0
    assert parts.analyzer.named == {"web_p95_seconds", "web_error_ratio"}
    assert (parts.simulated, parts.serve is not None) == (False, True)


def test_locks_follow_depends_on_all_the_way(make):
    specs = {key: state.spec for key, state in make().levers.states.items()}
    assert specs["web/threads"].locks == {"web", "shop", "db"}
    assert specs["db/pool"].locks == {"db"}


@pytest.mark.parametrize("simulate", [True, False])
def test_simulation_puts_a_lever_that_sets_nothing_before_every_real_one(make, simulate):
    agent = make(f"safety: {{simulation_mode: {str(simulate).lower()}}}\n")
    levers = [agent.levers.lever(key) for key in agent.levers.states]
    assert {isinstance(lever, SimulatedLever) for lever in levers} == {simulate}
    assert agent.parts.simulated is simulate


@pytest.mark.parametrize("automatic", [True, False], ids=["automatic", "a person decides"])
def test_the_switch_reaches_the_plan_and_leaves_the_levers_as_declared(make, automatic):
    agent = make(f"safety: {{enable_automatic_actions: {str(automatic).lower()}}}\n")
    specs = {key: state.spec for key, state in agent.levers.states.items()}
    assert agent.parts.plan_settings.enable_automatic_actions is automatic
    assert (specs["web/threads"].autonomy, specs["web/cache"].autonomy) == (Autonomy.ACT, Autonomy.ASK)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_interface_can_be_left_out(make, enabled):
    assert (make(f"api: {{enabled: {str(enabled).lower()}}}\n").parts.serve is not None) is enabled


@pytest.mark.parametrize("key", ["", "a secret"], ids=["without a key", "with a key"])
def test_the_journal_is_chained_with_its_key(make, tmp_path, monkeypatch, key):
    monkeypatch.setenv("JOURNAL_KEY", key)
    more = 'storage: {path: data, journal_key: "${env:JOURNAL_KEY}"}\n' if key else ""
    agent = make(more, memory=False) if not key else _with_key(make, more)
    asyncio.run(agent.journal.note("note", "hello", at=1.0))
    asyncio.run(agent.close())
    assert _verify(tmp_path, key or None) == 1
    with pytest.raises(JournalCorrupt):
        _verify(tmp_path, None if key else "another")


def _with_key(make, more):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(f"{__name__}.YAML", YAML.replace("storage: {path: data}\n", more))
        return make(memory=False)


def _verify(tmp_path, key):
    async def verify():
        journal = SqliteJournal(tmp_path / "data" / "journal.db", key=key.encode() if key else None)
        try:
            return await journal.verify()
        finally:
            await journal.close()

    return asyncio.run(verify())


def test_there_is_one_agent_in_a_process(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text(YAML)
    monkeypatch.setattr(process, "_the_agent", None)
    monkeypatch.setenv("TRIMTAB_CONFIG", str(tmp_path / "mine.yaml"))
    agent = process.get_autonomous_agent()
    try:
        monkeypatch.setenv("TRIMTAB_CONFIG", str(tmp_path / "another.yaml"))
        assert process.get_autonomous_agent() is agent
        assert (tmp_path / "data").is_dir()
    finally:
        asyncio.run(agent.close())


@pytest.mark.parametrize(
    ("given", "variable", "expected"),
    [("a.yaml", "b.yaml", "a.yaml"), (None, "b.yaml", "b.yaml"), (None, None, "trimtab.yaml"), (None, "", "trimtab.yaml")],
    ids=["given", "by the environment", "by default", "an empty variable is none"],
)
def test_which_file_is_read(monkeypatch, given, variable, expected):
    monkeypatch.delenv("TRIMTAB_CONFIG", raising=False)
    if variable is not None:
        monkeypatch.setenv("TRIMTAB_CONFIG", variable)
    assert str(process.config_path(given)) == expected


def test_a_configuration_that_is_not_there_says_so(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load_settings(tmp_path / "nowhere.yaml")
