"""`trimtab init`: from an empty folder to an agent that runs, without a word written by hand, and nothing lost on the way."""

from __future__ import annotations

import re

import pytest

from assembly.child_agent import running, service
from trimtab.sdk import App


def at(folder, *more):
    return ("--output", folder / "trimtab.yaml", *more)


def test_the_first_configuration_is_valid_and_an_agent_runs_with_it_at_once(trimtab, tmp_path):
    answer = trimtab("init", *at(tmp_path, "--no-probe"))
    assert (answer.code, answer.err) == (0, ""), answer
    config = tmp_path / "trimtab.yaml"
    assert "it is valid" in answer.out and "\x1b" not in answer.out
    commands = re.findall(r"^trimtab (\w+) --config", answer.out, re.MULTILINE)
    assert commands == ["doctor", "run", "status"]
    validated = trimtab("config", "validate", "--json", "--config", config).document
    assert (validated["valid"], validated["problems"]) == (True, [])
    (warning,) = validated["warnings"]
    assert "there is no lever and no job" in warning, "the host alone has none"
    assert "It has no lever yet. Next:\nedit " in answer.out and "asks before it moves" not in answer.out
    assert trimtab("doctor", "--config", config).code == 0
    with running(config):
        status = trimtab("status", "--json", "--config", config).document
        assert {goal["metric"] for goal in status["goals"]} >= {"host_disk_usage_percent", "host_memory_usage_percent"}
        again = trimtab("init", *at(tmp_path, "--no-probe", "--force", "--json")).document
        assert again["port"] == int(re.search(r"port: (\d+)", config.read_text())[1]), "the port of its own agent is not taken"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_nothing_is_overwritten_unasked_and_what_was_there_is_kept(trimtab, tmp_path):
    config = tmp_path / "trimtab.yaml"
    config.write_text("mine\n")
    refused = trimtab("init", *at(tmp_path, "--no-probe"))
    assert (refused.code, refused.out) == (1, "") and "--force" in refused.err and config.read_text() == "mine\n"
    for number, name in enumerate(("trimtab.yaml.bak", "trimtab.yaml.bak2")):
        document = trimtab("init", *at(tmp_path, "--no-probe", "--force", "--json")).document
        assert document["kept"] == str(tmp_path / name) and (tmp_path / name).exists(), number
    assert (tmp_path / "trimtab.yaml.bak").read_text() == "mine\n"


@pytest.mark.parametrize("output", [".", "absent/trimtab.yaml"], ids=["a folder", "in no folder"])
def test_where_it_cannot_be_written_is_a_sentence(trimtab, tmp_path, output):
    answer = trimtab("init", "--output", tmp_path / output, "--no-probe")
    assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)
    assert "Traceback" not in answer.err and "--output" in answer.err


def test_a_program_beside_it_is_found_with_its_levers(trimtab, tmp_path):
    app = App()
    app.sensor("queue_length")(lambda: 37.0)
    app.lever("workers", read=lambda: 4, set=lambda value: None, bounds=(1, 8))
    with app.expose(str(tmp_path / "worker.sock")):
        answer = trimtab("init", *at(tmp_path, "--yes"))
        assert answer.code == 0 and "levers workers = 4" in answer.out, answer
        assert "Every lever in it asks before it moves. Next:\ntrimtab doctor" in answer.out
        config = tmp_path / "trimtab.yaml"
        checked = trimtab("doctor", "--json", "--config", config).document["findings"]
        assert {each["mark"] for each in checked if each["check"] in ("sensor worker", "lever worker/workers")} == {"ok"}
    assert 'socket: "./worker.sock"' in config.read_text() and "autonomy: ask" in config.read_text()


def test_a_service_is_found_among_the_ports_and_its_name_is_its_program(trimtab, tmp_path, monkeypatch):
    """Only the test's own port is looked at: what else runs on this machine is not the test's to ask."""
    from trimtab.discovery import look as discover

    with service() as (_, url):
        port = int(url.rpartition(":")[2])
        monkeypatch.setattr(discover, "listening", lambda: [discover.Port(port, program="shop")])
        document = trimtab("init", *at(tmp_path, "--probe", "--json")).document
    assert document["ports_asked"] == [port] and document["services"] == [], "that service has no metrics page"
    assert document["written"] == str(tmp_path / "trimtab.yaml") and len(document["next"]) == 3


@pytest.mark.parametrize("broken", ["TRIMTAB_API__PORT", "TRIMTAB_NONSENSE"])
def test_variables_that_would_break_it_are_told_and_nothing_is_left_behind(trimtab, tmp_path, broken):
    answer = trimtab("init", *at(tmp_path, "--no-probe"), **{broken: "nonsense"})
    assert answer.code == 1 and broken in answer.err and "Traceback" not in answer.err
    assert list(tmp_path.iterdir()) == []


def test_without_asking_ports_nothing_is_asked(trimtab, tmp_path, monkeypatch):
    from trimtab.discovery import look as discover

    def never(*_: object) -> None:
        raise AssertionError("it looked around")

    monkeypatch.setattr(discover, "discover", never)
    assert trimtab("init", *at(tmp_path, "--no-probe")).code == 0
