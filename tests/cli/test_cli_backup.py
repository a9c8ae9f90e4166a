"""`trimtab backup` and `trimtab restore` as people type them: sentences, exit codes, and no secret given away unawares."""

import tarfile
from datetime import datetime
from pathlib import Path

import pytest

from assembly.child_agent import write_config
from trimtab.domain.actions import ActionState
from trimtab.storage.folder import DataFolder
from trimtab.storage.journal import SqliteJournal
from trimtab.testing.records import run, write_life


@pytest.fixture
def config(tmp_path):
    """A configuration, and a journal of two actions."""
    folder = DataFolder(tmp_path / "data")
    journal = SqliteJournal(folder.journal_path)
    for number in range(2):
        run(write_life(journal, f"a{number}", ActionState.IGNORED, at=float(number)))
    run(journal.close())
    return write_config(tmp_path, "http://127.0.0.1:9")


def test_there_and_back(trimtab, tmp_path, config):
    made = trimtab("backup", tmp_path / "b.tar.gz", "--config", config)
    assert made.code == 0, made.err
    assert "journal.db" in made.out and "4 rows of the journal hold" in made.out and "read back and whole" in made.out
    assert made.err == ""
    refused = trimtab("restore", tmp_path / "b.tar.gz", "--config", config)
    assert refused.code == 1 and "--force" in refused.err and "moved aside" in refused.err
    done = trimtab("restore", tmp_path / "b.tar.gz", "--config", config, "--force")
    assert done.code == 0, done.err
    assert "4 rows of the journal" in done.out and "data.before-restore-" in done.out and "nothing was deleted" in done.out
    shown = trimtab("history", "--json", "--config", config)
    assert [one["action_id"] for one in shown.document] == ["a1", "a0"]


def test_both_tell_a_program_what_they_did(trimtab, tmp_path, config):
    path = tmp_path / "b.tar.gz"
    made = trimtab("backup", path, "--json", "--config", config).document
    assert (made["path"], made["rows"], made["bytes"]) == (str(path), 4, path.stat().st_size)
    assert "journal.db" in made["members"] and datetime.fromisoformat(made["made_at"]).tzinfo is not None
    journal = SqliteJournal(tmp_path / "data" / "journal.db")
    assert run(journal.head()) == (made["rows"], made["head"])
    run(journal.close())
    done = trimtab("restore", path, "--json", "--force", "--config", config).document
    assert {key: done[key] for key in ("path", "rows", "head", "made_at")} == {
        **{key: made[key] for key in ("rows", "head", "made_at")},
        "path": str(tmp_path / "data"),
    }
    assert "data.before-restore-" in done["kept"] and Path(done["kept"]).is_dir()


def test_into_a_folder(trimtab, tmp_path, config):
    (tmp_path / "backups").mkdir()
    assert trimtab("backup", tmp_path / "backups", "--config", config).code == 0
    (made,) = (tmp_path / "backups").iterdir()
    assert made.name.startswith("trimtab-20") and tarfile.is_tarfile(made)


@pytest.mark.parametrize(
    ("key", "warned"),
    [("plain-hunter2-plain", True), ("${env:TEST_JOURNAL_KEY}", False)],
    ids=["in plain text", "by reference"],
)
def test_secrets_in_the_configuration_are_warned_of(trimtab, tmp_path, key, warned):
    folder = DataFolder(tmp_path / "data")
    journal = SqliteJournal(folder.journal_path, key=b"plain-hunter2-plain")
    run(write_life(journal, "a", ActionState.IGNORED))
    run(journal.close())
    config = write_config(tmp_path, "http://127.0.0.1:9", data=f'data, journal_key: "{key}"')
    made = trimtab("backup", tmp_path / "b.tar.gz", "--config", config, TEST_JOURNAL_KEY="plain-hunter2-plain")
    assert made.code == 0, made.err
    assert ("holds secrets in plain text" in made.err) is warned
    assert "hunter2" not in made.err + made.out


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_without_data_or_file_there_is_a_sentence(trimtab, tmp_path, command):
    config = write_config(tmp_path, "http://127.0.0.1:9")
    answer = trimtab(command, tmp_path / "b.tar.gz", "--config", config)
    assert answer.code == 1
    assert "there is no" in answer.err and "Traceback" not in answer.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trimtab.yaml"]


@pytest.mark.parametrize("paused", [True, False])
def test_a_pause_that_the_backup_knows_nothing_of_is_kept_and_said(trimtab, tmp_path, config, paused):
    assert trimtab("backup", tmp_path / "b.tar.gz", "--config", config).code == 0
    journal = SqliteJournal(tmp_path / "data" / "journal.db")
    run(journal.note("paused" if paused else "resumed", "by ann", at=9.0, actor="ann"))
    run(journal.close())
    done = trimtab("restore", tmp_path / "b.tar.gz", "--config", config, "--force")
    assert done.code == 0 and ("until `trimtab resume`" in done.out) is paused
    again = trimtab("restore", tmp_path / "b.tar.gz", "--config", config, "--force", "--json")
    assert again.document["pause_file"] == (str(tmp_path / "data" / "PAUSE") if paused else None)
