"""A data folder behind a door that is closed to this user: every command says so, and what to do, and none falls over."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import struct
import sys
import tempfile
import traceback
from pathlib import Path

import pytest

from trimtab.domain.actions import ActionState
from trimtab.storage.backup import back_up
from trimtab.storage.folder import DataFolder
from trimtab.storage.journal import SqliteJournal
from trimtab.testing.records import write_life

pytestmark = pytest.mark.skipif(os.geteuid() == 0 and sys.platform != "linux", reason="root passes every door")
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2  # linux/capability.h: what lets root pass every door
VERSION = 0x20080522
COMMANDS = [
    ("status",),
    ("status", "--json"),
    ("actions",),
    ("history",),
    ("explain", "a1"),
    ("approve", "a1"),
    ("reject", "a1"),
    ("rollback", "a1"),
    ("pause",),
    ("resume",),
    ("reload",),
    ("doctor",),
    ("plan",),
    ("doctor", "--json"),
    ("run",),
    ("backup", "b.tar.gz"),
    ("restore", "b.tar.gz"),
    ("restore", "b.tar.gz", "--force"),
    ("token", "list"),
    ("token", "create", "ann"),
    ("token", "revoke", "ann"),
]
NEED_NO_DATA = ("goals",)  # which looks afresh
ASK_THE_AGENT = {"actions", "approve", "reject", "rollback", "reload"}  # these may say that none answers


@pytest.fixture(scope="module", autouse=True)
def _loaded_once(trimtab, tmp_path_factory):
    """What doctor needs is what most commands need: else each child would load it anew."""
    folder = tmp_path_factory.mktemp("open")
    (folder / "trimtab.yaml").write_text(f"version: 1\nstorage: {{path: {folder}/data}}\napi: {{port: 1}}\n")
    trimtab("doctor", "--config", folder / "trimtab.yaml")


@pytest.fixture(params=["a folder above it", "the folder itself"])
def closed(request, tmp_path):
    """A configuration whose data folder an ordinary user cannot look into."""
    door = tmp_path / "door"
    data = door if request.param == "the folder itself" else door / "data"
    data.mkdir(parents=True)
    (data / "journal.db").write_bytes(b"")
    config = tmp_path / "trimtab.yaml"
    config.write_text(f"version: 1\nstorage: {{path: {data}}}\napi: {{port: 1}}\nlog: {{file: {door}/trimtab.log}}\n")
    door.chmod(0)
    yield config, door
    door.chmod(0o700)


def _no_more_than_an_owner():
    """Give up root's right to ignore modes. Another user might not reach the interpreter and its libraries either."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = struct.pack("Ii", VERSION, 0), ctypes.create_string_buffer(24)
    assert libc.capget(header, sets) == 0
    words = list(struct.unpack("6I", sets.raw))
    for place in (0, 1):  # effective and permitted; the rest belongs to higher numbers
        words[place] &= ~(1 << DAC_OVERRIDE | 1 << DAC_READ_SEARCH)
    assert libc.capset(header, struct.pack("6I", *words)) == 0


def as_ordinary_user(trimtab, *arguments):
    """What a command comes to for somebody who is not root: (exit code, all it said)."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                _no_more_than_an_owner()
            answer = trimtab(*arguments)
            said = [answer.code, answer.out, answer.err]
        except BaseException:
            said = [-1, "", traceback.format_exc()]
        os.write(write_end, json.dumps(said).encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, encoding="utf-8") as told:
        text = told.read()
    os.waitpid(child, 0)
    return tuple(json.loads(text))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_answers_with_a_sentence_and_its_remedy(trimtab, closed, command):
    config, door = closed
    words = [config.with_name(word) if word.endswith(".gz") else word for word in command]
    if command[0] == "restore":
        _back_up_something(config.with_name("b.tar.gz"))
    code, out, err = as_ordinary_user(trimtab, *words, "--config", config)
    assert "Traceback" not in err, err
    assert code == 1
    said = out if command[0] == "doctor" else err
    assert command[0] == "doctor" or err.startswith("trimtab: ")
    if "no agent answers" in said and command[0] in ASK_THE_AGENT:
        assert "`trimtab run`" in said
    else:
        told = " ".join(said.split())
        assert str(door) in told and ("Permission denied" in told or "may not be written to" in told)
        assert "user" in told, "who may, or which folder instead"
    door.chmod(0o700)
    assert [path.name for path in Path(door).rglob("*") if path.is_file()] == ["journal.db"]


def _back_up_something(target):
    """A whole backup, since a restore looks at the file first."""
    with tempfile.TemporaryDirectory() as elsewhere:
        folder = DataFolder(Path(elsewhere) / "data")
        journal = SqliteJournal(folder.journal_path)
        asyncio.run(write_life(journal, "a0", ActionState.IGNORED, at=1.0))
        asyncio.run(journal.close())
        back_up(folder, target, config=None, key=None, version="1", now=1e9)


@pytest.mark.parametrize("command", NEED_NO_DATA)
def test_what_needs_none_of_it_answers(trimtab, closed, command):
    config, _ = closed
    code, out, err = as_ordinary_user(trimtab, command, "--config", config)
    assert (code, err) == (0, "") and out
