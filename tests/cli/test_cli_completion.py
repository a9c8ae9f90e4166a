"""Beginnings of ids, and what the shell offers at Tab."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest

from assembly.child_agent import environment, running, service, until, write_config
from trimtab.cli import completion
from trimtab.domain.actions import ActionState
from trimtab.storage.folder import DataFolder
from trimtab.storage.journal import SqliteJournal
from trimtab.testing.records import write_life

ASK = "autonomy: ask, risk_level: 0.2, expected_improvement: 0.3"


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """The configuration of an agent, now stopped, that asked about two levers."""
    import json

    from assembly.child_agent import trimtab

    folder = tmp_path_factory.mktemp("asked")
    with service(load=6.0) as (_, url):
        config = write_config(folder, url, about=ASK)
        with running(config):

            def waiting():
                done = trimtab("history", "--json", "--config", config)
                return done.returncode == 0 and [one["state"] for one in json.loads(done.stdout)].count("awaiting_approval") == 2

            until(waiting)
    trimtab("token", "create", "ann", "--config", config)
    trimtab("token", "create", "bob", "--role", "viewer", "--config", config)
    return config


def complete(words, number, **variables):
    """What bash is told for these words with the cursor in word `number`."""
    env = environment(_TRIMTAB_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(number), **variables)
    done = subprocess.run(
        [sys.executable, "-c", "from trimtab.cli import main; import sys; sys.argv[0] = 'trimtab'; main()"],
        capture_output=True, text=True, env=env, timeout=30,
    )  # fmt: skip
    return done.stdout.split(), done.stderr


@pytest.mark.parametrize("command", ["approve", "explain", "reject"])
def test_ids_that_begin_so_are_offered(asked, command):
    offered, err = complete(f"trimtab {command} w", 2, TRIMTAB_CONFIG=str(asked))
    assert err == "" and len(offered) == 1 and offered[0].startswith("workers_increase_")


def test_the_file_named_before_the_id_counts(asked):
    offered, _ = complete(f"trimtab explain --config {asked} ", 4)
    assert {one.split("_")[0] for one in offered} == {"workers", "cache"}


def test_only_what_a_command_can_be_about_is_offered(asked):
    assert completion.actions("rollback", asked, "") == []
    assert {state for _, state in completion.actions("approve", asked, "")} == {"awaiting approval"}


def test_names_of_tokens_are_offered(asked):
    offered, _ = complete("trimtab token revoke a", 3, TRIMTAB_CONFIG=str(asked))
    assert offered == ["ann"]
    assert completion.tokens(asked, "") == [("ann", "operator"), ("bob", "viewer")]


def test_commands_are_offered_and_the_script_is_shown():
    assert complete("trimtab do", 1)[0] == ["doctor"]
    done = subprocess.run(
        ["bash", "-c", '"$0" -m trimtab --show-completion; exit $?', sys.executable],  # the shell that asks is found by looking
        capture_output=True,
        text=True,
        env=environment(),
        timeout=30,
    )
    assert done.returncode == 0 and "COMPREPLY" in done.stdout


@pytest.mark.parametrize("text", [None, "", "- a\n", "storage: 3\n", ": : :", "storage: {path: ./elsewhere}\n"])
def test_a_shell_is_never_told_of_errors(tmp_path, text):
    path = tmp_path / "trimtab.yaml"
    if text is not None:
        path.write_text(text)
    assert completion.actions("explain", path, "") == [] and completion.tokens(path, "") == []


def test_it_is_quick(asked):
    began = time.process_time()
    completion.actions("explain", asked, "w")
    assert time.process_time() - began < 0.15


def test_it_imports_little():
    code = "from trimtab.cli import completion; completion.actions('explain', None, ''); import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=30)
    assert not {"pydantic", "numpy", "httpx", "rich", "trimtab.config"} & set(done.stdout.split())


# -- beginnings of ids


def test_a_beginning_is_enough(trimtab, asked):
    whole = trimtab("history", "--json", "--config", asked).document
    workers = next(one["action_id"] for one in whole if one["action_id"].startswith("workers"))
    assert trimtab("explain", "work", "--json", "--config", asked).document["action_id"] == workers
    assert trimtab("explain", workers, "--json", "--config", asked).document["action_id"] == workers


@pytest.mark.parametrize("command", ["explain", "approve", "reject", "rollback"])
@pytest.mark.parametrize("given", ["", "w"], ids=["nothing", "a letter"])
def test_a_beginning_that_is_too_short_lists_what_it_could_be(trimtab, asked, command, given):
    answer = trimtab(command, given, "--config", asked)
    assert (answer.code, answer.out) == (1, "")
    assert "too short" in answer.err and "workers_increase_" in answer.err
    assert ("cache_increase_" in answer.err) is (given == "")


@pytest.mark.parametrize("command", ["explain", "approve", "reject", "rollback"])
def test_a_beginning_of_several_lists_them(trimtab, tmp_path, command):
    async def leave():
        journal = SqliteJournal(DataFolder(tmp_path / "data").journal_path)
        for number in (1, 2):
            await write_life(journal, f"workers_{number}", ActionState.AWAITING_APPROVAL)
        await journal.close()

    asyncio.run(leave())
    answer = trimtab(command, "work", "--config", write_config(tmp_path, "http://127.0.0.1:9"))
    assert (answer.code, answer.out) == (1, "")
    assert "several" in answer.err and "workers_1" in answer.err and "workers_2" in answer.err


def test_a_beginning_of_none_is_told_as_it_was_given(trimtab, asked):
    answer = trimtab("explain", "wombat", "--config", asked)
    assert answer.code == 1 and "'wombat'" in answer.err
