"""`trimtab doctor`: every ill that it knows is brought about and found, with a remedy; and it changes nothing, ever."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import threading

import pytest

from assembly.child_agent import environment, running, service, until, write_config
from assembly.child_agent import trimtab as in_a_process
from cli.impostor import impostor

ASK = "autonomy: ask, risk_level: 0.2, expected_improvement: 0.3"


def found(answer, check=None, mark=None):
    """(what, remedy) of the findings of a check."""
    return [
        (each["what"], each["remedy"])
        for each in answer.document["findings"]
        if check in (None, each["check"]) and mark in (None, each["mark"])
    ]


def snapshot(folder):
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
        if not path.name.endswith("-shm") and path.name != "agent.log"
    }


def edited(config, before, after):
    text = config.read_text()
    assert before in text
    config.write_text(text.replace(before, after))


@pytest.fixture(scope="module")
def shop():
    with service(load=1.0) as (_, url):
        yield url


def test_before_the_first_run_all_is_well_and_nothing_is_made(trimtab, tmp_path, shop):
    config = write_config(tmp_path, shop)
    answer = trimtab("doctor", "--json", "--config", config)
    assert (answer.code, answer.err, answer.document["status"]) == (0, "", "ok"), answer.out
    assert [path.name for path in tmp_path.iterdir()] == ["trimtab.yaml"]
    checks = {each["check"] for each in answer.document["findings"]}
    assert checks >= {
        "config",
        "data folder",
        "disk",
        "agent",
        "port",
        "tokens",
        "journal",
        "metric store",
        "log",
        "clock",
        "time zone",
    }
    assert checks >= {"versions", "notifications", "sensor shop", "lever shop/workers", "lever shop/cache"}


def test_for_people_there_is_a_line_for_each_with_words_when_piped(trimtab, tmp_path, shop):
    config = write_config(tmp_path, shop)
    edited(config, "/cache", "/nothing")
    answer = trimtab("doctor", "--config", config)
    assert answer.code == 1 and "\x1b" not in answer.out
    (row,) = [number for number, line in enumerate(answer.out.splitlines()) if "lever shop/cache" in line]
    assert answer.out.splitlines()[row].startswith("fails ") and "→ " in answer.out.splitlines()[row + 1]
    assert answer.out.splitlines()[-1].endswith("1 to mend")
    assert [line for line in answer.out.splitlines() if line != line.rstrip()] == []


def test_without_a_configuration_it_says_how_to_get_one(trimtab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = trimtab("doctor", "--json")
    assert answer.code == 1 and answer.err == "" and "trimtab init" in found(answer, "config", "fails")[0][1]
    assert list(tmp_path.iterdir()) == []


def test_every_mistake_of_the_configuration_is_told(trimtab, tmp_path):
    config = tmp_path / "trimtab.yaml"
    config.write_text(
        "version: 1\nmonitoring: {interval_seconds: soon}\ngoals: [{metric_name: a, target_value: 1, direction: up}]\n"
    )
    answer = trimtab("doctor", "--json", "--config", config)
    assert answer.code == 1
    told = found(answer, "config", "fails")
    assert [f"{config}:{line}:" in what for line, (what, _) in zip((2, 3), told, strict=True)] == [True, True]
    assert all(remedy for _, remedy in told)


@pytest.mark.parametrize(
    ("before", "after", "check", "mark", "what", "remedy"),
    [
        ("/stats", "/nowhere", "sensor shop", "fails", "broke the connection", "start the target"),
        ("bounds: [1, 16]", "bounds: [4, 16]", "lever shop/workers", "warning", "reads 2, outside", "4 to 16"),
        (
            "metric_name: shop_p95_seconds",
            "metric_name: shop_p95_second",
            "goal shop_p95_second",
            "fails",
            "no sensor",
            "did you mean",
        ),
        ("metric_name: shop_error_ratio", "metric_name: wombats", "guard wombats", "fails", "no sensor of shop", "add a sensor"),
        ('host: "127.0.0.1"', 'host: "0.0.0.0"', "tokens", "fails", "open to others", "token create"),
        ("version: 1", "version: 1\nlog: {file: ./trimtab.yaml/x.log}", "log", "fails", "x.log cannot be", "log.file"),
        ("version: 1", 'version: 1\nnotifications: [{url: "slack://x"}]', "notifications", "warning", "1 configured", "log"),
        ("version: 1", "version: 1\napi: {enabled: false}\n#", "port", "ok", "none", ""),
    ],
    ids=["sensor", "outside of its bounds", "goal", "guard", "open to others", "log file", "notifications", "no interface"],
)
def test_what_is_wrong_is_found_with_its_remedy(trimtab, tmp_path, shop, before, after, check, mark, what, remedy):
    config = write_config(tmp_path, shop)
    if "enabled" in after:
        config.write_text("".join(line for line in config.read_text().splitlines(True) if not line.startswith("api:")))
    edited(config, before, after)
    answer = trimtab("doctor", "--json", "--config", config)
    assert answer.code == (1 if mark == "fails" else 0), answer.out
    assert any(what in told and remedy in mending for told, mending in found(answer, check, mark)), answer.out


def test_a_target_that_is_gone_is_found_quickly(trimtab, tmp_path):
    config = write_config(tmp_path, "http://127.0.0.1:9")
    answer = trimtab("doctor", "--json", "--config", config)
    assert answer.code == 1
    for check in ("sensor shop", "lever shop/workers", "lever shop/cache"):
        assert "refused" in found(answer, check, "fails")[0][0]


def test_another_program_on_the_port_is_told(trimtab, tmp_path, shop):
    with impostor() as (port, _):
        answer = trimtab("doctor", "--json", "--config", write_config(tmp_path, shop, port=port))
    assert answer.code == 1
    assert "is no agent" in found(answer, "port", "fails")[0][0]


def test_somebody_who_hangs_up_is_told(trimtab, tmp_path, shop):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up():
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        answer = trimtab("doctor", "--json", "--config", write_config(tmp_path, shop, port=listener.getsockname()[1]))
        listener.shutdown(socket.SHUT_RDWR)
    assert answer.code == 1
    assert "did not answer" in found(answer, "port", "fails")[0][0]
    assert found(answer, "agent", "ok") == [("not running; `trimtab run` starts it", "")]


@pytest.fixture(scope="module")
def has_run(tmp_path_factory, shop):
    """The folder of an agent that has run."""
    config = write_config(tmp_path_factory.mktemp("has_run"), shop)
    with running(config):
        pass
    return config.parent


@pytest.fixture
def left(has_run, tmp_path):
    """A copy of it, to be spoilt."""
    shutil.copytree(has_run, tmp_path / "left")
    return tmp_path / "left" / "trimtab.yaml"


def test_what_an_agent_left_is_looked_at_and_not_changed(trimtab, left):
    before = snapshot(left.parent)
    answer = trimtab("doctor", "--json", "--config", left)
    assert (answer.code, answer.document["status"]) == (0, "ok"), answer.out
    assert "rows holds" in found(answer, "journal")[0][0] and "sound" in found(answer, "metric store")[0][0]
    assert snapshot(left.parent) == before


def test_a_forged_journal_and_a_damaged_store_are_found(trimtab, left):
    with sqlite3.connect(left.parent / "data" / "journal.db") as connection:
        connection.execute("INSERT INTO journal (seq, at, kind, action_id, actor, reason, data, previous, hash) "
                           "VALUES (999, 1, 'note', '', 'eve', 'x', '{}', '', '')")  # fmt: skip
    connection.close()
    metrics = left.parent / "data" / "metrics.db"
    metrics.write_bytes(b"not a database" * 1000)
    answer = trimtab("doctor", "--json", "--config", left)
    assert answer.code == 1
    assert "999" in found(answer, "journal", "fails")[0][0] or "row" in found(answer, "journal", "fails")[0][0]
    assert found(answer, "metric store", "fails")[0][1]


@pytest.mark.parametrize(
    ("name", "mode", "check", "remedy"),
    [("data", 0o755, "data folder", "chmod 700"), ("data/access.json", 0o644, "tokens", "chmod 600")],
    ids=["folder", "tokens"],
)
def test_what_others_can_read_is_told(trimtab, left, name, mode, check, remedy):
    trimtab("token", "create", "ann", "--config", left)
    (left.parent / name).chmod(mode)
    answer = trimtab("doctor", "--json", "--config", left)
    assert answer.code == 0 and remedy in found(answer, check, "warning")[0][1]


def test_an_expired_token_is_told(trimtab, left):
    trimtab("token", "create", "ann", "--config", left)
    path = left.parent / "data" / "access.json"
    document = json.loads(path.read_text())
    document["tokens"][0]["expires_at"] = 1.0
    path.write_text(json.dumps(document))
    assert "ann" in found(trimtab("doctor", "--json", "--config", left), "tokens", "warning")[0][0]


def test_files_from_the_future_are_told(trimtab, left):
    os.utime(left.parent / "data" / "metrics.db", (4e9, 4e9))
    assert "ahead of the system clock" in found(trimtab("doctor", "--json", "--config", left), "clock", "warning")[0][0]


def test_with_the_agent_at_work_it_is_asked_and_nothing_is_disturbed(trimtab, tmp_path):
    with service(load=6.0) as (shop, url):
        config = write_config(tmp_path, url, about=ASK)
        with running(config):
            until(lambda: len(trimtab("status", "--json", "--config", config).document["awaiting_approval"]) == 2)
            answer = trimtab("doctor", "--json", "--config", config)
            assert answer.code == 0, answer.out
            assert "held by this configuration's agent" in found(answer, "port", "ok")[0][0]
            assert "2 await approval" in found(answer, "questions", "warning")[0][0]
            assert shop.puts == []
            os.utime(config, (4e9, 4e9))
            assert "trimtab reload" in found(trimtab("doctor", "--json", "--config", config), "config", "warning")[0][1]
            good = config.read_text()
            config.write_text(good + "nonsense: 1\n")
            broken = trimtab("doctor", "--json", "--config", config)
            assert broken.code == 1 and found(broken, "config", "fails")
            assert "running with what it loaded before" in found(broken, "agent", "ok")[0][0]
            config.write_text(good)
            trimtab("pause", "--config", config)
            assert "trimtab resume" in found(trimtab("doctor", "--json", "--config", config), "pause", "warning")[0][1]
        stopped = trimtab("doctor", "--json", "--config", config)
        assert "2 await approval" in found(stopped, "questions", "warning")[0][0]
        assert found(stopped, "pause", "warning")


def test_what_a_killed_agent_left_half_done_is_told(trimtab, tmp_path):
    with service(load=6.0) as (shop, url):
        config = write_config(tmp_path, url, about="autonomy: act, risk_level: 0.2, expected_improvement: 0.3", settle=20)
        with running(config) as child:
            until(lambda: shop.puts)
            child.send_signal(signal.SIGKILL)
            child.wait()
        before = snapshot(tmp_path)
        answer = trimtab("doctor", "--json", "--config", config)
        assert answer.code == 0, answer.out
        assert "when the agent died" in found(answer, "leftovers", "warning")[0][0]
        assert "was killed" in found(answer, "agent", "warning")[0][0]
        assert snapshot(tmp_path) == before


def test_on_a_terminal_marks_are_signs_in_colour(tmp_path, shop):
    import pty
    import subprocess
    import sys

    config = write_config(tmp_path, shop)
    edited(config, "version: 1", 'version: 1\nnotifications: [{url: "slack://x"}]')
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "trimtab", "doctor", "--config", str(config)]
    process = subprocess.Popen(
        command, stdout=child, stderr=subprocess.DEVNULL, stdin=child, env=environment(COLUMNS="80", TERM="xterm")
    )
    os.close(child)
    seen = b""
    try:
        while chunk := os.read(parent, 65536):
            seen += chunk
    except OSError:
        pass
    assert process.wait(20) == 0
    os.close(parent)
    text = seen.decode()
    assert "\x1b[32m✓" in text and "\x1b[1;33m!" in text and "slack" not in text


def test_a_real_process_says_it_by_its_exit_status(tmp_path):
    assert in_a_process("doctor", "--config", tmp_path / "absent.yaml").returncode == 1
