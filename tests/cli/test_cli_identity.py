"""The command line speaks to the agent of its own data folder and to nobody else, whoever has the port."""

from __future__ import annotations

import pytest

from assembly.child_agent import running, service, write_config
from cli.impostor import impostor
from trimtab.storage.folder import DataFolder

REQUESTS = [("approve", "x"), ("reject", "x"), ("rollback", "x")]


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"healthz": "<html>hello</html>"},
        {"healthz": {"status": "alive"}},
        {"healthz": ["alive"]},
        {"healthz": {"status": "alive", "identity": ""}},
        {"healthz": {"status": "alive", "identity": "0123456789abcdef"}},
    ],
    ids=["nothing there", "a page", "an older agent", "another document", "an agent without a folder", "another agent"],
)
@pytest.mark.parametrize("has_run", [False, True], ids=["first time", "has run"])
def test_a_stranger_hears_no_token_and_no_request(trimtab, tmp_path, answers, has_run):
    if has_run:
        DataFolder(tmp_path / "data").identity(create=True)
    with impostor(**answers) as (port, seen):
        config = write_config(tmp_path, "http://127.0.0.1:9", port=port)
        for command in REQUESTS:
            answer = trimtab(*command, "--config", config, TRIMTAB_TOKEN="tt_secret")
            assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)
            assert f":{port}" in answer.err and ("no agent of this version" in answer.err or "another data folder" in answer.err)
    assert seen == []


def test_with_a_stranger_on_its_port_the_store_still_answers_and_says_so(trimtab, tmp_path):
    with service() as (_, url):
        config = write_config(tmp_path, url)
        with running(config):
            pass
        with impostor(healthz={"status": "alive", "identity": "other"}) as (port, _):
            moved = write_config(tmp_path, url, port=port)
            status = trimtab("status", "--config", moved)
            assert status.code == 0 and "stopped" in status.out and "another data folder" in status.out
            plan = trimtab("plan", "--config", moved)
            assert "another data folder" in plan.out and "From a few fresh looks" in plan.out


def test_two_agents_never_mix_up_their_people(trimtab, tmp_path):
    with service() as (_, url):
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        first = write_config(tmp_path / "a", url)
        with running(first):
            port = int(first.read_text().split("port: ")[1].split("}")[0])
            second = write_config(tmp_path / "b", url, port=port)
            assert trimtab("approve", "x", "--config", second).code == 1
            assert "another data folder" in trimtab("approve", "x", "--config", second).err
            assert "no action" in trimtab("approve", "x", "--config", first).err
            status = trimtab("status", "--json", "--config", first).document
            assert status["identity"] == DataFolder(tmp_path / "a" / "data").identity() != ""
