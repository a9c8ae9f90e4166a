"""The commands without an agent: what the store tells, what a plan from fresh looks says, and every mistake a user can make."""

from __future__ import annotations

import subprocess
import sys

import pytest

from assembly.child_agent import environment, running, service, until, write_config

ACT = "autonomy: act, risk_level: 0.2, expected_improvement: 0.3"


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """The configuration of an agent that acted and was then stopped."""
    folder = tmp_path_factory.mktemp("left")
    with service(load=6.0) as (shop, url):
        config = write_config(folder, url, about=ACT)
        with running(config):
            until(lambda: shop.puts)
    return config


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("command", ["status", "goals", "actions", "history"])
def test_the_store_answers_for_an_agent_that_is_stopped(trimtab, left, command, form):
    answer = trimtab(command, "--config", left, *form)
    assert (answer.code, answer.err) == (0, "")
    assert answer.document is not None if form else answer.out.strip()


def test_what_the_store_tells(trimtab, left):
    status = trimtab("status", "--json", "--config", left).document
    assert (status["state"], status["active_actions"]) == ("stopped", 0)
    assert "trimtab run" in trimtab("status", "--config", left).out
    assert "up 0 s" not in trimtab("status", "--config", left).out
    actions = trimtab("history", "--json", "--count", 1, "--config", left).document
    assert len(actions) == 1
    tried = [one for one in trimtab("history", "--json", "--config", left).document if one["executed_at"]]
    assert trimtab("explain", tried[0]["action_id"], "--json", "--config", left).document["state"] == "rolled_back"
    assert "Life" in trimtab("explain", tried[0]["action_id"], "--config", left).out
    (goal,) = trimtab("goals", "--json", "--config", left).document
    assert (goal["metric_name"], goal["current_value"], goal["hold"]) == ("shop_p95_seconds", None, "no agent is running")


@pytest.mark.parametrize("command", ["approve", "reject", "rollback"])
def test_what_needs_an_agent_says_how_to_start_one(trimtab, left, command):
    answer = trimtab(command, "some_action", "--config", left)
    assert (answer.code, answer.out) == (1, "")
    assert "no agent answers at http://127.0.0.1:" in answer.err and "trimtab run" in answer.err


@pytest.mark.parametrize("command", ["status", "history", "actions"])
def test_where_no_agent_ever_ran_nothing_is_made(trimtab, tmp_path, command):
    config = write_config(tmp_path, "http://127.0.0.1:9")
    answer = trimtab(command, "--config", config)
    assert answer.code == 1 and "No agent has run" in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["trimtab.yaml"]


@pytest.mark.parametrize(("load", "code", "says"), [(6.0, 2, "Acting: "), (1.0, 0, "No action: ")], ids=["missed", "met"])
def test_plan_from_fresh_looks_sets_nothing_and_tells_by_its_code(trimtab, tmp_path, load, code, says):
    with service(load) as (shop, url):
        config = write_config(tmp_path, url, about=ACT)
        answer = trimtab("plan", "--config", config)
        assert (answer.code, answer.err) == (code, ""), answer
        assert answer.out.split("would decide:\n")[1].startswith(says)
        assert shop.puts == []
    assert not (tmp_path / "data").exists()


def test_a_plan_on_a_service_that_is_gone_holds(trimtab, tmp_path):
    answer = trimtab("plan", "--json", "--config", write_config(tmp_path, "http://127.0.0.1:9"))
    assert answer.code == 0
    assert "HOLD" in answer.document["sentence"] and answer.document["changes"] == []


BROKEN = """\
version: 1
monitoring: {interval_seconds: soon}
elements:
  - name: shop
    levers: [{name: workers, type: htpp}]
goals: [{metric_name: p95_seconds, target_value: 0.2, direction: down}]
"""


@pytest.mark.parametrize(
    "command",
    [("plan",), ("run",), ("goals",), ("config", "validate"), ("token", "list"), ("approve", "a")],
    ids=" ".join,
)
def test_a_broken_configuration_is_told_whole_with_lines(trimtab, tmp_path, command):
    path = tmp_path / "trimtab.yaml"
    path.write_text(BROKEN)
    answer = trimtab(*command, "--config", path)
    assert (answer.code, answer.out) == (1, "")
    for line in (2, 5, 6):
        assert f"{path}:{line}:" in answer.err
    assert "Traceback" not in answer.err
    assert [each.name for each in tmp_path.iterdir()] == ["trimtab.yaml"]


def test_config_validate_and_schema(trimtab, tmp_path):
    good = write_config(tmp_path, "http://127.0.0.1:9")
    answer = trimtab("config", "validate", "--config", good)
    assert answer.code == 0 and "is valid: 1 element, 1 sensor, 2 levers, 1 goal\n" in answer.out
    assert trimtab("config", "validate", "--json", "--config", good).document == {
        "valid": True, "problems": [], "warnings": [],
    }  # fmt: skip
    (tmp_path / "bad.yaml").write_text(BROKEN)
    refused = trimtab("config", "validate", "--json", "--config", tmp_path / "bad.yaml")
    assert refused.code == 1 and refused.err == ""
    assert refused.document["valid"] is False and len(refused.document["problems"]) == 4
    schema = trimtab("config", "schema")
    assert schema.code == 0 and "elements" in schema.document["properties"]


@pytest.mark.parametrize("command", ["status", "run", "plan"])
def test_no_configuration_file_is_a_sentence(trimtab, tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = trimtab(command)
    assert (answer.code, answer.out) == (1, "")
    assert "trimtab.yaml" in answer.err and "Traceback" not in answer.err
    assert list(tmp_path.iterdir()) == []


def test_the_file_can_be_named_by_the_environment(trimtab, tmp_path):
    config = write_config(tmp_path, "http://127.0.0.1:9", name="elsewhere.yaml")
    assert trimtab("config", "validate", TRIMTAB_CONFIG=str(config)).code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("status", "--frobnicate"),
        ("explain",),
        ("history", "--count", "many"),
        ("history", "--count", "0"),
        ("config", "frobnicate"),
        ("token", "create"),
        ("approve", "a", "b"),
    ],
    ids=" ".join,
)
def test_usage_errors_exit_64_and_show_the_usage(trimtab, arguments):
    answer = trimtab(*arguments)
    assert (answer.code, answer.out) == (64, "")
    assert "Usage" in answer.err and "Traceback" not in answer.err


@pytest.mark.parametrize("role", ["owner", ""])
def test_a_role_that_does_not_exist_is_no_traceback(trimtab, tmp_path, role):
    config = write_config(tmp_path, "http://127.0.0.1:9")
    answer = trimtab("token", "create", "ann", "--role", role, "--config", config)
    assert answer.code == 64 and "viewer" in answer.err


def test_version_and_help(trimtab):
    from trimtab import __version__

    assert trimtab("--version").out.strip() == f"trimtab {__version__}"
    helped = trimtab("--help")
    assert helped.code == 0
    for command in ("run", "status", "goals", "actions", "plan", "approve", "reject", "rollback", "pause", "resume", "history",
                    "explain", "config", "token", "demo"):  # fmt: skip
        assert f" {command} " in helped.out


def test_a_reader_that_goes_away_is_no_traceback(left):
    """`trimtab … | head -1`"""
    command = [sys.executable, "-m", "trimtab", "config", "schema"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        process.wait(20)


def test_a_real_process_exits_with_the_same_codes(tmp_path):
    config = write_config(tmp_path, "http://127.0.0.1:9")
    run = [sys.executable, "-m", "trimtab"]
    codes = [
        subprocess.run([*run, *more], capture_output=True, env=environment(), timeout=30).returncode
        for more in (["frobnicate"], ["status", "--config", str(config)], ["--version"])
    ]
    assert codes == [64, 1, 0]
