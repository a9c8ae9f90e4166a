"""The first configuration: whatever was found, it can be used as it is written, and every lever in it asks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.config import load
from trimtab.discovery.draft import draft, roomy
from trimtab.discovery.families import Offer, Suggestion
from trimtab.discovery.look import Found, Program, ProgramLever, Service
from trimtab.discovery.machine import Disk, Machine, _cpu_limit, look_at_machine
from trimtab.discovery.summary import summary
from trimtab.domain.levers import Autonomy
from trimtab.systems.prometheus.derive import Derivation
from trimtab.systems.registry import registry

TYPES = registry(plug_ins=())
MACHINE = Machine(2, 8e9, 23.0, (Disk("/", 41.0, 1e11), Disk("/srv/ä b", 92.5, 1e12)), "Europe/Berlin")
P95 = Derivation("shop_p95_seconds", quantile=0.95, of="http_request_duration_seconds")
ERRORS = Derivation("shop_error_ratio", ratio=("http_errors_total", "http_requests_total"))
SHOP = Service(
    "shop",
    "http://127.0.0.1:9100/metrics",
    Offer((Suggestion("p95", P95, 0.123), Suggestion("errors", ERRORS, 0.002)), (("queue", 3.0),)),
)


def loaded(text: str, folder: Path):
    path = folder / "trimtab.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ={}, sensors=TYPES.sensor_options, levers=TYPES.lever_options, jobs=TYPES.job_options)


NOTHING = Found()


def written(folder: Path, found: Found = NOTHING, machine: Machine = MACHINE, port: int = 8642) -> str:
    return draft(machine, found, folder=folder, port=port, day="2026-01-01")


def test_a_machine_alone_has_a_host_with_goals_and_their_present_values(tmp_path):
    text = written(tmp_path)
    made = loaded(text, tmp_path)
    assert made.timezone == "Europe/Berlin"
    assert made.elements[0].sensors[0].paths == ("/", "/srv/ä b")
    assert [(goal.metric_name, goal.aggregate) for goal in made.goals] == [
        ("host_disk_usage_percent", "max"), ("host_memory_usage_percent", "mean"),
    ]  # fmt: skip
    assert "now 92.5 %, the fullest" in text and "now 23 %" in text


def test_a_service_gets_what_its_page_allows(tmp_path):
    text = written(tmp_path, Found((SHOP,)))
    made = loaded(text, tmp_path)
    shop = made.elements[1]
    assert [each.name for each in shop.sensors[0].derive] == ["shop_p95_seconds", "shop_error_ratio"]
    assert shop.sensors[0].metrics == ("queue",)
    assert [guard.metric_name for guard in shop.guards] == ["shop_error_ratio"]
    goals = {goal.metric_name: goal.target_value for goal in made.goals}
    assert goals["shop_p95_seconds"] == 0.2 and goals["shop_error_ratio"] == 0.01
    assert "# now 0.123 s" in text and "# now 0.2 %" in text


def test_what_has_no_value_yet_is_a_goal_to_take_up_later(tmp_path):
    idle = Service("shop", SHOP.url, Offer((Suggestion("p95", P95), Suggestion("errors", ERRORS))))
    text = written(tmp_path, Found((idle,)))
    made = loaded(text, tmp_path)
    assert not [goal for goal in made.goals if goal.metric_name.startswith("shop")] and made.elements[1].guards == ()
    assert "# - {metric_name: shop_p95_seconds" in text and "nothing was asked of it while init looked" in text


def test_a_breached_limit_is_no_guard_that_would_undo_everything(tmp_path):
    bad = Service("shop", SHOP.url, Offer((Suggestion("errors", ERRORS, 0.3),)))
    assert loaded(written(tmp_path, Found((bad,))), tmp_path).elements[1].guards == ()


LEVERS = (
    ProgramLever("workers", "integer", (1.0, 8.0), now=4),
    ProgramLever("ratio", "float", (0.0, 0.5), now=0.1),
    ProgramLever("mode", "choice", choices=("a", 'b "q"'), now="a"),
    ProgramLever("cache", "boolean", now=True),
)


def test_levers_of_a_program_all_ask(tmp_path):
    program = Program("worker", str(tmp_path / "p.sock"), {"queue_length": 37.0, "nothing": None}, LEVERS)
    text = written(tmp_path, Found(programs=(program,)))
    made = loaded(text, tmp_path)
    assert {lever.name: lever.autonomy for lever in made.elements[1].levers} == dict.fromkeys(
        ("workers", "ratio", "mode", "cache"), Autonomy.ASK
    )
    assert made.elements[1].sensors[0].socket == str(tmp_path / "p.sock") and '"./p.sock"' in text
    assert "# now 4" in text and "now 37" in text


@pytest.mark.parametrize(
    "lever",
    [
        ProgramLever("endless", "integer", None, now=4),
        ProgramLever("one", "choice", choices=("a",), now="a"),
        ProgramLever("point", "float", (1.0, 1.0), now=1.0),
        ProgramLever("narrow", "integer", (0.2, 1.4), now=1),
        ProgramLever("a b\nc: d", "integer", (1.0, 8.0), now="x\ny"),
    ],
    ids=lambda lever: lever.name.split("\n")[0],
)
def test_a_lever_that_cannot_be_moved_as_it_is_becomes_a_remark(tmp_path, lever):
    program = Program("worker", "/run/p.sock", {}, (lever, LEVERS[0]))
    text = written(tmp_path, Found(programs=(program,)))
    assert [each.name for each in loaded(text, tmp_path).elements[1].levers] == ["workers"]
    assert "before it can be moved" in text


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    path=WORDS,
    sensors=st.dictionaries(WORDS, st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=3),
    name=WORDS,
    bounds=st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
    kind=st.sampled_from(["integer", "float"]),
)
def test_whatever_a_program_is_called_the_file_can_be_used(tmp_path_factory, path, sensors, name, bounds, kind):
    folder = tmp_path_factory.mktemp("d")
    program = Program("worker", f"/run/{path}", sensors, (ProgramLever(name, kind, bounds, now=name),))
    made = loaded(written(folder, Found((SHOP,), (program,))), folder)
    assert all(lever.autonomy is Autonomy.ASK for element in made.elements for lever in element.levers)


def test_the_examples_can_be_used_once_their_marks_are_taken_away(tmp_path):
    text = written(tmp_path)
    begin, end = text.index("  # -- examples"), text.index("  # -- end of the examples")
    examples = re.sub(r"^  # ?", "  ", text[begin:end].split("\n", 1)[1], flags=re.MULTILINE)
    made = loaded(text[:begin] + examples + text[end:], tmp_path)
    example = made.elements[-1]
    assert {lever.type for lever in example.levers} == {"http", "command", "file", "process", "sqlite"}
    assert [job.type for job in example.jobs] == ["sqlite"]
    assert {each.autonomy for each in (*example.levers, *example.jobs)} == {Autonomy.ASK}


@given(st.floats(1e-9, 1e9))
def test_a_target_has_room_above_what_is_measured_and_not_too_much(value):
    assert 1.19 * value <= roomy(value) <= 3.01 * value


def test_this_machine_can_be_written_down(tmp_path):
    machine = look_at_machine()
    assert machine.cores >= 1 and 0.0 <= machine.memory_percent <= 100.0 and machine.disks[0].path == "/"
    made = loaded(written(tmp_path, machine=machine), tmp_path)
    assert made.timezone == machine.timezone
    assert any(label == "machine" for label, _ in summary(machine, Found()))


def test_a_container_is_told_with_its_limits(tmp_path):
    machine = Machine(8, 8e9, 23.0, (), "UTC", container=True, limit_cores=1.5, limit_memory_bytes=5e8)
    text = written(tmp_path, machine=machine)
    assert "a container, limited to 1.5 cores and 500 MB" in text
    loaded(text, tmp_path)


@pytest.mark.parametrize("text", ["", "max", "a b", "100000 0"])
def test_a_limit_that_is_none_is_none(text):
    assert _cpu_limit(text) is None
