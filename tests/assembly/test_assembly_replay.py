"""Replay: the same loop over what was recorded; nothing is set, and nothing is claimed of what nobody tried."""

from __future__ import annotations

import asyncio
import csv
import json
import subprocess
import sys

import numpy as np
import pytest

from trimtab.assembly import load_settings
from trimtab.assembly.replay import Stretch, assumed_levers, extent, opened, read_csv, replay, stretch_of
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import ConfigError
from trimtab.domain.lever_series import lever_reading
from trimtab.domain.metrics import Reading, Series
from trimtab.storage.layout import METRICS
from trimtab.storage.metrics import SqliteMetricStore

MONDAY = 1_767_571_200.0
CONFIG = """
version: 1
monitoring: {interval_seconds: 10, analysis_interval_seconds: 10, optimization_interval_seconds: 60}
corrective_action_cooldown_seconds: 120
storage: {path: DATA}
elements:
  - name: shop
    sensors: [{type: prometheus, url: "http://127.0.0.1:1/metrics"}]
    levers:
      - {name: workers, type: http, url: "http://127.0.0.1:1/x", bounds: [1, 16], settle_seconds: 30, risk_level: 0.2,
         moves: {shop_p95_seconds: down}}
      - {name: policy, type: http, url: "http://127.0.0.1:1/y", kind: choice, choices: [lru, lfu], autonomy: observe}
goals: [{metric_name: shop_p95_seconds, target_value: 0.3, direction: minimize}]
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "trimtab.yaml"
    path.write_text(CONFIG.replace("DATA", str(tmp_path / "data")))
    return path


def record(path, values, levers="4", policy="lru", gap=range(0), every=10):
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["timestamp", "shop_p95_seconds", "shop/workers", "shop/policy"])
        for i, value in enumerate(values):
            table.writerow([MONDAY + every * i, "" if i in gap else f"{value:.4f}", levers, policy])
    return path


def tried(found):
    return [record for record in found.records if record.executed_at is not None]


def surge(n=240, at=120):
    noise = 1.0 + 0.05 * np.random.default_rng(3).standard_normal(n)
    return np.where(np.arange(n) < at, 0.2, 0.6) * noise


def live(config, path, **options):
    settings = load_settings(config)
    past = read_csv(path, settings)

    async def go():
        return await replay(settings, past, await extent(settings, past), **options)

    return asyncio.run(go())


def test_a_surge_of_the_past_is_noticed_when_it_came_and_nothing_is_set(config, tmp_path):
    found = live(config, record(tmp_path / "past.csv", surge()))
    assert {record.state for record in tried(found)[:-1]} == {S.SIMULATED}
    assert all(record.simulated and record.success is None for record in found.records)
    assert found.records[0].action.created_at == pytest.approx(MONDAY + 1200.0, abs=120.0)
    assert all(record.action.from_value == 4 for record in tried(found))  # what a try asked for is forgotten with it
    assert found.missed_seconds["goal:shop_p95_seconds"] == pytest.approx(1200.0, rel=0.1)


def test_what_was_recorded_more_rarely_than_the_loop_looks_is_replayed_at_its_own_pace(config, tmp_path):
    found = live(config, record(tmp_path / "past.csv", surge(120, 60), every=120))
    assert found.records
    assert found.missed_seconds["goal:shop_p95_seconds"] == pytest.approx(60 * 120.0, abs=1200.0)
    seconds, reason = found.held["goal:shop_p95_seconds"]
    assert 0.0 < seconds < 1200.0 and reason, "only until there are enough samples"


def test_times_may_be_written_as_people_write_them(config, tmp_path):
    path = tmp_path / "past.csv"
    path.write_text("timestamp,shop_p95_seconds\n2026-01-05T01:00:00,0.2\n2026-01-05T02:00:30+01:00,0.3\n")
    settings = load_settings(config)
    assert asyncio.run(extent(settings, read_csv(path, settings))) == Stretch(MONDAY + 3600.0, MONDAY + 3630.0)


def test_the_same_past_tells_the_same_story(config, tmp_path):
    path = record(tmp_path / "past.csv", surge())
    first, second = (live(config, path) for _ in range(2))
    assert [(r.action_id, r.reason) for r in first.records] == [(r.action_id, r.reason) for r in second.records]


def test_a_quiet_past_is_left_alone(config, tmp_path):
    assert not live(config, record(tmp_path / "past.csv", surge(at=1000))).records


def test_where_nothing_was_recorded_nothing_is_decided(config, tmp_path):
    found = live(config, record(tmp_path / "past.csv", surge(), gap=range(118, 240)))
    assert not found.records


def test_a_lever_that_was_not_recorded_is_not_proposed_until_somebody_says_what_it_held(config, tmp_path):
    path = record(tmp_path / "past.csv", surge(), levers="")
    assert not tried(live(config, path))
    found = live(config, path, assumed=assumed_levers(load_settings(config), ["shop/workers=6"]))
    assert {record.action.from_value for record in tried(found)} == {6}


def test_only_the_stretch_that_is_asked_for_is_lived_through(config, tmp_path):
    settings = load_settings(config)
    past = read_csv(record(tmp_path / "past.csv", surge()), settings)

    async def go(start, seconds):
        return await stretch_of(settings, past, start, seconds)

    assert asyncio.run(go("2026-01-05T00:10", 600.0)) == Stretch(MONDAY + 600.0, MONDAY + 1200.0)
    assert asyncio.run(go(None, None)) == Stretch(MONDAY, MONDAY + 2390.0)
    with pytest.raises(ConfigError, match="nothing was recorded in that time"):
        asyncio.run(go("2026-02-01", None))
    with pytest.raises(ConfigError, match="is no time"):
        asyncio.run(go("yesterday", None))


def test_a_data_folder_is_read_beside_its_agent_with_the_levers_as_they_were(config, tmp_path):
    settings = load_settings(config)
    folder = tmp_path / "data"
    folder.mkdir()
    live_store = SqliteMetricStore(folder / METRICS)
    series = Series.named("shop_p95_seconds", "shop")
    spec = settings.elements[0].levers[0].spec("shop", frozenset())

    async def go():
        for i, value in enumerate(surge()):
            at = MONDAY + 10.0 * i
            await live_store.write([Reading(series, float(value), at), lever_reading(spec, 4 if i < 60 else 5, at)])
        async with opened(folder, settings) as past:
            found = await replay(settings, past, await extent(settings, past))
        await live_store.close()
        return found

    assert {record.action.from_value for record in asyncio.run(go()).records} == {5}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,x\n1,2\n", "is no recording"),
        ("timestamp,shop_p95_seconds\n1,fast\n", "line 2, shop_p95_seconds: 'fast' is no number"),
        ("timestamp,shop_p95_seconds\nyesterday,1\n", "line 2, timestamp: 'yesterday' is no time: write"),
        ("timestamp,shop_p95_seconds\nnan,1\n", "timestamp: nan is no finite number"),
        ("timestamp,shop_p95_seconds\n1767571200000,1\n", "line 2, timestamp: 1767571200000 is no time in Unix seconds"),
        ("timestamp,shop_p95_seconds\n-5,1\n", "line 2, timestamp: -5 is no time"),
        ("timestamp,shop_p95_seconds,shop_p95_seconds\n1,2,3\n", "two columns shop_p95_seconds"),
        ("timestamp,shop/workers\n1,many\n", "line 2, shop/workers"),
        ("timestamp,shop/policy\n1,fifo\n", "none of one of lru, lfu"),
        ("timestamp,db/size_bytes\n1,1\n", "belongs to no element"),
        ("timestamp,shop_errors\n1,1\n", "holds nothing of shop_p95_seconds"),
    ],
)
def test_what_is_wrong_with_a_recording_is_said_with_its_line(config, tmp_path, text, said):
    path = tmp_path / "past.csv"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        live(config, path)
    assert said in str(caught.value)


def test_what_a_spreadsheet_writes_is_read(config, tmp_path):
    path = tmp_path / "past.csv"
    path.write_text("\ufefftimestamp,shop_p95_seconds\r\n1767571200,0.25\r\n", encoding="utf-8")
    settings = load_settings(config)
    assert asyncio.run(extent(settings, read_csv(path, settings))) == Stretch(MONDAY, MONDAY)


@pytest.mark.parametrize("wrong", [0, 4_000_000_000])
def test_a_wrong_time_does_not_make_the_replay_last_for_decades(config, tmp_path, wrong):
    path = tmp_path / "past.csv"
    path.write_text(f"timestamp,shop_p95_seconds\n{MONDAY},1\n{wrong},1\n{MONDAY + 60},1\n")
    settings = load_settings(config)
    past = read_csv(path, settings)
    with pytest.raises(ConfigError, match="years: a time in the recording is wrong"):
        asyncio.run(stretch_of(settings, past, None, None))
    begin = f"{MONDAY:.0f}"
    assert asyncio.run(stretch_of(settings, past, begin, 60.0)) == Stretch(MONDAY, MONDAY + 60.0)


@pytest.mark.parametrize("told", ["shop/workers", "shop/x=1", "shop/workers=99", "shop/workers=four"])
def test_what_a_lever_cannot_have_held_is_refused(config, told):
    with pytest.raises(ConfigError):
        assumed_levers(load_settings(config), [told])


def command(config, *more):
    done = subprocess.run(
        [sys.executable, "-m", "trimtab", "simulate", "--config", str(config), *map(str, more)], capture_output=True, text=True
    )
    return done.returncode, done.stdout


def test_the_command_tells_each_change_once_and_claims_nothing(config, tmp_path):
    path = record(tmp_path / "past.csv", surge())
    code, told = command(config, "--recording", path)
    assert code == 0
    assert told.count("4 → 5") + told.count("4 → 6") <= 2
    assert "a recording cannot tell" in " ".join(told.split())
    document = json.loads(command(config, "--recording", path, "--json")[1])
    assert document["totals"]["credited"] == 0
    assert document["actions"]


def test_a_plant_and_a_recording_at_once_are_refused(config, tmp_path):
    assert command(config)[0] == 64
    assert command(config, "--plant", "noop", "--recording", tmp_path)[0] == 64
