"""Every command against a running agent. The tests of this file tell one story, top down, on one agent."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from assembly.child_agent import environment, until

READS = ["status", "goals", "forecast", "actions", "history", "plan"]
PROPOSED = 2  # what `plan` exits with here: the site has a lever that asks, and its goal is missed


@pytest.mark.parametrize("command", READS)
def test_json_is_one_document_and_nothing_else(site, command):
    answer = site(command, "--json")
    assert answer.err == ""
    assert answer.code == (PROPOSED if command == "plan" else 0)
    assert isinstance(answer.document, list if command in ("goals", "forecast", "actions", "history") else dict)


@pytest.mark.parametrize("command", READS)
def test_piped_output_is_plain_and_has_no_blanks_at_the_end_of_lines(site, command):
    answer = site(command)
    assert (answer.code, answer.err) == (PROPOSED if command == "plan" else 0, "")
    assert "\x1b" not in answer.out
    assert [line for line in answer.out.splitlines() if line != line.rstrip()] == []
    assert "shop_p95_seconds" in answer.out or "workers_increase" in answer.out


def test_what_a_real_pipe_gets_is_the_same(site):
    command = [sys.executable, "-m", "trimtab", "status", "--json", "--config", str(site.config)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["state"] == "running"


def test_on_a_terminal_words_are_coloured_and_tables_keep_to_its_width(site):
    """A real pseudo-terminal, 100 columns wide."""
    import pty

    parent, child = pty.openpty()
    command = [sys.executable, "-m", "trimtab", "history", "--config", str(site.config)]
    process = subprocess.Popen(command, stdout=child, stderr=child, stdin=child, env=environment(COLUMNS="100", TERM="xterm"))
    os.close(child)
    seen = b""
    try:
        while chunk := os.read(parent, 65536):
            seen += chunk
    except OSError:  # the other side is closed
        pass
    assert process.wait(10) == 0
    os.close(parent)
    assert b"\x1b[1;36mawaiting approval" in seen
    lines = _plain(seen.decode()).splitlines()
    assert max(map(len, lines)) <= 100 + len(str(site.config)) + 60  # the command to copy stands on a line of its own
    assert max(len(line) for line in lines if not line.startswith("trimtab approve")) <= 100
    assert any(action_id in line for line in lines for action_id in site.actions("awaiting_approval"))


def _plain(text):
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_status_names_the_goal_and_how_it_stands(site):
    document = site("status", "--json").document
    assert document["state"] == "running" and document["pending_actions"] == 2
    mine = [(goal["metric"], goal["achieved"]) for goal in document["goals"] if goal["element"] == "shop"]
    assert mine == [("shop_p95_seconds", False)]
    assert " 0.2 s " in site("goals").out, "values have their unit"
    assert "missed" in site("status").out and "missed" in site("goals").out


def test_actions_shows_what_awaits_an_answer_with_the_command_to_give_it(site):
    answer = site("actions")
    for one in site("actions", "--json").document:
        assert f"trimtab approve {one['action_id']} --plan-hash {one['plan_hash']}" in answer.out
        assert "the autonomy of" in answer.out
        change = f"{one['parameters']['lever']} {one['parameters']['from']} → {one['parameters']['to']}"
        assert f"{change}: for shop_p95_seconds, " in answer.out and " s now; the goal is at most 0.2 s" in answer.out
        assert f"{change}: " in site("history").out
    assert answer.out.startswith("Under way and awaiting an answer\n")


def test_explain_says_why_without_saying_it_twice(site):
    (action_id, *_) = site.actions("awaiting_approval")
    out = site("explain", action_id).out
    assert "decision  ask: the autonomy of" in out
    assert "asks: " not in out and "ask: asks" not in out
    document = site("explain", action_id, "--json").document
    assert document["action_id"] == action_id


@pytest.mark.parametrize("command", ["explain", "approve", "reject", "rollback"])
def test_an_unknown_action_is_one_sentence_with_a_remedy(site, command):
    answer = site(command, "nobody")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("trimtab: ") and answer.err.count("\n") == 1
    assert "nobody" in answer.err and "Traceback" not in answer.err
    assert "trimtab history" in answer.err


@pytest.mark.parametrize("command", ["explain", "approve", "reject", "rollback"])
def test_the_beginning_of_an_id_has_four_characters_at_least(site, command):
    (action_id, *_) = site.actions("awaiting_approval")
    answer = site(command, action_id[:3])
    assert (answer.code, answer.out) == (1, "")
    assert "too short" in answer.err and "4 characters" in answer.err and action_id in answer.err
    assert action_id in site.actions("awaiting_approval")


def test_a_question_is_not_taken_back_but_declined(site):
    for action_id in site.actions("awaiting_approval"):
        answer = site("rollback", action_id[:5])
        assert (answer.code, answer.out) == (1, "")
        assert f"{action_id} awaits an answer" in answer.err and f"`trimtab reject {action_id}` declines it" in answer.err
    assert len(site.actions("awaiting_approval")) == 2


def test_a_wrong_plan_hash_is_refused(site):
    (action_id, *_) = site.actions("awaiting_approval")
    answer = site("approve", action_id, "--plan-hash", "0000000000000000")
    assert answer.code == 1
    assert "has the hash" in answer.err
    assert action_id in site.actions("awaiting_approval")


def test_pause_and_resume(site):
    assert site("pause").code == 0
    assert site("status", "--json").document["state"] == "paused"
    assert site("resume", "--json").document["state"] != "paused"
    assert site("status", "--json").document["paused"] is False


def test_reject_ends_a_question_and_a_second_answer_is_refused(site):
    action_id = next(one for one in site.actions("awaiting_approval") if one.startswith("cache"))
    answer = site("reject", action_id, "--json")
    assert (answer.code, answer.document["state"]) == (0, "rejected")
    again = site("reject", action_id)
    assert again.code == 1 and "does not await approval" in again.err


def test_approve_lets_it_run_to_its_end_and_rollback_takes_it_back(site):
    action_id = next(one for one in site.actions("awaiting_approval") if one.startswith("workers"))
    answer = site("approve", action_id)
    assert answer.code == 0 and f"{action_id} is" in answer.out
    until(lambda: action_id in [*site.actions("kept"), *site.actions("kept_on_probation")], 25.0)
    out = site("explain", action_id).out
    for word in ("trigger", "decision", "verdict", "approved", "Life", "applying", "kept"):
        assert word in out
    assert site("rollback", action_id).code == 0
    until(lambda: action_id in site.actions("rolled_back"))
    assert site.shop.levers["workers"] == 2
    again = site("rollback", action_id)
    assert again.code == 1 and "nothing to take back" in again.err


def test_tokens_close_the_interface_to_who_has_none(site):
    """Last in the story: from the first token on every request needs one."""
    made = site("token", "create", "ann", "--json").document
    assert (made["name"], made["role"]) == ("ann", "operator")
    assert [one["name"] for one in site("token", "list", "--json").document] == ["ann"]
    assert made["token"] not in site("token", "list").out
    for variables, words in (({}, "asks for a token"), ({"TRIMTAB_TOKEN": "tt_wrong"}, "does not know the token")):
        answer = site("approve", "nobody", **variables)
        assert (answer.code, answer.out) == (1, "")
        assert words in answer.err and "trimtab token create" in answer.err and answer.err.count("\n") == 1
    assert site("status", "--json", TRIMTAB_TOKEN=made["token"]).code == 0
    viewer = site("token", "create", "bob", "--role", "viewer").out.strip()
    forbidden = site("approve", "nobody", TRIMTAB_TOKEN=viewer)
    assert forbidden.code == 1 and "'viewer'" in forbidden.err and "--role operator" in forbidden.err
    assert site("token", "create", "ann").code == 1  # the name is taken
    assert site("token", "revoke", "ann").code == 0
    assert site("status", TRIMTAB_TOKEN=made["token"]).code == 1
    assert site("token", "revoke", "ann").code == 1
