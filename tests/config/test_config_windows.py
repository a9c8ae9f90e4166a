# ruff: noqa: E501 — one mistake a line reads best
"""Windows, freezes and the storm halt in the file: what they become, and each mistake with its place and a way out."""

from __future__ import annotations

from datetime import date, time

import pytest

from trimtab.config import Settings, load, load_part
from trimtab.config.changes import changes
from trimtab.domain.errors import ConfigError

HEAD = "elements: [{name: db}, {name: web}]\n"


def read(tmp_path, text, environ=None):
    file = tmp_path / "t.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, environ=environ or {})


def problems(tmp_path, text):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    return [problem.replace(str(tmp_path / "t.yaml"), "t.yaml") for problem in caught.value.problems]


def test_a_window_without_anything_else_is_always_open_to_all(tmp_path):
    (window,) = read(tmp_path, "timezone: Europe/Berlin\nmaintenance_windows: [{name: any}]").maintenance_windows
    found = window.window("Europe/Berlin")
    assert (found.days, found.start, found.end, found.elements, found.timezone) == (
        frozenset(),
        None,
        None,
        frozenset(),
        "Europe/Berlin",
    )


def test_everything_that_is_given_arrives(tmp_path):
    text = HEAD + (
        "maintenance_windows: [{name: nights, days: [mon, fri], start: 22:00, end: 06:00, timezone: America/New_York, elements: [db]}]\n"
        'change_freezes: [{name: holidays, dates: [2026-11-27, "2026-12-20..2027-01-02"], start: "00:00", end: "24:00"}]\n'
    )
    settings = read(tmp_path, text)
    window = settings.maintenance_windows[0].window("UTC")
    assert (window.days, window.start, window.end) == (frozenset({0, 4}), time(22), time(6))
    assert (window.timezone, window.elements) == ("America/New_York", frozenset({"db"}))
    freeze = settings.change_freezes[0].window("UTC")
    assert freeze.dates == ((date(2026, 11, 27),) * 2, (date(2026, 12, 20), date(2027, 1, 2)))
    assert (freeze.start, freeze.end, freeze.timezone) == (time(0), time(0), "UTC")


MISTAKES = {
    "day": ("maintenance_windows:\n- {name: n, days: [monday]}", "t.yaml:3:20: maintenance_windows[0].days[0]: 'monday' is not known here; did you mean 'mon'?"),
    "element": ("change_freezes:\n- {name: n, days: [mon], elements: [dbb]}", "t.yaml:3:37: change_freezes[0].elements[0]: there is no element 'dbb'; did you mean 'db'?"),
    "time": ("maintenance_windows:\n- {name: n, start: '22:60', end: '06:00'}", "t.yaml:3:20: maintenance_windows[0].start: '22:60' is not in the right form; write hours and minutes, such as 06:00"),
    "number for a time": ("maintenance_windows:\n- {name: n, start: 22, end: '06:00'}", "t.yaml:3:20: maintenance_windows[0].start: expected a text, got 22; put it in quotes"),
    "only a start": ("maintenance_windows:\n- {name: n, start: '22:00'}", "t.yaml:3:3: maintenance_windows[0]: there is a start and no end; give both, or neither for the whole day"),
    "only an end": ("maintenance_windows:\n- {name: n, end: '22:00'}", "t.yaml:3:18: maintenance_windows[0].end: there is an end and no start; give both, or neither for the whole day"),
    "zone": ("maintenance_windows:\n- {name: n, timezone: Europe/Berln}", "t.yaml:3:23: maintenance_windows[0].timezone: there is no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?"),
    "no date": ("change_freezes:\n- {name: n, dates: [2026-02-30]}", "t.yaml:3:21: change_freezes[0].dates[0]: '2026-02-30' is no date; write 2026-11-27, or 2026-12-20..2027-01-02 for all days between"),
    "dates backwards": ("change_freezes:\n- {name: n, dates: [2026-12-02..2026-12-01]}", "t.yaml:3:21: change_freezes[0].dates[0]: '2026-12-02..2026-12-01' ends before it begins; write the earlier date first"),
    "no time at all": ("change_freezes:\n- {name: n}", "t.yaml:3:3: change_freezes[0]: it has no days, no dates and no times; say when it is; to stop everything now there is `trimtab pause`"),
    "twice": ("maintenance_windows:\n- {name: n}\n- {name: n}", "t.yaml:4:10: maintenance_windows[1].name: two maintenance_windows are named 'n' (the other: line 3); rename one of them"),
    "dates of a window": ("maintenance_windows:\n- {name: n, dates: []}", "t.yaml:3:13: unknown key 'dates' in maintenance_windows[0]; did you mean 'days'?"),
    "misspelt": ("maintenance_window: []", "t.yaml:2:1: unknown key 'maintenance_window'; did you mean 'maintenance_windows'?"),
    "no harm": ("safety: {storm_halt: {harmful_actions: 0}}", "t.yaml:2:40: safety.storm_halt.harmful_actions: 0 is out of range; give at least 1"),
    "no window": ("safety: {storm_halt: {window_seconds: 0}}", "t.yaml:2:39: safety.storm_halt.window_seconds: 0 is out of range; give above 0"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_each_mistake_is_named_with_its_place_and_a_way_out(tmp_path, text, problem):
    assert problems(tmp_path, HEAD + text) == [problem]


def test_all_of_them_are_told_at_once(tmp_path):
    text = HEAD + "maintenance_windows:\n" + "".join(f"- {{name: n{n}, days: [xxx], elements: [zzz]}}\n" for n in range(3))
    assert len(problems(tmp_path, text)) == 6


def test_the_storm_halt_can_be_set_by_a_variable(tmp_path):
    settings = read(tmp_path, "version: 1", {"TRIMTAB_SAFETY__STORM_HALT__HARMFUL_ACTIONS": "2"})
    assert (settings.safety.storm_halt.harmful_actions, settings.safety.storm_halt.window_seconds) == (2, None)


def test_what_is_needed_to_reach_the_agent_is_read_whatever_else_is_wrong(tmp_path):
    file = tmp_path / "t.yaml"
    file.write_text("api: {port: 9001}\nstorage: {path: here}\nelemnts: 3\ngoals: [{}]\n")
    found = load_part(file, environ={"TRIMTAB_API__HOST": "127.0.0.2"}, keys=("storage", "api"))
    assert (found.api.port, found.api.host, found.storage.path) == (9001, "127.0.0.2", tmp_path / "here")
    file.write_text("api: {port: 0}\ngoals: [{}]\n")
    with pytest.raises(ConfigError, match=r"api\.port"):
        load_part(file, environ={}, keys=("storage", "api"))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("version: 1", "version: 1", ()),
        ("version: 1", "retention_days: 7", ("retention_days",)),
        ("version: 1", "thresholds: {metrics: {cpu_usage: {warning: 60}}}", ("thresholds.metrics.cpu_usage.warning",)),
        ("version: 1", "api: {allowed_hosts: [a]}", ("api.allowed_hosts",)),
        (HEAD, "elements: [{name: db}]", ("elements",)),
        (HEAD, "elements: [{name: db}, {name: api}]", ("elements[1].name",)),
        (HEAD, "elements: [{name: db}, {name: web, depends_on: [db]}]", ("elements[1].depends_on",)),
        ("storage: {journal_key: secret1}", "storage: {journal_key: secret2}", ("storage.journal_key",)),
    ],
)
def test_what_changed_is_named(tmp_path, old, new, told):
    assert changes(read(tmp_path, old), read(tmp_path, new)) == told
    assert changes(Settings(), Settings()) == ()
