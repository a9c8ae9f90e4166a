"""What the documents promise is there: every setting with its default, every state, every path, every link."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from trimtab.config.elements import ElementSettings, GoalSettings, GuardSettings
from trimtab.config.options import JobOptions, LeverOptions, SensorOptions
from trimtab.config.settings import NotificationSettings, Settings, StormSettings
from trimtab.config.thresholds import MetricThreshold
from trimtab.config.windows import FreezeSettings, WindowSettings
from trimtab.domain.actions import ActionState
from trimtab.domain.metrics import DEFAULT_THRESHOLDS
from trimtab.execute.states import TRANSITIONS
from trimtab.systems.prometheus.options import DeriveOptions
from trimtab.systems.registry import registry

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([^`]+)` \|([^|]*)\|([^|]*)\|$", re.MULTILINE)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


def section(title: str) -> str:
    """The text under one heading of configuration.md."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", CONFIGURATION, re.MULTILINE | re.DOTALL)
    assert found, f"docs/configuration.md has no section '{title}'"
    return found[1]


def sections() -> Iterator[tuple[str, type[BaseModel], frozenset[str]]]:
    """(heading, model, fields that are documented elsewhere)."""
    yield "Top level", Settings, frozenset()
    for name in ("monitoring", "thresholds", "safety", "decision", "storage", "api", "log"):
        yield name, Settings.model_fields[name].annotation, frozenset()  # type: ignore[misc]
    yield "thresholds", MetricThreshold, frozenset()
    listed = (
        ("elements", ElementSettings),
        ("guards", GuardSettings),
        ("goals", GoalSettings),
        ("notifications", NotificationSettings),
        ("storm_halt", StormSettings),
        ("maintenance_windows", WindowSettings),
        ("change_freezes", FreezeSettings),
    )
    for heading, model in listed:
        yield heading, model, frozenset()
    types = registry(plug_ins=())
    yield "Every sensor", SensorOptions, frozenset()
    yield "Every lever", LeverOptions, frozenset()
    yield "Every job", JobOptions, frozenset()
    for name, sensor in types.sensor_options.items():
        yield f"Sensor {name}", sensor, frozenset(SensorOptions.model_fields)
    for name, lever in types.lever_options.items():
        yield f"Lever {name}", lever, frozenset(LeverOptions.model_fields)
    for name, job in types.job_options.items():
        yield f"Job {name}", job, frozenset(JobOptions.model_fields)
    yield "Sensor prometheus", DeriveOptions, frozenset()


def in_words(default: Any) -> str | None:
    """A default as the documents write it; None where that is not for a table to say."""
    if default is PydanticUndefined:
        return "required"
    if default is None or default in ((), {}):
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, int | float):
        return f"{default:.12g}"
    if isinstance(default, tuple):
        return ", ".join(default)
    if isinstance(default, Path):
        return f"./{default}"
    return None if isinstance(default, BaseModel) else str(default)


CASES = [pytest.param(*case, id=f"{case[0]} {case[1].__name__}") for case in sections()]


@pytest.mark.parametrize(("heading", "model", "elsewhere"), CASES)
def test_every_setting_is_documented_with_its_default(heading: str, model: type[BaseModel], elsewhere: frozenset[str]) -> None:
    rows: dict[str, set[str]] = {}
    for name, default, meaning in ROW.findall(section(heading)):
        assert meaning.strip(), f"{heading}: {name} has no meaning"
        rows.setdefault(name, set()).add(default.strip())
    for name, field in model.model_fields.items():
        if name in elsewhere:
            continue
        assert name in rows, f"docs/configuration.md, {heading}: {name} is not documented"
        if model is MetricThreshold or (told := in_words(field.get_default(call_default_factory=False))) is None:
            continue
        if field.default_factory is None:
            assert told in rows[name], f"docs/configuration.md, {heading}: the default of {name} is {told}, not {rows[name]}"


def test_the_default_limits_are_documented() -> None:
    for kind, limits in DEFAULT_THRESHOLDS.items():
        assert re.search(
            rf"^\| `{kind.value}` \| [^|]+ \| {limits.warning:g} \| {limits.critical:g} \|$", CONFIGURATION, re.MULTILINE
        )


def test_every_state_is_in_the_table_and_the_drawing_of_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `(\w+)` \| (pending|executing|completed|failed) \|", text, re.MULTILINE))
    assert table == {state.value: state.status.value for state in ActionState}
    drawing = text.split("```")[1::2]
    assert any(all(state.value in part for state in TRANSITIONS if state) for part in drawing)


def test_every_room_is_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (ROOT / "src" / "trimtab").glob("*/__init__.py")} | {"agent.py"}
    assert set(re.findall(r"^\| `([a-z.]+)` \|", text, re.MULTILINE)) >= rooms


def test_every_route_is_documented() -> None:
    from fastapi.routing import APIRoute

    from api.fake_agent import FakeAgent
    from trimtab.api import create_app

    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    app = create_app(FakeAgent(), tokens=None, allowed_hosts=(), version="0")
    paths = {(method, path) for path, ways in app.openapi()["paths"].items() for method in ways}
    assert paths, [route for route in app.routes if isinstance(route, APIRoute)]
    assert not [path for method, path in sorted(paths) if f"{method.upper()} {path}" not in text]


def test_every_command_is_in_the_readme() -> None:
    import typer

    from trimtab.cli.app import app

    text = (ROOT / "README.md").read_text(encoding="utf-8").split("## Commands")[1].split("\n## ")[0]
    root: Any = typer.main.get_command(app)
    for name, command in root.commands.items():
        for words in [f"{name} {sub}" for sub in command.commands] if hasattr(command, "commands") else [name]:
            assert re.search(rf"(`|trimtab ){words}\b", text), f"the README's commands lack {words}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if target.startswith(("http://", "https://")):
            continue
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, target


def test_every_decision_is_numbered_listed_and_has_its_three_parts() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    notes = sorted(folder.glob("[0-9]*.md"))
    numbers = [note.name[:4] for note in notes]
    assert numbers == sorted(set(numbers))  # a number is given out before its note is there, so that there may be gaps
    for note in notes:
        text = note.read_text(encoding="utf-8")
        assert f"({note.name})" in index
        assert [part for part in ("Context", "Decision", "Consequence") if f"\n## {part}" not in text] == []
