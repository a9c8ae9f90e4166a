"""The commands without an agent: what the store tells, what a plan from fresh looks says, and every mistake a user can make."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from datetime import datetime

import pytest

from assembly.child_agent import environment, running, service, until, write_config
from trimtab.domain.actions import ActionState
from trimtab.storage.folder import DataFolder
from trimtab.storage.journal import SqliteJournal
from trimtab.testing.records import moved, write_life

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


async def _leave(folder):
    """A journal with a pause that was repeated, a question, and an undo that failed."""
    journal = SqliteJournal(folder.journal_path)
    for kind, actor, at in (("paused", "eve", 1.0), ("resumed", "eve", 2.0), ("paused", "ann", 1e9), ("paused", "bob", 2e9)):
        await journal.note(kind, f"{kind} by {actor}", at=at, actor=actor)
    await write_life(journal, "asked", ActionState.AWAITING_APPROVAL)
    stuck = await write_life(journal, "stuck", ActionState.ROLLBACK_FAILED)
    mended = await write_life(journal, "mended", ActionState.KEPT)
    for record in (stuck, mended):
        await journal.note("frozen", "it was", at=1e9, action_id=record.action_id, data={"lever": "any"})
    await journal.close()
    return stuck


def test_what_waits_for_a_person_is_told_though_the_agent_is_stopped(trimtab, tmp_path):
    folder = DataFolder(tmp_path / "data")
    stuck = asyncio.run(_leave(folder))
    config = write_config(tmp_path, "http://127.0.0.1:9")
    folder.switch_off("to see")
    shown = trimtab("status", "--json", "--config", config).document
    assert {key: shown[key] for key in ("state", "plan", "paused", "paused_by", "paused_since", "pause_file")} == {
        "state": "stopped", "plan": None, "paused": True, "paused_by": "ann", "paused_since": "2001-09-09T01:46:40.000Z",
        "pause_file": str(folder.pause_path),
    }  # fmt: skip
    assert shown["awaiting_approval"] == ["asked"] and shown["frozen_levers"] == {stuck.action.lever_id: stuck.reason}
    assert "trimtab run" in shown["reason"]
    said = trimtab("status", "--config", config).out
    for words in ("by ann since", str(folder.pause_path), "1 question to a person", stuck.action.lever_id, "trimtab run"):
        assert words in "".join(said.splitlines()) or words in said, said
    folder.switch_on()
    assert trimtab("status", "--json", "--config", config).document["pause_file"] is None


def test_nothing_that_waits_is_told_as_nothing(trimtab, left):
    shown = trimtab("status", "--json", "--config", left).document
    fields = ("paused", "paused_by", "paused_since", "pause_file", "frozen_levers", "awaiting_approval")
    assert [shown[field] for field in fields] == [False, None, None, None, {}, []]


def test_a_pause_before_the_first_run_is_told(trimtab, tmp_path):
    DataFolder(tmp_path / "data").switch_off("to see")
    shown = trimtab("status", "--json", "--config", write_config(tmp_path, "http://127.0.0.1:9"))
    assert (shown.code, shown.document["paused"], shown.document["stats"]["total_actions"]) == (0, True, 0)


@pytest.mark.parametrize("command", ["approve", "reject", "rollback", "forecast"])
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


async def _life(journal, *states):
    now = time.time()
    record = await write_life(journal, "earlier", ActionState.SCHEDULED, at=now - 20.0)
    for state in states:
        following = moved(record, state, snapshot=2)  # what it would be taken back to
        await journal.record(following, record.state)
        record = following
    await write_life(journal, "asked", ActionState.AWAITING_APPROVAL, at=now - 5.0)


async def _paused(journal):
    await journal.note("paused", "paused by ann", at=time.time(), actor="ann")


BEGUN = (ActionState.APPLYING, ActionState.SETTLING)


@pytest.mark.parametrize(
    ("leave", "code", "says"),
    [
        pytest.param(_paused, 0, "paused by ann", id="a pause"),
        pytest.param(lambda j: _life(j, *BEGUN), 2, "Awaiting approval: asked", id="a change under way"),
        pytest.param(lambda j: _life(j, *BEGUN, ActionState.ROLLING_BACK), 2, "Awaiting approval: asked", id="an undo under way"),
    ],
)
def test_a_plan_without_an_agent_says_what_the_agent_would_say(trimtab, tmp_path, leave, code, says):
    journal = SqliteJournal(DataFolder(tmp_path / "data").journal_path)
    asyncio.run(leave(journal))
    asyncio.run(journal.close())
    before = {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()}
    with service(20.0) as (shop, url):
        shop.levers["workers"] = 4  # what the earlier run set; only an agent may take it back
        config = write_config(tmp_path, url, about=ACT)
        answer = trimtab("plan", "--config", config)
        assert (answer.code, answer.err) == (code, ""), answer
        assert says in " ".join(answer.out.split()) and "Acting: " not in answer.out, answer.out
        assert shop.puts == []
    assert {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()} == before


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
        ("demo", "--faults", "nope"),
        ("demo", "--faults", ","),
    ],
    ids=" ".join,
)
def test_usage_errors_exit_64_and_show_the_usage(trimtab, arguments):
    answer = trimtab(*arguments)
    assert (answer.code, answer.out) == (64, "")
    assert "Usage" in answer.err and "Traceback" not in answer.err


@pytest.mark.parametrize(("more", "lasts"), [((), None), (("--days", "2"), 2 * 86_400)], ids=["for ever", "two days"])
def test_tokens_are_told_to_a_program_with_times_as_everywhere(trimtab, tmp_path, more, lasts):
    config = write_config(tmp_path, "http://127.0.0.1:9")
    made = trimtab("token", "create", "ann", "--json", *more, "--config", config).document
    (listed,) = trimtab("token", "list", "--json", "--config", config).document
    assert listed == {key: value for key, value in made.items() if key != "token"}
    assert listed["created_at"].endswith("Z") and (listed["expires_at"] is None) is (lasts is None)
    if lasts is not None:
        begun, ends = (datetime.fromisoformat(listed[key]) for key in ("created_at", "expires_at"))
        assert (ends - begun).total_seconds() == pytest.approx(lasts, abs=0.01)
    gone = trimtab("token", "revoke", "ann", "--json", "--config", config).document
    assert gone == {"name": "ann", "revoked": True}
    assert trimtab("token", "list", "--json", "--config", config).document == []


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
