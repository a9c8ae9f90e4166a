"""`trimtab run` as a real process: it ends in order, leaves nothing behind, and refuses what it must not do."""

from __future__ import annotations

import asyncio
import signal
import socket
import time

import pytest

from assembly.child_agent import running, service, session_of, trimtab, until, write_config
from trimtab.domain.actions import ActionState as S
from trimtab.storage.folder import DataFolder
from trimtab.storage.journal import SqliteJournal


def journal(folder):
    """Every action of the journal, oldest first; and whether its chain holds."""

    async def read():
        book = SqliteJournal(folder / "journal.db")
        try:
            await book.verify()
            return list(reversed(await book.recent(100)))
        finally:
            await book.close()

    return asyncio.run(read())


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_it_within_five_seconds_and_what_was_under_way_is_undone(tmp_path, name):
    with service(load=6.0) as (shop, url), running(write_config(tmp_path, url, settle=60)) as child:
        until(lambda: shop.puts)  # an action has set its lever and will settle for a minute
        before = {"workers": 2, "cache": 2}
        assert shop.levers != before
        sent = time.monotonic()
        child.send_signal(getattr(signal, name))
        assert child.wait(10.0) == 0
        assert time.monotonic() - sent <= 5.0
        assert shop.levers == before
        assert session_of(child) == []
        records = journal(tmp_path / "data")
        assert [record.state for record in records if record.executed_at] == [S.ROLLED_BACK]
        assert all(record.state.terminal for record in records)
        with DataFolder(tmp_path / "data").lock():  # the lock is free again
            pass
    assert "Traceback" not in (tmp_path / "agent.log").read_text()


def test_a_second_agent_on_one_folder_is_refused_and_changes_nothing(tmp_path):
    with service() as (shop, url), running(write_config(tmp_path, url)) as child:
        other = write_config(tmp_path, url, name="other.yaml")
        until(lambda: shop.reads > 3)
        lock = (tmp_path / "data" / "agent.lock").read_bytes()
        refused = trimtab("run", "--config", other)
        assert refused.returncode == 1
        assert f"process id {child.pid}" in refused.stderr and "storage.path" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert (tmp_path / "data" / "agent.lock").read_bytes() == lock
        seen = shop.reads
        until(lambda: shop.reads > seen + 2)  # the first goes on undisturbed
        assert child.poll() is None
    assert journal(tmp_path / "data") == []


def test_a_port_in_use_is_said_and_nothing_is_left_behind(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken, service() as (_, url):
        port = taken.getsockname()[1]
        refused = trimtab("run", "--config", write_config(tmp_path, url, port=port))
    assert refused.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in refused.stderr and "api.port" in refused.stderr
    assert "Agent started" not in refused.stderr and "Agent stopped" not in refused.stderr
    assert "Traceback" not in refused.stderr
    with DataFolder(tmp_path / "data").lock():
        pass


def test_off_loopback_without_a_token_it_refuses_to_start(tmp_path):
    with service() as (shop, url):
        refused = trimtab("run", "--config", write_config(tmp_path, url, host="0.0.0.0"))
        assert shop.puts == []
    assert refused.returncode == 1
    assert "0.0.0.0" in refused.stderr and "trimtab token" in refused.stderr
    assert "Traceback" not in refused.stderr
    with DataFolder(tmp_path / "data").lock():
        pass
