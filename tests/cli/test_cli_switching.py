"""`pause`, `resume` and `reload` as a person in a hurry uses them: the agent hung, gone, locked, or fine."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from assembly.child_agent import until, write_config
from cli.conftest import call
from trimtab.cli import switching


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


def test_an_undo_takes_back_what_is_under_way(site):
    action_id = next(one for one in site.actions("awaiting_approval") if one.startswith("workers"))
    assert site("approve", action_id).code == 0
    until(lambda: site.shop.levers["workers"] != 2)
    answer = site("pause", "--undo", "--json").document
    assert (answer["state"], answer["taken_back"]) == ("paused", [action_id])
    assert site.shop.levers["workers"] == 2
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
    assert answer.code == 0 and "no agent answers" in answer.out
    assert ("was not taken back" in answer.out) is undo
    assert (data / "PAUSE").read_text().startswith("paused by `trimtab pause`")
    again = call("pause", "--json", "--config", config).document
    assert (again["state"], again["file"]) == ("paused", str(data / "PAUSE"))
    assert call("resume", "--config", config).code == 0
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
    assert call("pause", "--config", config).code == 0
    assert (data / "PAUSE").exists()


def test_reload_with_nothing_new_says_so(site):
    answer = site("reload")
    assert (answer.code, answer.out) == (0, "nothing has changed since the configuration was loaded\n")
    assert site("reload", "--json").document["changes"] == []


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
