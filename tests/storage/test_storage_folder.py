"""One agent a folder, whatever became of the one before."""

import os
import subprocess
import sys

import pytest

from trimtab.domain.errors import AlreadyRunning, StoreError
from trimtab.storage.folder import DataFolder

HOLDER = """
import sys, time
from trimtab.storage.folder import DataFolder
with DataFolder(sys.argv[1]).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_folder_is_made_for_the_owner_only(tmp_path):
    folder = DataFolder(tmp_path / "deep" / "data")
    assert folder.path.stat().st_mode & 0o777 == 0o700
    paths = [folder.journal_path, folder.metrics_path, folder.access_path]
    assert [path.relative_to(folder.path).name for path in paths] == ["journal.db", "metrics.db", "access.json"]
    assert DataFolder(tmp_path / "deep" / "data").path == folder.path


def test_looking_makes_nothing(tmp_path):
    with pytest.raises(StoreError, match="no data folder"):
        DataFolder(tmp_path / "data", create=False)
    assert not list(tmp_path.iterdir())


def test_a_second_agent_is_told_of_the_first_and_may_start_after_a_kill(tmp_path):
    folder = DataFolder(tmp_path / "data")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "held\n"
        with (
            pytest.raises(AlreadyRunning, match=f"process id {child.pid}, started at 20.*UTC.*{folder.path}.*Stop it first"),
            folder.lock(),
        ):
            pass
        child.kill()
    assert child.returncode == -9
    with folder.lock():
        assert f'"pid": {os.getpid()}' in folder.lock_path.read_text()


def test_the_lock_is_given_back_after_an_error(tmp_path):
    folder = DataFolder(tmp_path)

    def fail_while_held():
        with folder.lock():
            with pytest.raises(AlreadyRunning, match=f"process id {os.getpid()}"), folder.lock():
                pass
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_while_held()
    assert folder.lock_path.read_text() == ""
    with folder.lock():
        pass


@pytest.mark.parametrize("signed", ["", "{", "[]", '{"pid": "x"}'], ids=repr)
def test_a_holder_that_has_not_signed_is_another_agent(tmp_path, signed):
    folder = DataFolder(tmp_path)
    with folder.lock():
        folder.lock_path.write_text(signed)
        with pytest.raises(AlreadyRunning, match="another agent already works"), folder.lock():
            pass


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "data").write_text("mine")
    with pytest.raises(StoreError, match=r"is not a folder.*Name a folder"):
        DataFolder(tmp_path / "data")
    with pytest.raises(StoreError, match="could not be made: Not a directory"):
        DataFolder(tmp_path / "data" / "deeper")
    assert (tmp_path / "data").read_text() == "mine"


def test_a_folder_without_the_right_to_write_is_refused(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir(mode=0o555)
    tmp_path.chmod(0o555)
    monkeypatch.chdir(tmp_path)  # relative paths: another user may not pass through the folders above
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(StoreError, match=r"may not be written to.*Name a folder"):
            DataFolder("data")
        with pytest.raises(StoreError, match="could not be made: Permission denied"):
            DataFolder("new")
    finally:
        if root:
            os.seteuid(0)
        tmp_path.chmod(0o755)


@pytest.mark.parametrize("create", [True, False])
def test_a_folder_that_cannot_be_reached_is_refused_in_words(tmp_path, monkeypatch, create):
    (tmp_path / "private").mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    else:
        (tmp_path / "private").chmod(0)
    try:
        with pytest.raises(StoreError, match="cannot be reached: Permission denied"):
            DataFolder("private/data", create=create)
        with pytest.raises(StoreError, match="cannot be reached: File name too long"):
            DataFolder("a" * 300, create=create)
    finally:
        if root:
            os.seteuid(0)
