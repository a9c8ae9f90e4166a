"""What befalls an agent at work: it stands still, says why, and goes on by itself once it is mended. Nothing is lost or doubled.

covers: A15
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assembly.child_agent import until
from mishaps.kit import Site, command, refused, soon

Mend = Callable[[], None]


def acting_again(site: Site) -> None:
    """The holds are gone, and whatever was under way has come to its end."""
    soon(lambda: site.ask("/readyz").get("ready"))
    soon(lambda: site.ask("/agent/status")["active_actions"] + site.ask("/agent/status")["pending_actions"] == 0, 30.0)


@contextlib.contextmanager
def on_a_small_disk(site: Site) -> Iterator[None]:
    """The data folder on a file system of its own."""
    if os.geteuid() != 0:
        pytest.skip(
            "CANNOT be tested here: a real full disk needs root, to mount one; the limit on the file size stands in for it"
        )
    site.store.mkdir(mode=0o700)
    how = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "trimtab-test", str(site.store)]
    mount = subprocess.run(how, capture_output=True, text=True)
    if mount.returncode:
        pytest.skip(f"CANNOT be tested here: root without the right to mount ({mount.stderr.strip()})")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", site.store], check=True)


def fill_up(site: Site) -> Mend:
    ballast = site.store / "ballast"
    with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return ballast.unlink


def test_a_full_disk_stops_the_agent_until_there_is_room(site: Site) -> None:
    with on_a_small_disk(site):
        with site.agent():
            site.until_set()
            mend = fill_up(site)
            soon(lambda: "disk is full" in site.holds())
            assert "Free some space" in site.holds()
            assert site.ask("/readyz")["status"] == 503
            set_so_often = len(site.target.shop.puts)
            seen = site.target.shop.reads
            until(lambda: site.target.shop.reads > seen + 10)  # it goes on looking, and sets nothing that it cannot write down
            assert len(site.target.shop.puts) == set_so_often
            mend()
            acting_again(site)
        site.check_nothing_lost()
        assert site.said().count("the log file") <= 1, "a log that cannot be written is said once"


def test_a_file_that_may_not_grow_stops_the_agent_until_it_may(site: Site) -> None:
    """The limit on the size of files, which no root is needed for: the kernel refuses each write beyond it."""
    with site.agent() as child:
        site.until_set()
        _, most = resource.prlimit(child.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (8192, most))
        soon(lambda: "HOLD: the metric store cannot be written" in site.holds() or "HOLD: the journal cannot" in site.holds())
        assert "disk" in site.holds() and "free space" in site.holds()
        resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (most, most))
        acting_again(site)
    site.check_nothing_lost()


LOCKER = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
other.execute("ROLLBACK")
"""


def locked(path: Path) -> Mend:
    other = subprocess.Popen([sys.executable, "-c", LOCKER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None and other.stdout.readline() == b"held\n"
    return lambda: (other.communicate(), None)[1]


@pytest.mark.parametrize("name", ["journal.db", "metrics.db"])
def test_a_database_that_another_program_locks(site: Site, name: str) -> None:
    with site.agent():
        site.until_set()
        mend = locked(site.store / name)
        try:
            soon(lambda: "another program holds it locked" in site.holds())
            assert "Close that program" in site.holds() and name in site.holds()
        finally:
            mend()
        acting_again(site)
    site.check_nothing_lost()


def test_a_lever_that_vanishes_in_mid_action_is_waited_for(site: Site) -> None:
    site.settle = 3.0
    site.write()
    with site.agent():
        site.until_set()
        site.target.stop("levers")
        soon(lambda: "workers" in site.holds())
        assert site.ask("/agent/status")["state"] == "hold"
        site.target.start("levers")
        acting_again(site)
        soon(lambda: "workers" not in site.holds())
    site.check_nothing_lost()


def test_a_configuration_that_is_removed_does_not_disturb_the_agent(site: Site) -> None:
    with site.agent():
        site.until_set()
        site.config.unlink()
        seen = site.target.shop.reads
        until(lambda: site.target.shop.reads > seen + 10)
        refused(command("status", "--config", site.config), "there is no ", "trimtab init", "--config")
        site.write()
        assert command("status", "--config", site.config).returncode == 0
        acting_again(site)
    site.check_nothing_lost()


def test_a_wrong_token_is_refused_with_the_remedy(site: Site) -> None:
    made = command("token", "create", "ann", "--config", site.config)
    assert made.returncode == 0, made.stderr
    with site.agent():
        for header in ({}, {"Authorization": "Bearer tt_wrong"}):
            answer = site.ask("/agent/status", headers=header)
            assert (answer["status"], "trimtab token" in answer["detail"]) == (401, True), answer
        wrong = command("status", "--config", site.config, variables={"TRIMTAB_TOKEN": "tt_wrong"})
        refused(wrong, "does not know the token in TRIMTAB_TOKEN", "`trimtab token create`")
        none = command("status", "--config", site.config)
        refused(none, "asks for a token", "put it into TRIMTAB_TOKEN")
        right = command("status", "--config", site.config, variables={"TRIMTAB_TOKEN": made.stdout.strip()})
        assert right.returncode == 0, right.stderr
    site.check_nothing_lost()


SHIFTED = """
import os, time
_real = time.time
def _shifted():
    try:
        with open(os.environ["TEST_CLOCK_OFFSET"]) as file:
            return _real() + float(file.read() or 0)
    except (OSError, KeyError, ValueError):
        return _real()
time.time = _shifted
"""


def shifted_clock(site: Site, offset: float) -> tuple[dict[str, str], Callable[[float], None]]:
    """What makes the child see a clock that is wrong by `offset` seconds, and how to set it: without touching the machine's."""
    (site.folder / "clock").mkdir(exist_ok=True)
    (site.folder / "clock" / "sitecustomize.py").write_text(SHIFTED)
    file = site.folder / "clock" / "offset"

    def set_to(seconds: float) -> None:
        file.with_suffix(".new").write_text(str(seconds))
        file.with_suffix(".new").rename(file)

    set_to(offset)
    return {"PYTHONPATH": str(site.folder / "clock"), "TEST_CLOCK_OFFSET": str(file)}, set_to


def test_a_clock_that_is_set_back_while_the_agent_runs(site: Site) -> None:
    variables, set_to = shifted_clock(site, 3600.0)
    with site.agent(**variables):
        site.until_set()
        set_to(0.0)
        seen = site.target.shop.reads
        until(lambda: site.target.shop.reads > seen + 10)
        acting_again(site)
    site.check_nothing_lost()
    times = [record.since for record in site.actions()]
    assert times == sorted(times)


def test_a_clock_that_was_set_back_between_two_runs(site: Site) -> None:
    """The journal and the samples are of a time that is yet to come."""
    variables, _ = shifted_clock(site, 3600.0)
    with site.agent(**variables) as child:
        site.until_set()
        child.kill()
        child.wait()
    with site.agent():
        acting_again(site)
        site.target.shop.load = 4.0 * float(site.target.shop.levers["workers"])  # type: ignore[arg-type]
        count = len(site.target.shop.puts)
        site.until_set(count + 1)  # and it is able to act in its own time
        acting_again(site)
    site.check_nothing_lost()
