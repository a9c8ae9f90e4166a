"""`pause`, `resume` and `reload` as a person in a hurry uses them: the agent hung, gone, locked, or fine."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest

from assembly.child_agent import running, service, until, write_config
from assembly.child_agent import trimtab as child_trimtab
from cli.conftest import call
from trimtab.cli import client, switching
from trimtab.storage.folder import DataFolder


def pid(site):
    return int(json.loads((site.config.parent / "data" / "agent.lock").read_text())["pid"])


@pytest.fixture
def stopped(tmp_path):
    """A configuration whose agent does not run, and its data folder."""
    config = write_config(tmp_path, "http://127.0.0.1:9")
    (tmp_path / "data").mkdir(mode=0o700)
    return config, tmp_path / "data"


def test_pause_and_resume_name_who_did_it(site):
    assert site("pause").out == "the agent is paused\n"
    shown = site("status", "--json").document
    assert (shown["state"], shown["paused"], shown["paused_by"]) == ("paused", True, "local 127.0.0.1")
    assert shown["paused_since"].endswith("Z") and any("paused by local 127.0.0.1 since" in hold for hold in shown["holds"])
    said = site("status").out
    assert "paused" in said and "by local 127.0.0.1 since" in said and "`trimtab resume`" in said
    assert site("resume").code == 0
    assert site("status", "--json").document["paused_by"] is None


def test_an_undo_with_nothing_under_way_says_so(site):
    assert site("pause", "--undo").out == "the agent is paused\nnothing was under way\n"
    assert site("resume").code == 0


def test_an_undo_takes_back_what_is_under_way(site):
    action_id = next(one for one in site.actions("awaiting_approval") if one.startswith("workers"))
    assert site("approve", action_id).code == 0
    until(lambda: site.shop.levers["workers"] != 2)
    answer = site("pause", "--undo", "--json").document
    assert (answer["state"], answer["taken_back"]) == ("paused", [action_id])
    assert site.shop.levers["workers"] == 2
    told = site("explain", action_id, "--json").document
    assert (told["state"], told["actor"]) == ("rolled_back", "trimtab"), "nobody said no to this change"
    assert told["rollback_reason"] == "paused by local 127.0.0.1, with what was under way taken back"
    assert site("resume").code == 0


def test_with_the_agent_hung_the_file_does_it_and_resume_removes_it(site):
    path = site.config.parent / "data" / "PAUSE"
    os.kill(pid(site), signal.SIGSTOP)
    try:
        began = time.monotonic()
        answer = site("pause")
        assert time.monotonic() - began < switching.PAUSE_PATIENCE + 2.0
        assert answer.code == 0 and "did not answer" in answer.out and str(path) in answer.out
        assert path.exists()
    finally:
        os.kill(pid(site), signal.SIGCONT)
    until(lambda: site("status", "--json").document["state"] == "paused")
    shown = site("status", "--json").document
    assert (shown["paused"], shown["pause_file"]) == (True, str(path))
    assert f"paused by the file {path}; remove it to go on" in shown["holds"]
    assert f"by the file {path}" in site("status").out
    answer = site("resume")
    assert answer.code == 0 and f"{path} was removed" in answer.out and not path.exists()
    assert site("status", "--json").document["paused"] is False


@pytest.mark.parametrize("undo", [True, False])
def test_with_no_agent_there_the_file_waits_for_one(stopped, undo):
    config, data = stopped
    answer = call("pause", *(["--undo"] if undo else []), "--config", config)
    assert (answer.code, answer.out) == (1, "")  # nobody was paused, and that is no success
    assert "nobody was paused" in answer.err and "no agent answers" in answer.err and str(data / "PAUSE") in answer.err
    assert (data / "PAUSE").read_text().startswith("paused by `trimtab pause`")
    again = call("pause", "--json", "--config", config).document
    assert (again["state"], again["pause_file"]) == ("stopped", str(data / "PAUSE"))
    assert call("status", "--json", "--config", config).document["pause_file"] == again["pause_file"]
    resumed = call("resume", "--json", "--config", config)
    assert (resumed.code, resumed.document["pause_file"]) == (0, str(data / "PAUSE"))
    assert not (data / "PAUSE").exists()
    answer = call("resume", "--config", config)  # there is nothing left to go on with
    assert (answer.code, answer.out) == (1, "") and "no agent answers" in answer.err


def test_with_neither_an_agent_nor_a_folder_it_says_so(tmp_path):
    answer = call("pause", "--config", write_config(tmp_path, "http://127.0.0.1:9"))
    assert (answer.code, answer.out) == (1, "")
    assert "no agent answers" in answer.err and "there is no data folder" in answer.err and "Traceback" not in answer.err


@pytest.mark.parametrize("command", [("pause",), ("resume",), ("reload",)], ids=" ".join)
def test_a_file_that_cannot_be_read_at_all_is_told_whole(tmp_path, command):
    config = tmp_path / "trimtab.yaml"
    config.write_text("api: [\n")
    answer = call(*command, "--config", config)
    assert answer.code == 1 and f"{config}:" in answer.err and "Traceback" not in answer.err


def test_a_half_edited_file_does_not_keep_one_from_pausing(stopped):
    config, data = stopped
    config.write_text(config.read_text().replace("elements:", "elemnts:") + "\nnonsense: 1\n")
    assert call("pause", "--config", config).code == 1
    assert (data / "PAUSE").exists()


def test_an_agent_that_nobody_can_reach_is_paused_by_the_file_and_that_is_a_success(stopped):
    config, data = stopped
    with DataFolder(data).lock():
        answer = call("pause", "--undo", "--config", config)
        assert (answer.code, answer.err) == (0, "") and "nothing new starts while it is there" in answer.out
        assert "was not taken back" in answer.out
        assert call("pause", "--json", "--config", config).document["state"] == "paused"


@pytest.mark.parametrize("json", [True, False])
def test_a_pause_that_reaches_another_folder_than_the_agents_is_no_success_and_names_the_agent(site, json, tmp_path):
    """`storage.path` was edited, and not reloaded yet."""
    (tmp_path / "data2").mkdir(mode=0o700)
    edited = tmp_path / "edited.yaml"
    edited.write_text(site.config.read_text().replace("path: data}", f"path: {tmp_path / 'data2'}}}"))
    answer = call("pause", *(["--json"] if json else []), "--config", edited)
    assert answer.code == 1 and "nobody was paused" in answer.err
    assert f"(process id {pid(site)} on {site.config.parent / 'data'})" in answer.err
    assert (tmp_path / "data2" / "PAUSE").exists()
    assert answer.document["state"] == "stopped" if json else answer.out == ""
    assert site("status", "--json").document["paused"] is False


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"state": "paused"}, 0),
        ({"state": "starting", "paused": True}, 0),
        ({"state": "running"}, 1),
        ({}, 1),
        ([], 1),
        ({"state": "running", "paused": "false"}, 1),
    ],
    ids=str,
)
def test_an_answer_that_does_not_say_paused_is_no_pause(stopped, monkeypatch, said, code):
    config, data = stopped
    monkeypatch.setattr(client, "call", lambda *args, **kwargs: said)
    with DataFolder(data).lock():
        answer = call("pause", "--config", config)
    assert answer.code == code and (data / "PAUSE").exists() is (code == 1)


def test_reload_with_nothing_new_says_so(site):
    answer = site("reload")
    assert (answer.code, answer.out) == (0, "nothing has changed since the configuration was loaded\n")
    assert site("reload", "--json").document["changes"] == []


@pytest.mark.parametrize("lives", [True, False])
def test_a_reload_while_the_agent_makes_way_for_the_next_is_told_as_that(stopped, lives):
    config, data = stopped
    with DataFolder(data).lock() if lives else nullcontext():
        answer = call("reload", "--config", config)
    assert (answer.code, answer.out) == (1, "")
    assert ("a reload, or a start, is under way" in answer.err) is lives
    assert ("Start it with `trimtab run`" in answer.err) is not lives


def test_three_reloads_at_once_are_one_and_the_others_hear_of_it(tmp_path):
    with service() as (_, url):
        config = write_config(tmp_path, url)
        with running(config):
            config.write_text(config.read_text().replace("target_value: 0.2", "target_value: 0.3"))
            with ThreadPoolExecutor() as pool:
                done = list(pool.map(lambda _: child_trimtab("reload", "--config", config), range(3)))
    assert 0 in [each.returncode for each in done]
    for each in done:
        assert each.stdout.startswith(("reloaded: ", "nothing has changed")) if each.returncode == 0 else not each.stdout
        assert ("under way" in each.stderr) is (each.returncode != 0)
        assert "no agent answers" not in each.stderr and "did not answer" not in each.stderr


def test_without_a_token_that_is_asked_for_the_switch_still_works(site):
    """Last in the story: from the first token on every request needs one."""
    token = site("token", "create", "ann", "--json").document["token"]
    answer = site("pause")
    path = site.config.parent / "data" / "PAUSE"
    assert answer.code == 0 and "asks for a token" in answer.out and path.exists()
    assert site("resume", TRIMTAB_TOKEN=token).code == 0
    assert not path.exists()
    assert site("pause", TRIMTAB_TOKEN=token).out == "the agent is paused\n"
    assert site("status", "--json", TRIMTAB_TOKEN=token).document["paused_by"] == "ann"
