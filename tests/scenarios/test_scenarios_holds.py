"""What the log says of series that no action rests on: a warning where something is wrong, none where it only takes time."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from scenarios.stage import Stage


def _lines(log, event):
    return [(line["log_level"], line.get("reason", line.get("subject", ""))) for line in log if line["event"] == event]


def test_a_healthy_start_warns_of_nothing(tmp_path):
    with capture_logs() as log:
        Stage(tmp_path).play(30)
    held = _lines(log, "Hold")
    assert held and {level for level, _ in held} == {"info"}
    assert all("that a decision needs" in reason for _, reason in held)
    assert {subject for _, subject in _lines(log, "Hold released")} == {"shop_p95_seconds", "shop_error_ratio"}


@pytest.mark.parametrize("after", [2, 30], ids=["while it warms up", "once it was trusted"])
def test_what_goes_wrong_is_warned_of(tmp_path, after):
    stage = Stage(tmp_path)

    async def die(stage):
        stage.shop.dead = True
        await stage.go(5)

    with capture_logs() as log:
        stage.play(after, die)
    warned = [reason for level, reason in _lines(log, "Hold") if level == "warning"]
    assert len([reason for reason in warned if "shop_p95_seconds" in reason]) == 1 and "HTTP 500" in warned[0]
