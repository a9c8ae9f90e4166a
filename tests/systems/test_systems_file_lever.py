"""The file lever and sensor on real files: laws, crashes, full disks, foreign hands, signals to real processes."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from trimtab.config import load
from trimtab.domain.errors import ConfigError, LeverError, Permanent, Retryable, SensorError
from trimtab.domain.levers import LeverKind, LeverSpec, LeverValue
from trimtab.domain.ports import Lever, Restorable, Sensor
from trimtab.systems.file import LEVERS, SENSORS
from trimtab.systems.file.replace import read, replace
from trimtab.testing.levers import LeverConformance
from trimtab.testing.sensors import SensorConformance

NOW = 1_700_000_000.0
SPECS = {
    LeverKind.INTEGER: LeverSpec("size", "shop", LeverKind.INTEGER, (1, 64)),
    LeverKind.FLOAT: LeverSpec("size", "shop", LeverKind.FLOAT, (0.0, 1.0), step=0.05),
    LeverKind.CHOICE: LeverSpec("size", "shop", LeverKind.CHOICE, choices=("small", "large")),
    LeverKind.BOOLEAN: LeverSpec("size", "shop", LeverKind.BOOLEAN),
}


def lever(path: Path, spec: LeverSpec = SPECS[LeverKind.INTEGER], **more: object) -> Lever:
    kind = LEVERS["file"]
    shape = {"kind": spec.kind, "bounds": spec.bounds, "step": spec.step, "choices": spec.choices}
    options = kind.options.model_validate({"type": "file", "name": spec.name, "path": path, **shape, **more})
    return kind.build(options, spec, None)  # type: ignore[arg-type]


def sensor(path: Path, **more: object) -> Sensor:
    kind = SENSORS["file"]
    return kind.build(kind.options.model_validate({"type": "file", "path": path, **more}), "shop", None)  # type: ignore[arg-type]


async def _awaited(call: Awaitable[Any]) -> Any:
    return await call


def set_to(moved: Lever, value: LeverValue) -> None:
    asyncio.run(_awaited(moved.set(value)))


def refusal(call: Awaitable[Any]) -> LeverError:
    with pytest.raises(LeverError) as caught:
        asyncio.run(_awaited(call))
    return caught.value


class _Laws(LeverConformance):
    content: bytes
    kind = LeverKind.INTEGER
    values = (2, 5)
    more: ClassVar[dict[str, object]] = {}

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> Iterator[None]:
        self.path = tmp_path / "conf"
        self.path.write_bytes(self.content)
        yield
        assert [file.name for file in tmp_path.iterdir()] == ["conf"], "nothing is left behind"

    async def make(self) -> Lever:
        return lever(self.path, SPECS[self.kind], **self.more)

    async def make_unreachable(self) -> Lever:
        return lever(self.path.with_name("none"), SPECS[self.kind], **self.more)


class TestText(_Laws):
    content = b"99\n"


class TestTextBoolean(_Laws):
    content, kind, values = b"1", LeverKind.BOOLEAN, (False, True)


class TestJson(_Laws):
    content, kind, values, more = b'{"pool": {"size": 0.5}}', LeverKind.FLOAT, (0.25, 1.0), {"format": "json", "key": "pool.size"}


class TestYaml(_Laws):
    content, kind, values = b"pool: {size: small}  # why\n", LeverKind.CHOICE, ("large", "small")
    more: ClassVar[dict[str, object]] = {"format": "yaml", "key": "pool.size"}


class TestIni(_Laws):
    content, kind, values = b"[pool]\r\nsize = Yes ; why\r\n", LeverKind.BOOLEAN, (False, True)
    more: ClassVar[dict[str, object]] = {"format": "ini", "key": "size", "section": "pool"}


class TestProperties(_Laws):
    content, more = b"name=caf\xe9\npool.size: 8\n", {"format": "properties", "key": "pool.size"}


class TestEnv(_Laws):
    content, more = b"export SIZE='8' # why", {"format": "env", "key": "SIZE"}


class TestSensorLaws(SensorConformance):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "stats.json"
        self.path.write_text('{"queue": {"length": 3}}')

    async def make(self) -> Sensor:
        return sensor(self.path, metric="queue_length", format="json", key="queue.length")

    async def make_silent(self) -> Sensor:
        self.path.write_text("no json")
        return sensor(self.path, metric="queue_length", format="json", key="queue.length")


def test_bytes_of_another_encoding_go_through_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    path.write_bytes(b"name=caf\xe9\xff\r\nSIZE=8\r\n# \x80\x0b\x0c")
    set_to(lever(path, format="env", key="SIZE"), 4)
    assert path.read_bytes() == b"name=caf\xe9\xff\r\nSIZE=4\r\n# \x80\x0b\x0c"


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o755])
def test_mode_and_owner_stay_and_links_lead_to_the_new_file(tmp_path: Path, mode: int) -> None:
    (tmp_path / "real").mkdir()
    path, link = tmp_path / "real" / "conf", tmp_path / "link"
    path.write_text("8\n")
    path.chmod(mode)
    (tmp_path / "hop").symlink_to("real/conf")
    link.symlink_to("hop")
    if os.geteuid() == 0:
        os.chown(path, 12345, 54321)
    before = path.stat()
    set_to(lever(link), 4)
    after = path.stat()
    assert path.read_text() == link.read_text() == "4\n" and link.is_symlink() and not path.is_symlink()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino
    assert sorted(file.name for file in path.parent.iterdir()) == ["conf"]


def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    path.write_text("8\n")
    before = path.stat()
    set_to(lever(path), 8)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_extended_attributes_stay(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    path.write_text("8")
    try:
        os.setxattr(path, "user.note", b"keep me")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    set_to(lever(path), 4)
    assert os.getxattr(path, "user.note") == b"keep me"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of another owner")
@pytest.mark.parametrize(
    ("folder_mode", "words"),
    [(0o777, "belongs to user 0"), (0o755, "cannot be replaced")],
    ids=["foreign owner", "closed folder"],
)
def test_what_the_agent_may_not_do_is_refused_and_leaves_the_file(tmp_path: Path, folder_mode: int, words: str) -> None:
    for above in (tmp_path, *(parent for parent in tmp_path.parents if parent.name.startswith(("pytest-", "popen-")))):
        above.chmod(0o755)  # pytest keeps its folders to their owner
    folder = tmp_path / "etc"
    folder.mkdir()
    folder.chmod(folder_mode)
    path = folder / "conf"
    path.write_text("8")
    path.chmod(0o666)
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgid(65534)
        os.setuid(65534)
        try:
            replace(read(path), b"4")
        except Permanent as error:
            os.write(write_end, str(error).encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as told:
        assert words in told.read()
    os.waitpid(child, 0)
    assert path.read_text() == "8" and list(folder.iterdir()) == [path]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda path: path.with_name("other").hardlink_to(path), "2 hard links", id="hard link"),
        pytest.param(lambda path: path.unlink(), "there is no file", id="missing"),
        pytest.param(lambda path: (path.unlink(), path.symlink_to("nowhere")), "there is no file", id="dangling link"),
        pytest.param(lambda path: (path.unlink(), path.symlink_to("conf")), "cannot be read", id="link to itself"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), "cannot be read|no regular file", id="folder"),
        pytest.param(lambda path: (path.unlink(), os.mkfifo(path)), "no regular file", id="pipe"),
        pytest.param(lambda path: os.truncate(path, 20 * 1024 * 1024), "larger than 16 MiB", id="huge"),
    ],
)
def test_what_cannot_be_replaced_is_permanent(tmp_path: Path, make: Any, words: str) -> None:
    path = tmp_path / "conf"
    path.write_text("8")
    make(path)
    before = sorted(file.name for file in tmp_path.iterdir())
    error = refusal(lever(path).set(4))
    assert isinstance(error, Permanent) and any(word in str(error) for word in words.split("|"))
    assert sorted(file.name for file in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("theirs", "after"),
    [
        pytest.param(lambda path: path.write_text("16"), "16", id="written in place"),
        pytest.param(lambda path: (path.with_name("n").write_text("16"), path.with_name("n").replace(path)), "16", id="replaced"),
        pytest.param(
            lambda path: (path.with_name("n").write_text("8"), path.with_name("n").replace(path)), "8", id="by the same"
        ),
        pytest.param(lambda path: path.unlink(), None, id="removed"),
    ],
)
def test_what_somebody_else_writes_at_the_same_moment_is_not_overwritten(tmp_path: Path, theirs: Any, after: str | None) -> None:
    path = tmp_path / "conf"
    path.write_text("8")
    ours = read(path)
    theirs(path)
    with pytest.raises(LeverError) as caught:
        replace(ours, b"4")
    assert after is None or isinstance(caught.value, Retryable)
    assert [file.read_text() for file in tmp_path.iterdir()] == ([] if after is None else [after])


SETTER = """
import asyncio, os, resource, sys
from pathlib import Path
from trimtab.domain.levers import LeverKind, LeverSpec
from trimtab.systems.file import LEVERS
small, large = "a" * 300_000, "b" * 400_000
spec = LeverSpec("size", "shop", LeverKind.CHOICE, choices=(small, large))
options = LEVERS["file"].options.model_validate(
    {"type": "file", "name": "size", "kind": "choice", "choices": (small, large), "path": Path(sys.argv[1])}
)
lever = LEVERS["file"].build(options, spec, None)
async def for_ever():
    print("ready", flush=True)
    while True:
        await lever.set(large)
        await lever.set(small)
async def on_a_full_disk():
    resource.setrlimit(resource.RLIMIT_FSIZE, (350_000, 350_000))
    try:
        await lever.set(large)
    except Exception as error:
        print(type(error).__name__, error, flush=True)
asyncio.run(for_ever() if sys.argv[2] == "for ever" else on_a_full_disk())
"""


@contextmanager
def setter(path: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", SETTER, str(path), how], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_kill_9_in_the_midst_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    path.write_text("a" * 300_000)
    whole = {"a" * 300_000, "b" * 400_000}
    for turn in range(3):
        with setter(path, "for ever") as process:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            until = time.monotonic() + 0.02 + 0.02 * turn
            while time.monotonic() < until:
                assert path.read_text() in whole  # a reader never sees a part, either
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert path.read_text() in whole
    for file in tmp_path.iterdir():
        os.utime(file, (NOW, NOW))  # what the dead left is old by now
    set_to(lever(path, LeverSpec("x", "shop", LeverKind.CHOICE, choices=("c", "d"))), "c")
    assert [file.name for file in tmp_path.iterdir()] == ["conf"]


@pytest.mark.parametrize(("age", "stays"), [(0.0, True), (300.0, True), (3600.0, False)], ids=["new", "minutes", "an hour"])
def test_only_what_is_old_was_left_behind(tmp_path: Path, age: float, stays: bool) -> None:
    """Another process of ours may be writing the same file at this moment: its temporary file is not ours to remove."""
    path, other = tmp_path / "co[n]f", tmp_path / ".co[n]f.trimtab-abcd1234"
    stranger = tmp_path / ".conf.trimtab-abcd1234"
    path.write_text("8")
    for file in (other, stranger):
        file.write_text("16")
        os.utime(file, (time.time() - age,) * 2)
    set_to(lever(path), 4)
    assert path.read_text().strip() == "4"
    assert other.exists() == stays and stranger.exists(), "what belongs to another file stays"


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    path.write_text("a" * 300_000)
    with setter(path, "full") as process:
        assert process.stdout is not None
        told = process.stdout.read()
    assert told.startswith("Retryable") and "free space" in told
    assert path.read_text() == "a" * 300_000 and list(tmp_path.iterdir()) == [path]


PROGRAM = """
import signal, sys
signal.signal(signal.SIGHUP, lambda *_: print("HUP", flush=True))
signal.signal(signal.SIGUSR1, lambda *_: print("USR1", flush=True))
print("ready", flush=True)
while True:
    signal.pause()
"""


WAITING = """
import signal, threading
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
threading.Thread(target=signal.sigwait, args=({signal.SIGHUP},)).start()
print("ready", flush=True)
"""


@contextmanager
def program(pid_file: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        pid_file.write_text(f"{process.pid}\n")
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", ["HUP", "USR1"])
def test_the_program_is_told_after_each_change_and_told_again_when_asked_again(tmp_path: Path, name: str) -> None:
    path, pid_file = tmp_path / "conf", tmp_path / "pid"
    path.write_text("8")
    moved = lever(path, notify={"signal": name, "pid_file": pid_file})
    with program(pid_file) as process:
        for value in (4, 4, 8):
            set_to(moved, value)
            assert process.stdout is not None and process.stdout.readline() == f"{name}\n"
            assert path.read_text() == str(value)


@pytest.mark.parametrize(
    ("pid", "kind", "words"),
    [
        (None, Retryable, "No such file"),
        ("", Retryable, "names no process"),
        ("many", Permanent, "names no process"),
        ("1", Permanent, "names no process"),
        ("-5", Permanent, "names no process"),
        ("99999999999", Permanent, "names no process"),
        ("4194305", Retryable, "not"),
        pytest.param(str(os.getpid()), Permanent, "the agent itself", id="our own"),
    ],
)
def test_where_nobody_can_be_told_nothing_is_written(tmp_path: Path, pid: str | None, kind: type[LeverError], words: str) -> None:
    path, pid_file = tmp_path / "conf", tmp_path / "pid"
    path.write_text("8")
    if pid is not None:
        pid_file.write_text(pid)
    moved = lever(path, notify={"pid_file": pid_file})
    before = path.stat().st_ino
    error = refusal(moved.set(4))
    assert isinstance(error, kind) and words in str(error) and "nothing was written" in str(error)
    assert (path.read_text(), path.stat().st_ino) == ("8", before)
    assert asyncio.run(_awaited(moved.read())) == 8, "nothing is owed for what was not written"


def test_a_program_that_the_signal_would_end_is_not_sent_it(tmp_path: Path) -> None:
    path, pid_file = tmp_path / "conf", tmp_path / "pid"
    path.write_text("8")
    moved = lever(path, notify={"signal": "USR2", "pid_file": pid_file})
    with program(pid_file) as process:
        error = refusal(moved.set(4))
        assert isinstance(error, Permanent) and "does not catch it" in str(error)
        assert process.poll() is None and path.read_text() == "8"


@pytest.fixture
def unforeseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the look beforehand would find comes to be only after it."""
    monkeypatch.setattr("trimtab.systems.file.lever.check", lambda notify: None)


def test_a_value_that_no_program_was_told_of_is_put_back(tmp_path: Path, unforeseen: None) -> None:
    path, pid_file = tmp_path / "conf", tmp_path / "pid"
    path.write_text("8 \n")
    moved = lever(path, notify={"pid_file": pid_file})
    error = refusal(moved.set(4))
    assert isinstance(error, Retryable) and "put back" in str(error)
    assert path.read_text() == "8 \n"
    assert asyncio.run(_awaited(moved.read())) == 8, "a program that is not there reads the file at its start"


def test_a_telling_that_is_owed_comes_before_the_next_read(tmp_path: Path, unforeseen: None) -> None:
    path, pid_file = tmp_path / "conf", tmp_path / "pid"
    path.write_text("8")
    pid_file.write_text("many")
    moved = lever(path, notify={"pid_file": pid_file})
    refusal(moved.set(4))
    assert path.read_text() == "8"
    for _ in range(2):
        error = refusal(moved.read())
        assert isinstance(error, Retryable) and "names no process" in str(error)
    with program(pid_file) as process:
        assert asyncio.run(_awaited(moved.read())) == 8
        assert process.stdout is not None and process.stdout.readline() == "HUP\n"
        assert asyncio.run(_awaited(moved.read())) == 8
        set_to(moved, 4)
        assert process.stdout.readline() == "HUP\n", "told once for each: the second read owed nothing"


def test_a_disk_that_fails_right_after_the_replacement_leaves_the_telling_owed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pid_file = tmp_path / "conf", tmp_path / "pid"
    path.write_text("8")
    moved = lever(path, notify={"pid_file": pid_file})
    with program(pid_file) as process:
        with monkeypatch.context() as patched:
            patched.setattr("trimtab.systems.file.replace._sync", _fail)
            assert isinstance(refusal(moved.set(4)), Retryable)
        assert path.read_text() == "4"
        assert asyncio.run(_awaited(moved.read())) == 4
        assert process.stdout is not None and process.stdout.readline() == "HUP\n"


def _fail(folder: Path) -> None:
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize(("pid", "told"), [(None, True), ("4194305", True), ("many", False)], ids=["none", "ended", "unclear"])
def test_an_undo_is_written_also_where_the_program_is_gone(tmp_path: Path, pid: str | None, told: bool) -> None:
    """It may have ended of what is undone."""
    path, pid_file = tmp_path / "conf", tmp_path / "pid"
    path.write_text("4")
    if pid is not None:
        pid_file.write_text(pid)
    moved = lever(path, notify={"pid_file": pid_file})
    assert isinstance(moved, Restorable)
    if told:
        asyncio.run(_awaited(moved.restore(8)))
        assert asyncio.run(_awaited(moved.read())) == 8
    else:
        assert isinstance(refusal(moved.restore(8)), Retryable) and isinstance(refusal(moved.read()), Retryable)
    assert path.read_text() == "8"


def test_a_program_that_waits_for_the_signal_without_a_handler_gets_it(tmp_path: Path) -> None:
    path, pid_file = tmp_path / "conf", tmp_path / "pid"
    path.write_text("8")
    with subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        pid_file.write_text(str(process.pid))
        try:
            set_to(lever(path, notify={"pid_file": pid_file}), 4)
            assert process.wait(5) == 0
        finally:
            process.kill()


def test_a_process_that_only_has_the_number_of_the_one_meant_is_left_alone(tmp_path: Path) -> None:
    path, pid_file = tmp_path / "conf", tmp_path / "pid"
    path.write_text("8")
    with program(pid_file) as process:
        os.utime(pid_file, (NOW, NOW))
        error = refusal(lever(path, notify={"pid_file": pid_file}).set(4))
        assert isinstance(error, Retryable) and "younger" in str(error)
        assert process.poll() is None


def test_a_value_with_a_meaning_of_its_own_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    path.write_text("SIZE=small\n")
    spec = LeverSpec("size", "shop", LeverKind.CHOICE, choices=("small", "$(reboot)"))
    error = refusal(lever(path, spec, format="env", key="SIZE").set("$(reboot)"))
    assert isinstance(error, Permanent) and path.read_text() == "SIZE=small\n"


@pytest.mark.parametrize(
    ("content", "more", "value"),
    [
        ("12.5\n", {}, 12.5),
        ("a lot", {}, math.nan),
        ("", {}, math.nan),
        ('{"q": {"length": 3}}', {"format": "json", "key": "q.length"}, 3.0),
        ('{"q": {"length": "3"}}', {"format": "json", "key": "q.length"}, math.nan),
        ('{"q": {}}', {"format": "json", "key": "q.length"}, None),
    ],
)
def test_a_number_its_age_and_size_are_read(tmp_path: Path, content: str, more: dict[str, str], value: float | None) -> None:
    path = tmp_path / "stats"
    path.write_text(content)
    os.utime(path, (NOW - 90.0, NOW - 90.0))
    readings = asyncio.run(_awaited(sensor(path, metric="queue_length", **more).read(NOW)))
    found = {reading.series.name: reading.value for reading in readings}
    assert found["file_age_seconds"] == 90.0 and found["file_size_bytes"] == len(content)
    assert ("queue_length" in found) == (value is not None)
    assert value is None or found["queue_length"] == value or (math.isnan(value) and math.isnan(found["queue_length"]))


def test_a_file_from_the_future_is_not_younger_than_new_and_one_that_is_missing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "stats"
    path.write_text("1")
    assert asyncio.run(_awaited(sensor(path).read(NOW)))[0].value == 0.0
    path.unlink()
    with pytest.raises(SensorError, match="there is no file"):
        asyncio.run(_awaited(sensor(path).read(NOW)))


def configured(tmp_path: Path, part: str, keys: str) -> Any:
    file = tmp_path / "trimtab.yaml"
    common = "type: file, name: size, bounds: [1, 64]" if part == "levers" else "type: file"
    file.write_text(f"version: 1\nelements:\n  - name: shop\n    {part}:\n      - {{{common}, {keys}}}\n")
    types: dict[str, Any] = {
        "levers": {"file": LEVERS["file"].options},
        "sensors": {"file": SENSORS["file"].options},
    }
    return getattr(load(file, environ={}, **types).elements[0], part)[0]


@pytest.mark.parametrize(
    ("part", "keys", "words"),
    [
        ("levers", "path: conf, format: json", "needs a key"),
        ("levers", "path: conf, key: size", "has no key"),
        ("levers", "path: conf, format: json, key: a..b", "is not a path"),
        ("levers", "path: conf, format: env, key: A=B", "is no key of a line"),
        ("levers", "path: conf, format: env, key: A, section: b", "has no sections"),
        ("levers", "path: conf, notify: {pid_file: pid, signal: KILL}", "signal"),
        ("levers", "format: text", "path"),
        ("sensors", "path: conf, format: json, key: a", "the number has no name"),
        ("sensors", "path: conf, metric: a, format: json", "needs a key"),
    ],
)
def test_mistakes_in_the_configuration_are_told(tmp_path: Path, part: str, keys: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, part, keys)
    assert words in str(caught.value)


def test_paths_are_taken_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    options = configured(tmp_path, "levers", "path: etc/conf, format: ini, key: a, section: b, notify: {pid_file: run/pid}")
    assert options.path == tmp_path / "etc" / "conf" and options.notify.pid_file == tmp_path / "run" / "pid"
    assert configured(tmp_path, "sensors", "path: stats, metric: depth").path == tmp_path / "stats"
