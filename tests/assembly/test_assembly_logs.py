"""The log: no secret reaches it, and it never grows beyond its bound."""

from __future__ import annotations

import json
import logging
import os
import shutil

import pytest
import structlog

from trimtab.assembly import log_file, logs
from trimtab.config import Settings, load
from trimtab.domain.errors import ConfigError
from trimtab.systems.registry import registry

YAML = """\
log: {{format: {format}, level: info, file: {file}}}
elements:
  - name: shop
    sensors:
      - type: http_json
        url: "http://127.0.0.1:9/stats"
        metrics: {{p95_seconds: p95}}
        headers: {{Authorization: "Bearer ${{env:SHOP_TOKEN}}"}}
"""


@pytest.fixture(autouse=True)
def restored():
    yield
    root = logging.getLogger("trimtab")
    for handler in root.handlers:
        handler.close()
    root.handlers, root.propagate = [], True
    structlog.reset_defaults()


def configured(tmp_path, form="console", file="logs/trimtab.log"):
    (tmp_path / "trimtab.yaml").write_text(YAML.format(format=form, file=file))
    types = registry(plug_ins=())
    settings = load(
        tmp_path / "trimtab.yaml",
        environ={"SHOP_TOKEN": "hunter2-hunter2"},
        sensors=types.sensor_options,
        levers=types.lever_options,
    )
    logs.configure_logging(settings)
    return tmp_path / "logs" / "trimtab.log"


@pytest.mark.parametrize("form", ["console", "json"])
def test_secrets_are_blotted_out_wherever_they_stand(tmp_path, capsys, form):
    file, log = configured(tmp_path, form), structlog.get_logger("trimtab")
    log.warning("sent hunter2-hunter2", header="Bearer hunter2-hunter2", code=401, tried=["hunter2-hunter2"])
    try:
        raise ValueError("refused: hunter2-hunter2")
    except ValueError:
        log.exception("Stage failed")
    written = file.read_text()
    assert "hunter2" not in written + capsys.readouterr().err
    assert written.count("***") == 5  # the event, two fields, the traceback's code and its message
    if form == "json":
        assert [json.loads(line)["level"] for line in written.splitlines()] == ["warning", "error"]


def test_a_line_goes_to_standard_error_and_to_the_file_and_not_to_standard_output(tmp_path, capsys):
    file = configured(tmp_path)
    structlog.get_logger("trimtab").info("Agent started", pid=1)
    structlog.get_logger("trimtab").debug("too quiet")
    out, err = capsys.readouterr()
    assert out == ""
    assert "Agent started" in err and "Agent started" in file.read_text()
    assert "too quiet" not in err
    assert "\x1b" not in err + file.read_text()


def test_the_file_is_rotated_and_stays_within_ten_megabytes(tmp_path, monkeypatch):
    assert log_file.MAX_BYTES * 2 <= 10_000_000  # covers: A12
    monkeypatch.setattr(log_file, "MAX_BYTES", 2000)
    file = configured(tmp_path)
    for number in range(200):
        structlog.get_logger("trimtab").info("a line of some length", number=number)
    sizes = {path.name: path.stat().st_size for path in file.parent.iterdir()}
    assert set(sizes) == {"trimtab.log", "trimtab.log.1"}
    assert max(sizes.values()) <= 2000
    assert "number=199" in file.read_text()


def test_a_file_that_cannot_be_written_is_a_mistake_of_the_configuration(tmp_path):
    (tmp_path / "taken").write_text("")
    settings = Settings.model_validate({"log": {"file": str(tmp_path / "taken" / "trimtab.log")}})
    with pytest.raises(ConfigError, match=r"log\.file .* cannot be written"):
        logs.configure_logging(settings)


@pytest.mark.parametrize(
    ("file", "made"),
    [("null", "trimtab-data/trimtab.log"), ("off", None), ("deep/a.log", "deep/a.log")],
)
def test_where_the_file_is(tmp_path, capsys, file, made):
    configured(tmp_path, file=file)
    structlog.get_logger("trimtab").info("Agent started")
    found = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "trimtab.yaml"]
    assert [str(path.relative_to(tmp_path)) for path in found] == ([made] if made else [])
    assert "Agent started" in capsys.readouterr().err
    assert all("Agent started" in path.read_text() and path.stat().st_mode & 0o777 == 0o600 for path in found)
    if file == "null":
        assert found[0].parent.stat().st_mode & 0o777 == 0o700


def test_colours_stay_on_the_terminal(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    file = configured(tmp_path)
    structlog.get_logger("trimtab").info("Agent started", pid=1)
    assert "Agent started" in file.read_text() and "\x1b" not in file.read_text()


class Failing:
    """`os.write` as a full disk has it: the first bytes fit, then none."""

    def __init__(self, room):
        self.room, self.real = room, os.write

    def __call__(self, file, data):
        if not self.room:
            raise OSError(28, "No space left on device")
        fits, self.room = data[: self.room], self.room - min(self.room, len(data))
        return self.real(file, fits)


def test_a_full_disk_costs_lines_and_nothing_else(tmp_path, monkeypatch, capsys):
    file = configured(tmp_path)
    log = structlog.get_logger("trimtab")
    log.info("before")
    monkeypatch.setattr(log_file.os, "write", Failing(20))
    for number in range(100):
        log.info("while it is full", number=number)
    monkeypatch.undo()
    log.info("after")
    lines = file.read_text().splitlines()
    assert len(lines) == 3, "no half line is left"
    assert "before" in lines[0] and lines[1].startswith("100 lines before this one") and "after" in lines[2]
    err = capsys.readouterr().err
    assert err.count("while it is full") == 100 and err.count("cannot be written: No space left") == 1
    assert "Traceback" not in err


def test_a_removed_folder_costs_lines_until_it_is_back(tmp_path, capsys):
    file = configured(tmp_path)
    shutil.rmtree(file.parent)
    for _ in range(3):
        structlog.get_logger("trimtab").info("nowhere to go")
    assert not file.parent.exists(), "a folder that was removed is not made anew behind somebody's back"
    assert capsys.readouterr().err.count("cannot be written: No such file") == 1
    file.parent.mkdir()
    structlog.get_logger("trimtab").info("back again")
    assert file.read_text().splitlines()[0].startswith("3 lines before this one")


def test_a_file_that_somebody_rotated_is_followed(tmp_path):
    file = configured(tmp_path)
    structlog.get_logger("trimtab").info("one")
    file.rename(file.with_name("elsewhere"))
    structlog.get_logger("trimtab").info("two")
    assert "two" in file.read_text() and "two" not in file.with_name("elsewhere").read_text()


def test_a_silent_log_says_nothing(capsys):
    logs.silence()
    structlog.get_logger("trimtab").error("nobody hears this")
    assert capsys.readouterr() == ("", "")
