"""A backup is whole or not there at all; a restore takes nothing on trust and deletes nothing."""

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import tracemalloc
from pathlib import Path

import pytest

from trimtab.domain.access import Role
from trimtab.domain.actions import ActionState
from trimtab.domain.errors import AlreadyRunning, Conflict, JournalCorrupt, StoreDamaged, StoreError
from trimtab.domain.metrics import Reading, Series
from trimtab.storage import archive, backup, restore
from trimtab.storage.folder import DataFolder
from trimtab.storage.journal import SqliteJournal
from trimtab.storage.metrics import SqliteMetricStore
from trimtab.storage.tokens import TokenStore
from trimtab.testing.records import run, write_life

SERIES = Series.named("queue_length", "shop")
KEY = b"k" * 32


def filled(path, key=None, actions=3):
    """A data folder with a few actions, samples and a token."""
    folder = DataFolder(path)
    journal = SqliteJournal(folder.journal_path, key=key)
    for number in range(actions):
        run(write_life(journal, f"a{number}", ActionState.IGNORED, at=float(number)))
    run(journal.close())
    store = SqliteMetricStore(folder.metrics_path)
    run(store.write([Reading(SERIES, 1.0, float(at)) for at in range(100)]))
    run(store.close())
    TokenStore(folder.access_path).create("ann", Role.OPERATOR, now=0.0)
    return folder


def backed_up(folder, target, key=None, config=None, force=False):
    return backup.back_up(folder, target, config=config, key=key, version="0.1.0", now=1e9, force=force)


def restored(file, folder, key=None, force=False):
    return restore.restore(file, folder, key=key, now=1e9, force=force)


def ids(folder, key=None):
    journal = SqliteJournal(folder / "journal.db", key=key)
    try:
        run(journal.verify())
        return [record.action_id for record in run(journal.recent(99))]
    finally:
        run(journal.close())


@pytest.mark.parametrize("key", [None, KEY], ids=["no key", "key"])
def test_what_was_backed_up_comes_back(tmp_path, key):
    folder = filled(tmp_path / "data", key)
    (tmp_path / "t.yaml").write_text("version: 1\n")
    file, manifest = backed_up(folder, tmp_path / "b.tar.gz", key, tmp_path / "t.yaml")
    assert file.stat().st_mode & 0o777 == 0o600
    assert (manifest.rows, set(manifest.members)) == (6, {"journal.db", "metrics.db", "access.json", "trimtab.yaml"})
    with tarfile.open(file) as opened:
        assert opened.getnames()[0] == "manifest.json"
        assert opened.extractfile("trimtab.yaml").read() == b"version: 1\n"
    found, aside = restored(file, tmp_path / "new" / "data", key)
    assert (found, aside) == (manifest, None)
    assert ids(tmp_path / "new" / "data", key) == ["a2", "a1", "a0"]
    assert len(run(SqliteMetricStore(tmp_path / "new/data/metrics.db").query(SERIES.metric_id, 0.0, 99.0))) == 100
    assert [token.name for token in TokenStore(tmp_path / "new/data/access.json").list()] == ["ann"]
    assert (tmp_path / "new/data").stat().st_mode & 0o777 == 0o700
    assert not (tmp_path / "new/data/trimtab.yaml").exists(), "a configuration is never replaced behind somebody's back"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.gz", "data", "new", "t.yaml"]


def test_a_backup_of_a_running_agent_is_one_moment_of_it(tmp_path):
    """Somebody writes all the time; the copy is a state that there was, and the writer is not held up."""
    folder, stop, written = filled(tmp_path / "data"), threading.Event(), []
    journal = SqliteJournal(folder.journal_path)

    def write():
        while not stop.is_set():
            run(write_life(journal, f"b{len(written)}", ActionState.IGNORED, at=100.0 + len(written)))
            written.append(1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        _, manifest = backed_up(folder, tmp_path / "b.tar.gz")
        during = len(written)
    finally:
        stop.set()
        writer.join()
    assert 6 <= manifest.rows <= 6 + 2 * during + 2
    restored(tmp_path / "b.tar.gz", tmp_path / "copy")
    assert len(ids(tmp_path / "copy")) in (manifest.rows // 2, (manifest.rows + 1) // 2)
    assert run(journal.verify()) == 6 + 2 * len(written)


class WrittenMeanwhile:
    """A connection to be copied from, between whose steps somebody calls `write`."""

    def __init__(self, real, write):
        self.real, self.write = real, write

    def backup(self, target, **how):
        self.real.backup(target, **how, progress=lambda *_: self.write())

    def close(self):
        self.real.close()


def test_each_database_is_copied_as_it_was_when_its_copy_began(tmp_path, monkeypatch):
    """Else a copy would begin anew with each row that the agent writes, and end when nobody writes any more."""
    folder, real, written = filled(tmp_path / "data", actions=40), backup._snapshot, []
    journal = SqliteJournal(folder.journal_path)
    store = SqliteMetricStore(folder.metrics_path)

    def write():
        if len(written) < 100:  # so that a copy that begins anew ends at all, and is noticed
            written.append(run(write_life(journal, f"b{len(written)}", ActionState.IGNORED, at=100.0 + len(written))))
            run(store.write([Reading(SERIES, 2.0, 200.0 + len(written))]))

    monkeypatch.setattr(backup, "STEP_PAGES", 2)
    monkeypatch.setattr(backup, "_snapshot", lambda path: WrittenMeanwhile(real(path), write))
    _, manifest = backed_up(folder, tmp_path / "b.tar.gz")
    run(journal.close())
    run(store.close())
    restored(tmp_path / "b.tar.gz", tmp_path / "copy")
    copied = ids(tmp_path / "copy")
    while_metrics_were_copied = len(copied) - 40
    assert manifest.rows == 2 * len(copied)
    assert 2 < while_metrics_were_copied < len(written) - 2 < 98, "rows came between the steps of either copy"
    assert copied[-1] == "a0" and copied[0] == f"b{while_metrics_were_copied - 1}"
    samples = run(SqliteMetricStore(tmp_path / "copy" / "metrics.db").query(SERIES.metric_id, 0.0, 999.0))
    assert len(samples) == 100


def test_into_a_folder_the_name_tells_the_time(tmp_path):
    (tmp_path / "backups").mkdir()
    file, _ = backed_up(filled(tmp_path / "data"), tmp_path / "backups")
    assert file == tmp_path / "backups" / "trimtab-20010909-014640.tar.gz"


def test_an_earlier_backup_is_replaced_only_by_force(tmp_path):
    folder, target = filled(tmp_path / "data"), tmp_path / "b.tar.gz"
    target.write_text("precious")
    with pytest.raises(StoreError, match=r"exists\. .*--force"):
        backed_up(folder, target)
    assert target.read_text() == "precious"
    backed_up(folder, target, force=True)
    assert tarfile.is_tarfile(target)


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("b.zip", "neither a folder.*ends in .tar.gz"),
        ("nowhere/b.tar.gz", "no folder"),
        ("data/b.tar.gz", "in the data folder itself"),
        ("data", "in the data folder itself"),
    ],
)
def test_a_place_that_will_not_do_is_said_before_anything_is_written(tmp_path, target, says):
    folder = filled(tmp_path / "data")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StoreError, match=says):
        backed_up(folder, tmp_path / target)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_does_not_hold_is_not_called_a_backup(tmp_path):
    folder, target = filled(tmp_path / "data", KEY), tmp_path / "b.tar.gz"
    with pytest.raises(JournalCorrupt, match="another key"):
        backed_up(folder, target, b"wrong")
    raw = bytearray(folder.metrics_path.read_bytes())
    raw[4096:8192] = b"\xff" * 4096
    folder.metrics_path.write_bytes(raw)
    with pytest.raises(StoreError, match=r"metrics\.db.*damaged"):
        backed_up(folder, target, KEY)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("earlier", [False, True], ids=["new", "over an earlier one"])
@pytest.mark.parametrize("fault", ["a byte flipped", "cut short"])
def test_a_backup_that_does_not_read_back_is_none(tmp_path, monkeypatch, fault, earlier):
    """A disk that writes something else than it was given."""
    folder, target, real = filled(tmp_path / "data"), tmp_path / "b.tar.gz", backup.pack

    def badly(scratch, manifest, file):
        real(scratch, manifest, file)
        file.flush()
        middle = file.tell() // 2
        if fault == "cut short":
            file.truncate(middle)
        else:
            os.pwrite(file.fileno(), bytes([os.pread(file.fileno(), 1, middle)[0] ^ 1]), middle)

    if earlier:
        target.write_text("precious")
    monkeypatch.setattr(backup, "pack", badly)
    with pytest.raises(StoreError, match="no backup that can be used"):
        backed_up(folder, target, force=earlier)
    assert sorted(path.name for path in tmp_path.iterdir()) == (["b.tar.gz", "data"] if earlier else ["data"])
    assert not earlier or target.read_text() == "precious"


def rewritten(file, change):
    """The same archive with `change(name, content) -> (TarInfo, content) | None` over each member."""
    members = []
    with tarfile.open(file) as opened:
        for member in opened:
            members.append((member.name, opened.extractfile(member).read()))
    with tarfile.open(file, "w:gz") as again:
        for name, content in members:
            for info, data in change(name, content):
                info.size = len(data) if info.isreg() else 0
                again.addfile(info, io.BytesIO(data))


def info(name, kind=tarfile.REGTYPE, link=""):
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


def same(name, content):
    return [(info(name), content)]


def with_manifest(edit):
    def change(name, content):
        if name != "manifest.json":
            return same(name, content)
        document = json.loads(content)
        edit(document)
        return [(info(name), json.dumps(document).encode())]

    return change


with_stranger = with_manifest(lambda doc: doc["members"].update({"../x": {"bytes": 1, "sha256": ""}}))


def added(*extra):
    return lambda name, content: same(name, content) + ([(each, b"x") for each in extra] if name == "journal.db" else [])


def renamed(old, new):
    return lambda name, content: [(info(new if name == old else name), content)]


def flipped(name, content):
    if name != "journal.db":
        return same(name, content)
    middle = len(content) // 2
    return [(info(name), content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])]


BAD = {
    "a byte flipped": (flipped, "journal.db in it is not what was written"),
    "a member cut short": (
        lambda name, content: [(info(name), content[:-1] if name == "metrics.db" else content)],
        "metrics.db in it is not",
    ),
    "an absolute path": (added(info("/etc/trimtab-owned")), "does not belong"),
    "a path upwards": (added(info("../owned")), "does not belong"),
    "a link": (added(info("access.json", tarfile.SYMTYPE, "/etc/passwd")), "does not belong"),
    "a hard link": (added(info("access.json", tarfile.LNKTYPE, "journal.db")), "does not belong"),
    "a device": (added(info("access.json", tarfile.CHRTYPE)), "does not belong"),
    "a folder": (added(info("journal.db", tarfile.DIRTYPE)), "does not belong"),
    "a member twice": (lambda name, content: same(name, content) * (2 if name == "journal.db" else 1), "does not belong"),
    "a stranger": (added(info("notes.txt")), "does not belong"),
    "a stranger in the manifest": (
        lambda name, content: with_stranger(name, content)
        + (same("../x", b"x") if name == "journal.db" else []),
        "does not belong",
    ),
    "the journal missing": (lambda name, content: [] if name == "journal.db" else same(name, content), "lacks journal.db"),
    "no manifest": (lambda name, content: [] if name == "manifest.json" else same(name, content), "not begin with a manifest"),
    "a manifest that is none": (
        lambda name, content: [(info(name), b"[]" if name == "manifest.json" else content)],
        "manifest cannot be read",
    ),
    "a newer format": (with_manifest(lambda doc: doc.update(format=2, trimtab="9.9")), r"newer trimtab \(9\.9\).*format is 2"),
    "another head": (with_manifest(lambda doc: doc.update(rows=5)), "not the one of its manifest"),
    "a length without end": (with_manifest(lambda doc: doc.update(rows=float("inf"))), "manifest cannot be read"),
    "a time that is none": (with_manifest(lambda doc: doc.update(made_at=float("nan"))), "manifest cannot be read"),
    "a time beyond all calendars": (with_manifest(lambda doc: doc.update(made_at=1e300)), "manifest cannot be read"),
    "a manifest too deep": (
        lambda name, content: [(info(name), b"[" * 200_000 if name == "manifest.json" else content)],
        "manifest cannot be read",
    ),
    "more than the disk holds": (
        with_manifest(lambda doc: doc["members"]["metrics.db"].update(bytes=10**18)),
        "there are only .* MB free",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "says"), BAD.values(), ids=BAD.keys())
def test_a_backup_that_was_tampered_with_is_refused_and_nothing_is_touched(tmp_path, change, says):
    folder, file = filled(tmp_path / "data"), tmp_path / "b.tar.gz"
    backed_up(folder, file)
    rewritten(file, change)
    before = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
    with pytest.raises(StoreError, match=says) as caught:
        restored(file, folder.path, force=True)
    assert caught.value.remedy
    after = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file() and path.name != "agent.lock"}
    assert after == before


def header(kind, size, name="x"):
    """A tar header on its own, whatever follows."""
    made = info(name, kind)
    made.size = size
    return made.tobuf(tarfile.GNU_FORMAT)  # the one that can say -512, too


def pax(text):
    return header(b"x", len(text)) + text.ljust(-len(text) // 512 * -512, b"\0")


HUGE = 3 << 30  # bytes
HEADERS = {
    "a pax header of 3 GB": header(b"x", HUGE),
    "a global header of 3 GB": header(b"g", HUGE),
    "a long name of 3 GB": header(b"L", HUGE),
    "a long link of 3 GB": header(b"K", HUGE),
    "a header whose length is below zero": header(b"x", -512),
    "headers upon headers": pax(b"11 path=abc\n") * 20_000,
    "a sparse map that is none": pax(b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n") + header(b"0", 512) + b"x\n" * 256,
    "a number that is none": pax(b"22 GNU.sparse.map=1,x\n") + header(b"0", 0),
}


@pytest.mark.parametrize("where", ["first", "behind the manifest"])
@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_that_declares_too_much_is_refused_before_it_is_read(tmp_path, kind, where):
    folder, file = filled(tmp_path / "data"), tmp_path / "b.tar.gz"
    backed_up(folder, file)
    manifest = b""
    if where != "first":
        with tarfile.open(file) as opened:
            manifest = gzip.decompress(file.read_bytes())[: opened.getmembers()[1].offset]
    file.write_bytes(gzip.compress(manifest + HEADERS[kind] + bytes(64 << 20), 1))
    before = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
    tracemalloc.start()
    try:
        with pytest.raises(StoreError, match="no backup that can be used"):
            restored(file, folder.path, force=True)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20, "it was read into memory"
    finally:
        tracemalloc.stop()
    after = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file() and path.name != "agent.lock"}
    assert after == before


def test_no_memory_is_a_sentence_too(tmp_path, monkeypatch):
    def none_left(*_):
        raise MemoryError

    file = tmp_path / "b.tar.gz"
    backed_up(filled(tmp_path / "other"), file)
    monkeypatch.setattr(archive, "_manifest", none_left)
    with pytest.raises(StoreError, match="more memory than there is"):
        restored(file, tmp_path / "data")
    assert not (tmp_path / "data").exists() and not list(tmp_path.glob(".*"))


def test_a_member_longer_than_the_manifest_says_is_not_even_written(tmp_path):
    """Else a small manifest would pass the question whether there is room, and the disk be filled before the hash is wrong."""
    file, into = tmp_path / "b.tar.gz", tmp_path / "into"
    backed_up(filled(tmp_path / "data"), file)
    rewritten(file, lambda name, content: [(info(name), content + bytes(8 << 20) if name == "metrics.db" else content)])
    into.mkdir()
    with pytest.raises(StoreDamaged, match=r"metrics\.db in it is not what was written"):
        archive.unpack(file, into)
    assert not (into / "metrics.db").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no"),
        (b"", "no backup"),
        (b"hello" * 1000, "no backup"),
        (gzip.compress(b"hello" * 1000), "no backup"),
        ("cut", "no backup"),
    ],
    ids=["absent", "empty", "text", "no tar", "cut short"],
)
def test_a_file_that_is_no_backup_is_refused(tmp_path, content, says):
    file = tmp_path / "b.tar.gz"
    if content == "cut":
        backed_up(filled(tmp_path / "other"), file)
        file.write_bytes(file.read_bytes()[:-200])
    elif content is not None:
        file.write_bytes(content)
    with pytest.raises(StoreError, match=says):
        restored(file, tmp_path / "data")
    assert not (tmp_path / "data").exists() and not list(tmp_path.glob(".*"))


def test_a_wrong_key_is_found_before_anything_is_touched(tmp_path):
    folder, file = filled(tmp_path / "data", KEY), tmp_path / "b.tar.gz"
    backed_up(folder, file, KEY)
    with pytest.raises(JournalCorrupt, match="another key"):
        restored(file, folder.path, b"wrong", force=True)
    assert ids(folder.path, KEY) == ["a2", "a1", "a0"]


def test_present_data_are_moved_aside_and_only_by_force(tmp_path):
    file = tmp_path / "b.tar.gz"
    backed_up(filled(tmp_path / "old", actions=1), file)
    folder = filled(tmp_path / "data", actions=3)
    folder.switch_off("by hand")
    identity = folder.identity(create=True)
    with pytest.raises(Conflict, match=r"data in .* already.*--force"):
        restored(file, folder.path)
    _, aside = restored(file, folder.path, force=True)
    assert aside == tmp_path / "data.before-restore-20010909-014640"
    assert ids(folder.path) == ["a0"] and ids(aside) == ["a2", "a1", "a0"]
    assert folder.pause_path.exists(), "the switch that stops the agent stays where it is"
    assert folder.identity() == identity
    _, again = restored(file, folder.path, force=True)
    assert again == tmp_path / "data.before-restore-20010909-014640-2"


@pytest.mark.parametrize(
    ("notes", "paused"),
    [((), False), (("paused",), True), (("paused", "resumed"), False), (("resumed", "paused", "note"), True)],
    ids=["never", "paused", "resumed", "paused again"],
)
def test_a_pause_that_is_a_row_of_the_present_journal_outlives_it_as_the_file(tmp_path, notes, paused):
    file = tmp_path / "b.tar.gz"
    folder = filled(tmp_path / "data", KEY)
    backed_up(folder, file, KEY)
    journal = SqliteJournal(folder.journal_path, key=KEY)
    for at, kind in enumerate(notes):
        run(journal.note(kind, f"{kind} by ann", at=1e6 - at, actor="ann"))  # the clock is being set back meanwhile
    run(journal.close())
    restored(file, folder.path, KEY, force=True)
    assert folder.pause_path.exists() is paused
    if paused:
        assert "it was paused by ann before" in folder.pause_path.read_text()
    restored(file, folder.path, KEY, force=True)  # and stays
    assert folder.pause_path.exists() is paused


def test_a_journal_that_cannot_tell_whether_it_was_paused_is_taken_for_paused(tmp_path):
    file = tmp_path / "b.tar.gz"
    folder = filled(tmp_path / "data")
    backed_up(folder, file)
    folder.journal_path.write_bytes(b"no database at all" * 999)
    restored(file, folder.path, force=True)
    assert "cannot be told" in folder.pause_path.read_text() and ids(folder.path) == ["a2", "a1", "a0"]


@pytest.mark.parametrize("there", [True, False])
def test_whatever_pauses_by_its_name_is_carried_over(tmp_path, there):
    file = tmp_path / "b.tar.gz"
    folder = filled(tmp_path / "data")
    backed_up(folder, file)
    if there:
        folder.pause_path.symlink_to(tmp_path / "nowhere")
    restored(file, folder.path, force=True)
    assert folder.pause_path.is_file() is there


def test_once_the_backup_is_in_its_place_no_error_says_otherwise_and_nothing_is_deleted(tmp_path, monkeypatch):
    file = tmp_path / "b.tar.gz"
    backed_up(filled(tmp_path / "old", actions=1), file)
    folder = filled(tmp_path / "data", actions=3)

    def unconfirmed(path):
        if path == tmp_path:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(restore, "sync_folder", unconfirmed)
    with pytest.raises(StoreError, match="holds the backup, but the disk did not confirm it") as failure:
        restored(file, folder.path, force=True)
    assert "Nothing was changed" not in str(failure.value)
    assert ids(folder.path) == ["a0"]
    assert ids(tmp_path / "data.before-restore-20010909-014640") == ["a2", "a1", "a0"]


def test_while_an_agent_holds_the_folder_nothing_is_restored(tmp_path):
    folder, file = filled(tmp_path / "data"), tmp_path / "b.tar.gz"
    backed_up(folder, file)
    for force in (True, False):  # who holds them is told before whether they may be replaced
        with folder.lock(), pytest.raises(AlreadyRunning, match="Stop it first, then restore") as caught:
            restored(file, folder.path, force=force)
        assert "folder of its own" not in str(caught.value)
    with folder.lock(), pytest.raises(StoreError, match="there is no "):  # and before both, whether there is a backup
        restored(tmp_path / "none.tar.gz", folder.path)
    assert ids(folder.path) == ["a2", "a1", "a0"]


def test_a_folder_where_something_is_mounted_is_refused(tmp_path, monkeypatch):
    folder, file = filled(tmp_path / "data"), tmp_path / "b.tar.gz"
    backed_up(folder, file)
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == folder.path)
    with pytest.raises(StoreError, match=r"mounted.*name a folder inside"):
        restored(file, folder.path, force=True)


@pytest.mark.parametrize("way", ["at one stroke", "in steps"])
def test_two_folders_change_names(tmp_path, monkeypatch, way):
    if way == "in steps":
        monkeypatch.setattr(restore, "exchange", restore._exchange_in_steps)
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "is").write_text(name)
    restore.exchange(tmp_path / "a", tmp_path / "b")
    assert [(tmp_path / name / "is").read_text() for name in "ab"] == ["b", "a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


KILLED = """
import os, sys
from pathlib import Path
from trimtab.storage import restore
real, steps = os.rename, int(sys.argv[3])
def counted(*paths):
    global steps
    if steps == 0:
        os.kill(os.getpid(), 9)
    steps -= 1
    return real(*paths)
exchange = restore.exchange
def exchanged(*paths):
    counted_step()
    exchange(*paths)
def counted_step():
    global steps
    if steps == 0:
        os.kill(os.getpid(), 9)
    steps -= 1
restore.exchange, restore.os.rename = exchanged, counted
restore.restore(Path(sys.argv[1]), Path(sys.argv[2]), key=None, now=1e9, force=True)
"""


@pytest.mark.parametrize(("steps", "there"), [(0, ["a2", "a1", "a0"]), (1, ["a0"])], ids=["before", "after"])
def test_a_kill_at_any_instant_leaves_the_old_data_or_the_new(tmp_path, steps, there):
    """Before the exchange the old, after it the new; the old are still somewhere, and the next restore goes through."""
    file = tmp_path / "b.tar.gz"
    backed_up(filled(tmp_path / "old", actions=1), file)
    folder = filled(tmp_path / "data", actions=3)
    child = subprocess.run([sys.executable, "-c", KILLED, str(file), str(folder.path), str(steps)], timeout=30)
    assert child.returncode == -9
    assert ids(folder.path) == there
    journals = [path.parent for path in tmp_path.rglob("journal.db") if path.parent.name != "old"]
    assert sorted(map(ids, journals)) == [["a0"], ["a2", "a1", "a0"]]
    restored(file, folder.path, force=True)
    assert ids(folder.path) == ["a0"]


def test_a_full_disk_leaves_no_half_backup(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    folder = filled(tmp_path / "data")
    monkeypatch.setattr(backup, "pack", full)
    with pytest.raises(StoreError, match=r"No space left.*Free some space.*no backup was made"):
        backed_up(folder, tmp_path / "b.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_manifest_reads_back_as_it_was_written(tmp_path):
    manifest = archive.Manifest(1.5, "0.1.0", 3, "abc", {"journal.db": archive.Member(4, "00")})
    assert archive.Manifest.parse(manifest.text(), tmp_path) == manifest
    with pytest.raises(StoreDamaged):
        archive.Manifest.parse("{}", tmp_path)
