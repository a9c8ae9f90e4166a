"""Running a program: what it leaves behind is ended, nothing leaks, and it works beside any event loop."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from trimtab.systems.command.run import MAX_OUTPUT_BYTES, Runner, Trouble


def runner(folder: Path | str = ".", timeout_seconds: float = 20.0, **env: str) -> Runner:
    return Runner(str(folder), env, timeout_seconds)


def sh(code: str, folder: Path | str = ".", timeout_seconds: float = 20.0) -> str:
    return asyncio.run(runner(folder, timeout_seconds).run(["sh", "-c", code]))


def ends(pid: int) -> bool:
    """Whether a process is gone soon (or a zombie of somebody else's)."""
    for _ in range(200):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


@pytest.fixture(autouse=True)
def _no_child_is_left() -> Iterator[None]:
    before = set(psutil.Process().children())
    yield
    assert set(psutil.Process().children()) <= before, "a child, living or zombie, was left behind"


def test_a_program_that_takes_too_long_dies_with_all_its_family(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(Trouble, match=r"did not end within 0\.4 s and was killed") as caught:
        sh("echo $$ > pid; sleep 60 & echo $! > child; trap '' TERM; sleep 60", tmp_path, 0.4)
    assert caught.value.passing and time.monotonic() - began < 10.0
    assert ends(int((tmp_path / "pid").read_text())) and ends(int((tmp_path / "child").read_text()))


def test_what_is_left_in_the_background_is_ended_and_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    assert sh("sleep 60 & echo $! > child; echo 4", tmp_path) == "4\n"
    assert time.monotonic() - began < 10.0 and ends(int((tmp_path / "child").read_text()))


def test_a_daemon_that_leaves_the_group_lives_on_and_holds_up_nothing(tmp_path: Path) -> None:
    began = time.monotonic()
    assert sh("setsid sh -c 'echo $$ > daemon; exec sleep 60' & while ! test -s daemon; do :; done; echo 4", tmp_path) == "4\n"
    assert time.monotonic() - began < 10.0
    daemon = int((tmp_path / "daemon").read_text())
    try:
        assert psutil.Process(daemon).status() != psutil.STATUS_ZOMBIE
    finally:
        with suppress(ProcessLookupError):
            os.kill(daemon, signal.SIGKILL)


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_an_agent_that_stops_takes_its_programs_with_it(how: str, tmp_path: Path) -> None:
    async def run() -> None:
        one = runner(tmp_path)
        work = asyncio.ensure_future(one.run(["sh", "-c", "sleep 60 & echo $! > child; echo $$ > pid; sleep 60"]))
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():  # noqa: ASYNC110 - a file tells
            await asyncio.sleep(0.01)
        if how == "cancel":
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
        else:
            one.close()
            with pytest.raises(Trouble, match="was ended by SIGKILL"):
                await work
        one.close()

    asyncio.run(run())
    assert ends(int((tmp_path / "pid").read_text())) and ends(int((tmp_path / "child").read_text()))


def test_nothing_leaks_in_two_hundred_runs() -> None:
    async def run() -> tuple[int, int]:
        one, own = runner(), psutil.Process()
        await one.run(["true"])
        before = own.num_fds()
        for index in range(200):
            with suppress(Trouble):
                await one.run(["true"] if index % 3 else ["false"] if index % 2 else ["./none"])
        return before, own.num_fds()

    before, after = asyncio.run(run())
    assert after == before


def test_many_at_once_do_not_mix_up_their_words() -> None:
    async def run() -> list[str]:
        one = runner()
        return list(await asyncio.gather(*(one.run(["echo", str(index)]) for index in range(20))))

    assert asyncio.run(run()) == [f"{index}\n" for index in range(20)]


def test_it_works_where_the_loop_is_not_the_main_threads() -> None:
    said: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        thread = threading.Thread(target=lambda: said.append(sh("echo 4")))
        thread.start()
        thread.join(30)
    assert said == ["4\n"]


@pytest.mark.parametrize(
    ("count", "fits"),
    [(MAX_OUTPUT_BYTES, True), (MAX_OUTPUT_BYTES + 1, False), (30 * 2**20, False)],
    ids=["all", "more", "30 MiB"],
)
def test_output_is_bounded(count: int, fits: bool) -> None:
    code = f"head -c {count} /dev/zero | tr '\\0' 9"
    if fits:
        assert sh(code) == "9" * count
    else:
        with pytest.raises(Trouble, match="wrote more than 64 KiB"):
            sh(code)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("exec yes", "sh wrote more than 64 KiB and was killed"),
        ("exec yes >&2", "sh wrote more than 4096 KiB and was killed"),
        ("yes & wait", "sh wrote more than 64 KiB and was killed"),
    ],
    ids=["output", "errors", "a child of it"],
)
def test_a_program_that_writes_without_end_is_killed_at_the_limit_and_not_at_the_time_limit(
    tmp_path: Path, code: str, says: str
) -> None:
    began = time.monotonic()
    with pytest.raises(Trouble) as caught:
        sh(f"echo $$ > pid; {code}", tmp_path, 60.0)
    assert caught.value.message == says and caught.value.passing, "what it had done by then is in doubt"
    assert time.monotonic() - began < 20.0 and ends(int((tmp_path / "pid").read_text()))


def test_errors_are_bounded_and_their_last_line_is_told() -> None:
    with pytest.raises(Trouble) as caught:
        sh("head -c 300000 /dev/zero | tr '\\0' x >&2; echo >&2; printf 'disk\\tfull \\033[31m\\n\\n' >&2; exit 3")
    assert caught.value.message == "sh failed with exit status 3: disk full ?[31m"


def test_a_program_that_says_nothing_of_its_failure() -> None:
    with pytest.raises(Trouble, match="exit status 3 and wrote nothing to standard error"):
        sh("exit 3")


def test_no_process_to_be_had_is_a_passing_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
    with pytest.raises(Trouble, match="could not be started: Resource temporarily unavailable") as caught:
        sh("true")
    assert caught.value.passing
