"""What keeps an agent from starting: one sentence with the remedy, exit code 1, and nothing lost once it is mended.

covers: A15
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from assembly.child_agent import until
from mishaps.kit import Site, command, refused, soon
from trimtab.domain.actions import ActionState as S
from trimtab.storage.journal import SqliteJournal
from trimtab.testing.records import run, write_life


def filled(site: Site, actions: int = 40) -> None:
    """A journal of an earlier run, some pages long."""
    site.store.mkdir(mode=0o700)
    journal = SqliteJournal(site.store / "journal.db")
    journal._database.connection.execute("PRAGMA synchronous=OFF")
    for number in range(actions):
        run(write_life(journal, f"old_{number}", S.IGNORED, at=float(number)))
    run(journal.close())


def page_destroyed(raw: bytearray) -> bytearray:
    middle = len(raw) // 8192 * 4096
    raw[middle : middle + 4096] = os.urandom(4096)
    return raw


def header_destroyed(raw: bytearray) -> bytearray:
    return bytearray(b"\x00" * 100) + raw[100:]


def truncated(raw: bytearray) -> bytearray:
    return raw[: len(raw) // 2]


@pytest.mark.parametrize("spoil", [page_destroyed, header_destroyed, truncated], ids=lambda spoil: spoil.__name__)
def test_a_corrupt_journal_is_refused_untouched_and_a_backup_mends_it(site: Site, spoil) -> None:  # type: ignore[no-untyped-def]
    filled(site)
    backup = site.folder / "b.tar.gz"
    if spoil is truncated:
        assert command("backup", backup, "--config", site.config).returncode == 0
    path = site.store / "journal.db"
    path.write_bytes(spoil(bytearray(path.read_bytes())))
    broken = path.read_bytes()
    refused(site.run(), "journal.db", "damaged" if spoil is not header_destroyed else "not a database", "trimtab restore")
    assert path.read_bytes() == broken, "what is left of it is as it was"
    assert site.target.shop.puts == []
    if spoil is not truncated:
        return  # one is mended for all
    mended = command("restore", backup, "--config", site.config, "--force")
    assert mended.returncode == 0, mended.stderr
    assert len(site.actions()) == 40
    aside = next(site.folder.glob("data.before-restore-*"))
    assert (aside / "journal.db").read_bytes() == broken


def test_a_journal_whose_wal_was_removed_after_a_kill_is_missed(site: Site) -> None:
    with site.agent() as child:
        site.until_set()
        child.kill()
        child.wait()
    wal = site.store / "journal.db-wal"
    kept = wal.read_bytes()
    assert kept, "the last rows are in the log"
    wal.unlink()
    refused(site.run(), "are gone", "-wal", "Put the -wal file back", "trimtab restore")
    for path in site.store.glob("journal.db-*"):
        path.unlink()
    wal.write_bytes(kept)
    with site.agent():
        soon(lambda: site.ask("/agent/status")["active_actions"] == 0 and site.ask("/agent/status")["pending_actions"] == 0)
    site.check_nothing_lost()


def test_a_row_that_was_altered_stops_whatever_is_new(site: Site) -> None:
    """The file is whole, so that only the chain tells; it is checked beside the first turns."""
    filled(site)
    with closing(sqlite3.connect(site.store / "journal.db")) as eve:
        eve.executescript("UPDATE journal SET reason = 'nothing to see' WHERE seq = 17")
    with site.agent():
        soon(lambda: "row 17" in site.holds())
        assert "does not hold" in site.holds() and "restore the last backup" in site.holds()
        ready = site.ask("/readyz")
        assert (ready["status"], "row 17" in ready["detail"]) == (503, True)
        seen = site.target.shop.reads
        until(lambda: site.target.shop.reads > seen + 10)
        assert site.target.shop.puts == []
    assert "Traceback" not in site.said()


@pytest.mark.parametrize("spoil", [page_destroyed, header_destroyed, truncated], ids=lambda spoil: spoil.__name__)
def test_a_corrupt_metric_store_is_moved_aside_and_the_agent_goes_on(site: Site, spoil) -> None:  # type: ignore[no-untyped-def]
    from trimtab.domain.metrics import Reading, Series
    from trimtab.storage.metrics import SqliteMetricStore

    site.store.mkdir(mode=0o700)
    store = SqliteMetricStore(site.store / "metrics.db")
    series = Series.named("shop_p95_seconds", "shop")
    began = time.time() - 5000.0
    run(store.write([Reading(series, 0.1, began + at) for at in range(5000)]))
    run(store.close())
    path = site.store / "metrics.db"
    broken = bytes(spoil(bytearray(path.read_bytes())))
    path.write_bytes(broken)
    with site.agent():
        site.until_set()
    assert "Metric store damaged" in site.said() and "learned anew" in site.said()
    aside = [found for found in site.store.glob("metrics.db.damaged-*") if found.suffix not in ("-wal", "-shm")]
    assert any(found.read_bytes()[4096:] == broken[4096:] for found in aside), "what was in it is still there"
    site.check_nothing_lost()


@contextmanager
def read_only(site: Site) -> Iterator[None]:
    """A folder that really cannot be written to: for root a file system mounted so."""
    site.store.mkdir(mode=0o700)
    if os.geteuid() != 0:
        site.store.chmod(0o500)
        yield
        site.store.chmod(0o700)
        return
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "trimtab-test", site.store], capture_output=True, text=True
    )
    if mount.returncode:
        pytest.skip(f"CANNOT be tested here: root without the right to mount ({mount.stderr.strip()})")
    try:
        yield
    finally:
        subprocess.run(["umount", site.store], check=True)


def test_a_folder_that_may_not_be_written_to(site: Site) -> None:
    with read_only(site):
        refused(site.run(), str(site.store), "may not be written to", "storage.path")
    assert site.target.shop.puts == []


def test_a_second_agent_is_refused_and_the_first_goes_on(site: Site) -> None:
    with site.agent() as child:
        site.until_set()
        other = site.folder / "other.yaml"
        other.write_text(site.config.read_text())
        refused(command("run", "--config", other), f"process id {child.pid}", "Stop it first", "storage.path")
        seen = site.target.shop.reads
        until(lambda: site.target.shop.reads > seen + 5)
        assert child.poll() is None
    site.check_nothing_lost()


def test_a_port_in_use(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        site.port = taken.getsockname()[1]
        site.write()
        refused(site.run(), f"Cannot listen on 127.0.0.1:{site.port}", "api.port")
    with site.agent():
        site.until_set()
    site.check_nothing_lost()


def test_a_configuration_that_is_not_there(site: Site) -> None:
    refused(command("run", "--config", site.folder / "nowhere.yaml"), "nowhere.yaml. `trimtab init` writes one", "--config")


def test_a_journal_that_another_program_holds_locked(site: Site) -> None:
    filled(site)
    with closing(sqlite3.connect(site.store / "journal.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("UPDATE head SET seq = seq")
        refused(site.run(), "journal.db", "another program holds it locked", "Close that program")
        other.execute("ROLLBACK")
    assert len(site.actions()) == 40


def test_a_lever_that_cannot_be_reached_at_the_start_is_waited_for(site: Site) -> None:
    site.target.stop("levers")
    with site.agent():
        soon(lambda: "workers" in site.holds())
        assert site.target.url("levers") in site.holds() or "refused" in site.holds(), site.holds()
        assert site.ask("/agent/status")["state"] == "hold"
        site.target.start("levers")
        site.until_set()
        soon(lambda: "workers" not in site.holds())
    site.check_nothing_lost()


def test_after_a_backup_is_restored_what_was_under_way_in_it_is_looked_for(site: Site) -> None:
    """The lever was set when the backup was made; by the restore it stands as that trial had left it, or elsewhere."""
    site.settle = 30.0
    site.write()
    backup = site.folder / "b.tar.gz"
    with site.agent() as child:
        site.until_set()
        soon(lambda: site.ask("/agent/status")["active_actions"] == 1)
        made = command("backup", backup, "--config", site.config)
        assert made.returncode == 0, made.stderr
        running = command("restore", backup, "--config", site.config, "--force")
        refused(running, f"process id {child.pid}", "Stop it first")
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert site.target.shop.levers["workers"] != 2
    assert command("restore", backup, "--config", site.config, "--force").returncode == 0
    (under_way,) = [record for record in site.actions() if not record.state.terminal]
    with site.agent():
        soon(lambda: site.ask(f"/agent/actions/{under_way.action_id}")["state"] == "rolled_back")
    site.check_nothing_lost()
