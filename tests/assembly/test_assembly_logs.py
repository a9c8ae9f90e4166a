"""The log: no secret reaches it, and it never grows beyond its bound."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from trimtab.assembly import logs
from trimtab.config import Settings, load
from trimtab.domain.errors import ConfigError
from trimtab.systems.registry import registry

YAML = """\
log: {{format: {format}, level: info, file: logs/trimtab.log}}
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


def configured(tmp_path, form="console"):
    (tmp_path / "trimtab.yaml").write_text(YAML.format(format=form))
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
    assert logs.MAX_BYTES * (1 + logs.BACKUPS) <= 10_000_000  # covers: A12
    monkeypatch.setattr(logs, "MAX_BYTES", 2000)
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


def test_a_silent_log_says_nothing(capsys):
    logs.silence()
    structlog.get_logger("trimtab").error("nobody hears this")
    assert capsys.readouterr() == ("", "")
