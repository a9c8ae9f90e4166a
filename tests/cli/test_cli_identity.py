"""The command line speaks to the agent of its own data folder and to nobody else, whoever has the port."""

from __future__ import annotations

import json

import httpx
import pytest

from assembly.child_agent import running, service, until, write_config
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
        {"healthz": "[" * 100_000},
        {"healthz": {"status": "alive", "identity": "0123456789abcdef"}},
        {"healthz": {"status": "alive", "proof": ""}},
        {"healthz": {"status": "alive", "proof": "ä" * 64}},
    ],
    ids=[
        "nothing there",
        "a page",
        "a probe",
        "another document",
        "nested",
        "an older agent",
        "an agent without a folder",
        "another agent",
    ],
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
        with impostor(healthz={"status": "alive", "proof": "other"}) as (port, _):
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
            assert trimtab("status", "--json", "--config", first).document["state"] != "stopped"


def test_what_the_agent_said_once_is_good_for_nobody_later(trimtab, tmp_path):
    """Replayed on its port, and passed on from its port to another."""
    said = {}

    def remember(path):
        said[path] = httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False).json()
        return said[path]

    with service() as (_, url):
        config = write_config(tmp_path, url)
        port = int(config.read_text().split("port: ")[1].split("}")[0])
        secret = DataFolder(tmp_path / "data").identity(create=True)
        with running(config):
            other = tmp_path / "other.yaml"
            with impostor(healthz=remember) as (elsewhere, seen):
                other.write_text(config.read_text().replace(f"port: {port}", f"port: {elsewhere}"))
                lock = tmp_path / "data" / "agent.lock"
                until(lambda: '"url"' in lock.read_text())  # the agent says that it started a moment before where it answers
                lock.write_text(json.dumps({**json.loads(lock.read_text()), "url": f"http://127.0.0.1:{elsewhere}"}))
                answer = trimtab("approve", "x", "--config", other, TRIMTAB_TOKEN="tt_secret")
                assert answer.code == 1 and "another data folder" in answer.err and seen == []
            assert len(said) == 1 and all(len(each["proof"]) == 64 for each in said.values())
            public = [remember("/healthz"), remember("/agent/status"), remember("/openapi.json")]
            assert secret not in json.dumps([public, said])
        (once,) = (each for path, each in said.items() if "challenge" in path)
        with impostor(port, healthz=once) as (_, seen):
            answer = trimtab("approve", "x", "--config", config, TRIMTAB_TOKEN="tt_secret")
            assert answer.code == 1 and "another data folder" in answer.err and seen == []


def test_an_address_by_name_is_proven_like_one_in_numbers(trimtab, tmp_path):
    with service() as (_, url):
        config = write_config(tmp_path, url, host="localhost")
        with running(config):
            assert trimtab("status", "--json", "--config", config).document["state"] != "stopped"
