"""The pool lever on a real pre-fork master: it ends exactly where it was told to, and signals nobody else."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.domain.errors import LeverError, Permanent, Retryable
from trimtab.domain.levers import LeverSpec
from trimtab.domain.ports import Lever
from trimtab.systems.net import Net
from trimtab.systems.process import LEVERS, lever, pool
from trimtab.systems.simulated import SimulatedLever
from trimtab.testing.levers import LeverConformance

MASTER = Path(__file__).with_name("prefork_master.py")
SPEC = LeverSpec("workers", "shop", bounds=(0, 16))
SLEEPER = [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"]


@contextmanager
def running(*argv: str, apart: bool = True) -> Iterator[subprocess.Popen[str]]:
    """A program that says when it is ready; its whole process group ends with the block, unless that is ours."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(argv, **pipes, start_new_session=apart) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL) if apart else process.kill()


def master(workers: int, *more: str) -> Any:
    return running(sys.executable, str(MASTER), str(workers), *more)


def build(spec: LeverSpec = SPEC, **target: object) -> Lever:
    kind = LEVERS["process"]
    options = {"type": "process", "name": spec.name, "bounds": spec.bounds, "pace_seconds": 0, **target}
    return kind.build(kind.options.model_validate(options), spec, Net())


def living(pid: int) -> int:
    return sum(child.status() != psutil.STATUS_ZOMBIE for child in psutil.Process(pid).children())


def do(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(work())


class PoolLaws(LeverConformance):
    values = (2, 4)

    @pytest.fixture(autouse=True)
    def _master(self, tmp_path: Path) -> Iterator[None]:
        self.pid_file = tmp_path / "shop.pid"
        with master(3, "--pid-file", str(self.pid_file)) as process:
            self.process = process
            yield

    async def make(self) -> Lever:
        return build(pid_file=str(self.pid_file))

    async def make_unreachable(self) -> Lever | None:
        return build(pid_file=str(self.pid_file.with_name("none.pid")))


class TestPoolLaws(PoolLaws):
    pass


class TestSimulated(PoolLaws):
    """Simulation mode keeps the same laws, and the master never gets a signal."""

    @pytest.fixture(autouse=True)
    def _untouched(self, _master: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        sent: list[object] = []
        monkeypatch.setattr(pool.Pool, "send", lambda *given: sent.append(given))
        yield
        assert sent == [] and living(self.process.pid) == 3

    async def make(self) -> Lever:
        return SimulatedLever(await super().make())

    async def make_unreachable(self) -> None:
        return None


@pytest.fixture(scope="module")
def shared() -> Iterator[int]:
    with master(1) as process:
        yield process.pid


@given(st.lists(st.integers(0, 7), min_size=1, max_size=2))
@settings(max_examples=6)
def test_from_any_count_to_any_other_it_ends_exactly_there(shared: int, targets: list[int]) -> None:
    async def run() -> None:
        one = build(pid=shared)
        for target in targets:
            await one.set(target)
            assert living(shared) == target and await one.read() == target

    do(run)


def test_signals_that_coalesce_are_not_lost() -> None:
    with master(1, "--deaf", "0.15") as process:
        os.kill(process.pid, signal.SIGSTOP)  # what comes meanwhile is pending, and equal signals are pending once
        for _ in range(5):
            os.kill(process.pid, signal.SIGTTIN)
        os.kill(process.pid, signal.SIGCONT)
        time.sleep(0.6)
        blind = living(process.pid)
        assert blind < 6, "the master must lose signals that are sent at once, or this test shows nothing"
        do(lambda: build(pid=process.pid).set(6))
        assert living(process.pid) == 6


def test_slow_forks_are_waited_for_and_never_overshot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lever, "SET_SECONDS", 0.3)
    with master(1, "--slow", "0.5") as process:
        one, most, tries, told = build(pid=process.pid), 0, 0, ""
        while True:  # as a caller that sets again and again
            tries += 1
            try:
                do(lambda: one.set(3))
                break
            except Retryable as error:
                told = error.message
                most = max(most, living(process.pid))
        for _ in range(12):
            time.sleep(0.1)
            most = max(most, living(process.pid))
        assert (living(process.pid), most) == (3, 3) and tries > 2 and "of 3 workers after 0.3 s" in told


def test_the_time_runs_out_with_the_count_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lever, "SET_SECONDS", 0.5)
    with master(1, "--obey", "2") as process, pytest.raises(Retryable) as caught:
        do(lambda: build(pid=process.pid).set(8))
    assert "3 of 8 workers" in caught.value.message and "SIGTTIN to process" in caught.value.message


def test_a_signal_that_is_lost_for_good_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lever, "LOST_AFTER_SECONDS", 0.2)
    with master(2) as process:
        real, lost = pool.Pool.send, iter([True, True])
        monkeypatch.setattr(pool.Pool, "send", lambda *given: None if next(lost, False) else real(*given))
        do(lambda: build(pid=process.pid).set(3))
        assert living(process.pid) == 3


@pytest.mark.parametrize("target", [5, 1], ids=["while raising", "while lowering"])
def test_a_worker_that_dies_meanwhile(target: int) -> None:
    with master(3, "--slow", "0.1") as process:

        async def run() -> None:
            setting = asyncio.ensure_future(build(pid=process.pid).set(target))
            await asyncio.sleep(0.08)
            psutil.Process(process.pid).children()[0].kill()
            await setting

        do(run)
        time.sleep(0.5)
        assert living(process.pid) == target


def test_a_count_that_is_right_for_a_moment_only_is_not_taken_for_reached() -> None:
    with master(3, "--slow", "0.15") as process:
        one = build(pid=process.pid)
        psutil.Process(process.pid).children()[0].kill()
        while do(one.read) != 2:  # until the master has noticed, too
            pass
        do(lambda: one.set(2))
        time.sleep(0.4)
        assert living(process.pid) == 2


def test_a_cancelled_set_sends_nothing_more() -> None:
    with master(1, "--slow", "0.2") as process:

        async def run() -> None:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(build(pid=process.pid).set(8), 0.3)

        do(run)
        time.sleep(0.7)
        assert living(process.pid) <= 4


def test_zombies_and_other_children_do_not_count() -> None:
    code = (
        "import time\nfrom subprocess import Popen\n"
        "kept = [Popen(['true'])] + [Popen(['tail', '-f', '-s', seconds, '/dev/null']) for seconds in ('60', '61')]\n"
        "time.sleep(0.3); print('ready', flush=True); time.sleep(60)"
    )
    with running(sys.executable, "-c", code) as process:
        statuses = [child.status() for child in psutil.Process(process.pid).children()]
        assert psutil.STATUS_ZOMBIE in statuses and len(statuses) == 3
        assert do(build(pid=process.pid).read) == 2
        assert do(build(pid=process.pid, child_match=" 61 /dev/null$").read) == 1


def test_workers_that_share_the_masters_command_line_are_not_taken_for_it(tmp_path: Path) -> None:
    with master(3, "--pid-file", str(tmp_path / "by-pattern.pid")):
        assert do(build(match="by-pattern[.]pid").read) == 3


def test_two_matches_are_refused_and_named(tmp_path: Path) -> None:
    with master(1, "--pid-file", str(tmp_path / "twin.pid")) as one, master(1, "--pid-file", str(tmp_path / "twin.pid")) as other:
        with pytest.raises(Permanent, match="2 processes have a command line") as caught:
            do(lambda: build(match="twin[.]pid").set(4))
        assert str(one.pid) in str(caught.value) and str(other.pid) in str(caught.value)
        assert living(one.pid) == living(other.pid) == 1


def test_a_restarted_master_is_found_again(tmp_path: Path) -> None:
    file = tmp_path / "shop.pid"
    one = build(pid_file=str(file))
    for workers in (2, 3):
        with master(workers, "--pid-file", str(file)):
            assert do(one.read) == workers


def test_a_pid_that_is_given_to_another_process_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with master(1) as first, master(1) as second:
        one = build(pid=first.pid)
        assert do(one.read) == 1
        one._pool._finder._given = psutil.Process(second.pid)  # type: ignore[attr-defined]  # what stood there before
        with pytest.raises(Retryable, match="its id belongs to another now"):
            do(lambda: one.set(3))
        assert living(first.pid) == 1


def test_a_pid_file_older_than_the_process_is_a_leftover(tmp_path: Path) -> None:
    with master(1) as process:
        file = tmp_path / "shop.pid"
        file.write_text(str(process.pid))
        os.utime(file, (time.time() - 3600, time.time() - 3600))
        with pytest.raises(Retryable, match="is a leftover"):
            do(lambda: build(pid_file=str(file)).set(3))
        os.utime(file)
        assert do(build(pid_file=str(file)).read) == 1


@pytest.mark.parametrize(
    ("content", "expected", "words"),
    [
        pytest.param(None, Retryable, "is not there", id="no file"),
        pytest.param("", Retryable, "is empty", id="empty"),
        pytest.param("shop", Permanent, "no process's id", id="text"),
        pytest.param("-1", Permanent, "no process's id", id="everybody"),
        pytest.param("0", Permanent, "no process's id", id="our group"),
        pytest.param("1", Permanent, "no process's id", id="init"),
        pytest.param("99999999999", Permanent, "no process's id", id="beyond all"),
        pytest.param("dead", Retryable, "which has ended", id="dead"),
    ],
)
@pytest.mark.parametrize("method", ["read", "set"])
def test_pid_files(content: str | None, expected: type[LeverError], words: str, method: str, tmp_path: Path) -> None:
    file = tmp_path / "shop.pid"
    if content == "dead":
        with subprocess.Popen(["true"]) as process:
            process.wait()
        content = str(process.pid)
    if content is not None:
        file.write_text(content)
    with pytest.raises(expected, match=words) as caught:
        do(lambda: build(pid_file=str(file)).read() if method == "read" else build(pid_file=str(file)).set(3))
    assert caught.value.remedy


def test_a_program_that_does_not_catch_the_signal_never_gets_it() -> None:
    with running(*SLEEPER) as process:
        with pytest.raises(Permanent, match="does not catch SIGTTIN"):
            do(lambda: build(pid=process.pid).set(3))
        assert psutil.Process(process.pid).status() != psutil.STATUS_STOPPED


def test_our_own_group_is_never_signalled() -> None:
    code = "import signal, time; signal.signal(signal.SIGTTIN, print); print('ready', flush=True); time.sleep(60)"
    with running(sys.executable, "-c", code, apart=False) as process, pytest.raises(Permanent, match="own process group"):
        do(lambda: build(pid=process.pid).set(3))


def test_we_are_never_signalled() -> None:
    with pytest.raises(Permanent, match="is never signalled"):
        do(lambda: build(pid=os.getpid()).set(15))


def test_a_master_of_another_user_is_refused_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    with master(1) as process:
        monkeypatch.setattr(signal, "pidfd_send_signal", refuse)
        monkeypatch.setattr(os, "kill", refuse)
        with pytest.raises(Permanent, match=r"belongs to .*, and we may not signal it\. Run the agent as that user"):
            do(lambda: build(pid=process.pid).set(3))
        monkeypatch.undo()


@pytest.mark.parametrize("way", ["handle", "id"])
def test_both_ways_of_signalling(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "id":
        monkeypatch.delattr(os, "pidfd_open")
    with master(1) as process:
        do(lambda: build(pid=process.pid).set(2))
        assert living(process.pid) == 2


def test_the_pace_is_kept() -> None:
    with master(1) as process:
        began = time.monotonic()
        do(lambda: build(pid=process.pid, pace_seconds=0.4).set(3))
        assert time.monotonic() - began >= 0.4
