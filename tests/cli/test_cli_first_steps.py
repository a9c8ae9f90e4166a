"""What somebody meets who has just installed trimtab: no file yet, an option in the wrong place, a role that there is not."""

from __future__ import annotations

import socket

import pytest

from assembly.child_agent import write_config
from trimtab.cli.stderr import fitted


@pytest.mark.parametrize("command", ["status", "goals", "plan", "run", "pause"])
def test_without_a_configuration_the_way_to_one_is_told(trimtab, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    answer = trimtab(command)
    assert (answer.code, answer.out) == (1, "") and "cannot be used" not in answer.err
    assert "there is no " in answer.err and "trimtab.yaml" in answer.err
    assert "`trimtab init` writes one; or name yours with --config" in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("command", "said"), [("run", True), ("status", False), ("config validate", False)])
def test_only_what_would_have_started_something_says_that_it_did_not(trimtab, tmp_path, command, said):
    config = tmp_path / "trimtab.yaml"
    config.write_text("version: 1\nfoo: 1\n")
    answer = trimtab(*command.split(), "--config", config)
    assert answer.code == 1 and "unknown key 'foo'" in answer.err
    assert ("Nothing was started" in answer.err) is said


@pytest.mark.parametrize("option", [("--config", "x.yaml"), ("--config=x.yaml",), ("-c", "x.yaml"), ("--json",)], ids=" ".join)
def test_an_option_before_the_command_is_told_where_it_goes(trimtab, option):
    answer = trimtab(*option, "status")
    assert answer.code == 64 and f"Options go after the command, e.g. trimtab status {option[0][:8]}" in answer.err


@pytest.mark.parametrize("arguments", [("status", "--nonsense"), ("--nonsense", "status")], ids=["after", "before"])
def test_an_option_that_there_is_not_is_given_no_such_hint(trimtab, arguments):
    answer = trimtab(*arguments)
    assert answer.code == 64 and "Options go" not in answer.err


def test_a_role_that_there_is_not_is_told_in_words(trimtab, tmp_path):
    answer = trimtab("token", "create", "ann", "--role", "boss", "--config", tmp_path / "none.yaml")
    assert answer.code == 64 and "'boss' is not one of" in answer.err and "Value error" not in answer.err


@pytest.mark.parametrize(
    ("api", "said"),
    [("{host: 0.0.0.0}", "`trimtab token create NAME`"), ("{port: %d}", "Cannot listen on")],
    ids=["open to others", "port in use"],
)
def test_a_run_that_is_refused_leaves_no_data_folder_behind(trimtab, tmp_path, api, said):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = tmp_path / "trimtab.yaml"
        api = api % taken.getsockname()[1] if "%" in api else api
        config.write_text(
            f"version: 1\nstorage: {{path: ./data}}\napi: {api}\nelements: [{{name: a, sensors: [{{type: host}}]}}]\n"
        )
        answer = trimtab("run", "--config", config)
    assert answer.code == 1 and said in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["trimtab.yaml"]


def test_a_restore_looks_at_the_file_first(trimtab, tmp_path):
    config = write_config(tmp_path, "http://127.0.0.1:9")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "journal.db").write_text("mine")
    answer = trimtab("restore", tmp_path / "none.tar.gz", "--config", config)
    assert answer.code == 1 and "there is no " in answer.err and "--force" not in answer.err
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["journal.db"]


@pytest.mark.parametrize("width", [None, 5, 20, 60])
def test_messages_wrap_at_words_and_keep_their_lines(width):
    text = (
        "trimtab: the configuration cannot be used\n/a/very/long/path/that/is/one/piece.yaml:3:4: unknown key; remove it\n\nend"
    )
    shown = fitted(text, width)
    if width is None or width < 20:
        assert shown == text
    else:
        assert shown.split() == text.split() and shown.count("\n") > 3 and "\n\nend" in shown
        assert all(len(line) <= width or " " not in line for line in shown.split("\n"))
