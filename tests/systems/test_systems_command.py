"""Commands as sensor, lever and job, on real programs."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trimtab.config import load
from trimtab.domain.errors import ConfigError, LeverError, Permanent, Retryable, SensorError
from trimtab.domain.levers import LeverKind, LeverSpec
from trimtab.domain.ports import Job, Lever, Sensor
from trimtab.systems.command import JOBS, LEVERS, SENSORS
from trimtab.systems.command.arguments import fill
from trimtab.systems.job_lever import JobLever
from trimtab.systems.net import Net
from trimtab.systems.registry import registry
from trimtab.systems.simulated import SimulatedLever
from trimtab.testing.jobs import JobConformance
from trimtab.testing.levers import LeverConformance
from trimtab.testing.sensors import SensorConformance

INTEGER = LeverSpec("workers", "shop", LeverKind.INTEGER, (1, 16))
FLOAT = LeverSpec("ratio", "shop", LeverKind.FLOAT, (0.0, 1.0), step=0.05)
METACHARACTERS = "; touch x $(touch x) `touch x` | touch x > x && touch x"
CHOICE = LeverSpec("policy", "shop", LeverKind.CHOICE, choices=("lru", "lfu", METACHARACTERS))
BOOLEAN = LeverSpec("cache", "shop", LeverKind.BOOLEAN)
SET = "#!/bin/sh\nprintf '%s\\n' \"$1\" > setting\n"


def sensor(**options: object) -> Sensor:
    return SENSORS["command"].build(SENSORS["command"].options.model_validate({"type": "command", **options}), "shop", Net())


def lever(spec: LeverSpec = INTEGER, **options: object) -> Lever:
    shape: dict[str, object] = {"kind": spec.kind, "bounds": spec.bounds, "step": spec.step, "choices": spec.choices}
    what = {"type": "command", "name": spec.name, "read": ["cat", "setting"], "set": ["./set", "{value}"], **shape, **options}
    return LEVERS["command"].build(LEVERS["command"].options.model_validate(what), spec, Net())


def job(**options: object) -> Job:
    kind = JOBS["command"]
    return kind.build(kind.options.model_validate({"type": "command", "name": "index", **options}), "shop", Net())


def read(one: Any) -> Any:
    return asyncio.run(one.read(1000.0) if hasattr(one, "metric_names") else one.read())


def script(folder: Path, name: str, text: str, mode: int = 0o755) -> str:
    (folder / name).write_text(text)
    (folder / name).chmod(mode)
    return f"./{name}"


class CommandLeverLaws(LeverConformance):
    spec: LeverSpec
    found: str

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        script(tmp_path, "set", SET)
        (tmp_path / "setting").write_text(self.found)

    async def make(self) -> Lever:
        return lever(self.spec, cwd=str(self.folder))

    async def make_unreachable(self) -> Lever | None:
        return lever(self.spec, cwd=str(self.folder), read=["./none"], set=["./none", "{value}"])


class TestInteger(CommandLeverLaws):
    spec, found, values = INTEGER, "3\n", (2, 5)


class TestFloat(CommandLeverLaws):
    spec, found, values = FLOAT, "0.3", (0.25, 0.75)


class TestChoice(CommandLeverLaws):
    spec, found, values = CHOICE, "lru", ("lfu", METACHARACTERS)


class TestBoolean(CommandLeverLaws):
    spec, found, values = BOOLEAN, "off\n", (True, False)


class TestSimulated(CommandLeverLaws):
    """Simulation mode keeps the same laws, and the program that sets is never run."""

    spec, found, values = INTEGER, "3\n", (2, 5)

    @pytest.fixture(autouse=True)
    def _untouched(self, _folder: None) -> Iterator[None]:
        yield
        assert (self.folder / "setting").read_text() == "3\n"

    async def make(self) -> Lever:
        return SimulatedLever(await super().make())

    async def make_unreachable(self) -> None:
        return None


def test_no_shell_reads_a_value(tmp_path: Path) -> None:
    script(tmp_path, "set", SET)
    one = lever(CHOICE, cwd=str(tmp_path))
    asyncio.run(one.set(METACHARACTERS))
    assert (tmp_path / "setting").read_text() == METACHARACTERS + "\n" and not (tmp_path / "x").exists()
    for undeclared in ("; touch x", "LRU", "lru ", ""):
        with pytest.raises(Permanent, match="Nothing was set"):
            asyncio.run(one.set(undeclared))
    assert (tmp_path / "setting").read_text() == METACHARACTERS + "\n"


@pytest.mark.parametrize("value", [0, 17, -1, 10**30], ids=str)
def test_no_number_beyond_the_bounds_is_set(value: int, tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="takes whole numbers from 1 to 16"):
        asyncio.run(lever(cwd=str(tmp_path), set=["touch", "{value}"]).set(value))
    assert list(tmp_path.iterdir()) == []


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))))
def test_whatever_is_filled_in_is_one_word_as_it_is(text: str) -> None:
    assert fill(["./set", "a={value}", "{{value}}", "{value}{value}"], "value", text) == [
        "./set",
        f"a={text}",
        "{value}",
        text + text,
    ]


@pytest.mark.parametrize(
    ("status", "expected"), [(1, Permanent), (2, Permanent), (75, Retryable), (127, Permanent)], ids=lambda given: str(given)
)
@pytest.mark.parametrize("method", ["read", "set"])
def test_an_exit_status(status: int, expected: type[LeverError], method: str, tmp_path: Path) -> None:
    script(tmp_path, "tool", f"#!/bin/sh\necho first >&2\necho 'the pool is busy' >&2\necho >&2\nexit {status}\n")
    one = lever(cwd=str(tmp_path), read=["./tool"], set=["./tool", "{value}"])
    with pytest.raises(expected) as caught:
        asyncio.run(one.read() if method == "read" else one.set(4))  # type: ignore[arg-type]
    assert type(caught.value) is expected
    assert caught.value.message == f"lever shop/workers: ./tool failed with exit status {status}: the pool is busy"


def test_a_program_that_is_killed_for_its_words_leaves_the_effect_in_doubt(tmp_path: Path) -> None:
    script(tmp_path, "set", "#!/bin/sh\nexec yes\n")
    (tmp_path / "setting").write_text("2")
    with pytest.raises(Retryable, match="more than 64 KiB and was killed"):
        asyncio.run(lever(cwd=str(tmp_path)).set(4))


def test_a_program_that_is_killed_leaves_the_effect_in_doubt(tmp_path: Path) -> None:
    script(tmp_path, "tool", "#!/bin/sh\nkill -9 $$\n")
    with pytest.raises(Retryable, match="was ended by SIGKILL"):
        asyncio.run(lever(cwd=str(tmp_path), set=["./tool", "{value}"]).set(4))


@pytest.mark.parametrize(
    ("make", "argv", "cwd", "words"),
    [
        pytest.param(None, ["./none"], ".", "./none was not found. Install it", id="no such file"),
        pytest.param(None, ["no-such-program-anywhere"], ".", "was not found. Install it", id="not in PATH"),
        pytest.param(("tool", "#!/bin/sh\n", 0o644), ["./tool"], ".", "is not executable. chmod", id="not executable"),
        pytest.param(("tool", "echo 3\n", 0o755), ["./tool"], ".", "is no program. Give it a first line", id="no first line"),
        pytest.param(("tool", "#!/no/such/sh\n", 0o755), ["./tool"], ".", "names an interpreter", id="no interpreter"),
        pytest.param(None, ["true"], "none", "cwd .*none: No such file or directory. Correct cwd", id="no folder"),
        pytest.param(None, ["true", "x" * 4_000_000], ".", "arguments that are too long", id="too long"),
    ],
)
def test_a_program_that_cannot_be_started(make: Any, argv: list[str], cwd: str, words: str, tmp_path: Path) -> None:
    if make:
        script(tmp_path, *make)
    with pytest.raises(Permanent, match=words):
        read(lever(cwd=str(tmp_path / cwd), read=argv))
    with pytest.raises(SensorError, match=words):
        read(sensor(cwd=str(tmp_path / cwd), argv=argv, metric="queue_length"))


@pytest.mark.parametrize(
    ("spec", "output", "expected"),
    [
        pytest.param(INTEGER, " 4 \n\n", 4, id="white space"),
        pytest.param(INTEGER, "99", 99, id="beyond the bounds is told as it is"),
        pytest.param(BOOLEAN, "true\n", True, id="boolean"),
        pytest.param(INTEGER, "", "wrote nothing", id="nothing"),
        pytest.param(INTEGER, "four", "'four'", id="a word"),
        pytest.param(INTEGER, "4\n5\n", "is declared an integer", id="two values"),
        pytest.param(INTEGER, "2.5", "2.5", id="a fraction"),
        pytest.param(INTEGER, "nan", "nan", id="NaN"),
        pytest.param(CHOICE, "fifo", "reads 'fifo', and is declared one of lru", id="a choice that was not declared"),
        pytest.param(INTEGER, "\udcff", "not UTF-8", id="bytes"),
        pytest.param(INTEGER, "9" * 70_000, "more than 64 KiB", id="too much"),
    ],
)
def test_what_a_lever_reads(spec: LeverSpec, output: str, expected: object, tmp_path: Path) -> None:
    (tmp_path / "setting").write_bytes(output.encode("utf-8", "surrogateescape"))
    one = lever(spec, cwd=str(tmp_path))
    if isinstance(expected, str):
        with pytest.raises(Permanent, match=expected):
            read(one)
    else:
        assert read(one) == expected


@pytest.mark.parametrize(
    ("how", "output", "expected"),
    [
        pytest.param({"metric": "queue_length"}, "42\n", {"queue_length": 42.0}, id="a number"),
        pytest.param({"metric": "queue_length"}, "4.2e1", {"queue_length": 42.0}, id="a float"),
        pytest.param({"metric": "queue_length"}, "", "wrote nothing where a number", id="nothing"),
        pytest.param({"metric": "queue_length"}, "many", "wrote 'many' where a number", id="a word"),
        pytest.param({"metric": "queue_length"}, '{"a": 1}', "for a JSON document give metrics", id="JSON"),
        pytest.param({"metrics": {"a": "q[0].n", "b": "no"}}, '{"q": [{"n": 3}]}', {"a": 3.0}, id="a document"),
        pytest.param({"metrics": {"a": "q"}}, "3 4", "did not write JSON, but '3 4'", id="no document"),
        pytest.param({"metrics": {"a": "q"}}, "[" * 60_000, "did not write JSON", id="deeper than any stack"),
    ],
)
def test_what_a_sensor_reads(how: dict[str, object], output: str, expected: object, tmp_path: Path) -> None:
    (tmp_path / "out").write_text(output)
    one = sensor(argv=["cat", "out"], cwd=str(tmp_path), **how)
    if isinstance(expected, str):
        with pytest.raises(SensorError, match=expected):
            read(one)
    else:
        assert {reading.series.name: reading.value for reading in read(one)} == expected


class TestSensorLaws(SensorConformance):
    async def make(self) -> Sensor:
        document = json.dumps({"queue": {"length": 3}, "busy": None})
        return sensor(argv=["echo", document], metrics={"queue_length": "queue.length", "busy_ratio": "busy"})

    async def make_silent(self) -> Sensor:
        return sensor(argv=["false"], metric="queue_length")


JOB = {
    "start": ["sh", "-c", "mkdir -p done && touch done/$(echo $1 | tr / _) && echo x >> starts", "sh", "{key}"],
    "probe": ["sh", "-c", "if test -e done/$(echo $1 | tr / _); then echo done; else echo absent; fi", "sh", "{key}"],
    "undo": ["sh", "-c", "rm done/$(echo $1 | tr / _)", "sh", "{key}"],
}


class TestJobLaws(JobConformance):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    async def make(self) -> Job:
        return job(cwd=str(self.folder), **JOB)

    async def effects(self) -> int:
        return len(list(self.folder.glob("done/*")))


def test_a_job_as_a_lever_real_and_simulated(tmp_path: Path) -> None:
    spec = LeverSpec("index", "shop", LeverKind.CHOICE, choices=("absent", "done"), run_once=True)

    async def run() -> None:
        real = JobLever(job(cwd=str(tmp_path), **JOB), spec)
        pretended = SimulatedLever(real)
        await pretended.set("done")
        assert (await pretended.read(), await real.read()) == ("done", "absent")
        await real.set("done")
        await real.set("done")
        assert await real.read() == "done" and (tmp_path / "starts").read_text() == "x\n"
        await real.set("absent")
        assert await real.read() == "absent"
        await real.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("changes", "act", "words"),
    [
        pytest.param({"probe": ["echo", "perhaps"]}, "probe", "wrote 'perhaps'. It must write one of absent", id="another word"),
        pytest.param({"probe": ["true"]}, "probe", "wrote nothing", id="no word"),
        pytest.param({"probe": ["echo", "broken"]}, "start", "is broken half-way. Undo it first", id="broken"),
        pytest.param({"probe": ["echo", "done"], "undo": None, "reversibility": "irreversible"}, "undo", "no undo", id="no undo"),
        pytest.param({"probe": ["sh", "-c", "echo no >&2; exit 1"]}, "start", "exit status 1: no", id="a probe that fails"),
    ],
)
def test_a_job_that_cannot(changes: dict[str, object], act: str, words: str, tmp_path: Path) -> None:
    one = job(cwd=str(tmp_path), **{**JOB, **changes})
    with pytest.raises(Permanent, match=words):
        asyncio.run(getattr(one, act)("shop/index"))
    assert not (tmp_path / "starts").exists()


YAML = """
version: 1
elements:
  - name: shop
    sensors:
      - {type: command, argv: [./queue-depth], metric: queue_length, env: {TOKEN: "${env:SHOP_TOKEN}"}}
    levers:
      - {name: workers, type: command, read: [./workers], set: [./workers, "--to={value}"], bounds: [1, 16], cwd: tools}
    jobs:
      - {name: index, type: command, start: [./i, "{key}"], probe: [./i], undo: [./i], cwd: ~/tools}
"""


def loaded(folder: Path, text: str) -> Any:
    file, found = folder / "trimtab.yaml", registry(plug_ins=())
    file.write_text(text)
    environ = {"SHOP_TOKEN": "s3cret-token", "HOME": "/home/ada"}
    kinds = {"sensors": found.sensor_options, "levers": found.lever_options, "jobs": found.job_options}
    return load(file, environ=environ, **kinds)  # type: ignore[arg-type]


def test_programs_are_found_from_the_files_folder_and_secrets_reach_them(tmp_path: Path) -> None:
    script(tmp_path, "queue-depth", '#!/bin/sh\ntest "$TOKEN" = s3cret-token && echo 7\n')
    (element,) = loaded(tmp_path, YAML).elements
    one = registry(plug_ins=()).build_sensor(element.sensors[0], "shop", Net())
    assert read(one)[0].value == 7.0
    assert element.levers[0].cwd == str(tmp_path / "tools") and element.jobs[0].cwd == "/home/ada/tools"


@pytest.mark.parametrize("words", ["$TOKEN", "Bearer $TOKEN is wrong", "x$TOKEN"], ids=["alone", "in a sentence", "joined"])
@pytest.mark.parametrize("through", ["the loader", "Python"])
def test_no_secret_is_told(words: str, through: str, tmp_path: Path) -> None:
    tool = script(tmp_path, "queue-depth", f'#!/bin/sh\necho "{words}"\necho "{words}" >&2\nexit $STATUS\n')
    for status in (0, 1):
        if through == "Python":
            env = {"TOKEN": "s3cret-token", "STATUS": str(status)}
            ones = [
                sensor(argv=[tool], metric="a", cwd=str(tmp_path), env=env),
                lever(cwd=str(tmp_path), env=env, read=[tool]),
                lever(CHOICE, cwd=str(tmp_path), env=env, read=[tool]),
            ]
        else:
            text = YAML.replace('SHOP_TOKEN}"}', f'SHOP_TOKEN}}", STATUS: "{status}"}}')
            (element,) = loaded(tmp_path, text).elements
            ones = [registry(plug_ins=()).build_sensor(element.sensors[0], "shop", Net())]
        for one in ones:
            with pytest.raises((SensorError, LeverError)) as caught:
                read(one)
            assert "s3cret-token" not in str(caught.value) and "***" in str(caught.value)


def test_a_program_sees_little_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter22")
    monkeypatch.setenv("LANG", "C.UTF-8")
    code = "import json, os, sys; print(json.dumps({'n': len(sys.stdin.read()), **{k: 1 for k in os.environ}}))"
    names = ["n", "PATH", "HOME", "LANG", "MINE", "AWS_SECRET_ACCESS_KEY"]
    one = sensor(argv=[sys.executable, "-c", code], metrics={name: name for name in names}, env={"MINE": "1"})
    found = {reading.series.name: reading.value for reading in read(one)}
    assert found.pop("n") == 0.0 and {"PATH", "LANG", "MINE"} <= set(found) and "AWS_SECRET_ACCESS_KEY" not in found


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [
        pytest.param("argv: [./queue-depth]", "argv: ./queue-depth --now", "is a list of words, for no shell", id="one text"),
        pytest.param("argv: [./queue-depth]", "argv: []", "there is no program to run", id="nothing"),
        pytest.param(", metric: queue_length", "", "one number or one JSON document", id="neither metric nor metrics"),
        pytest.param('"--to={value}"', '"--to"', "no word says {value}", id="no value"),
        pytest.param('"--to={value}"', '"--to={value}{other}"', "'{other}' means nothing here", id="an unknown place"),
        pytest.param('"--to={value}"', '"--to={value}}"', "'}' means nothing here", id="a lonely brace"),
        pytest.param("set: [./workers, ", 'set: ["./{value}", ', "the program itself cannot be filled in", id="the program"),
        pytest.param(", undo: [./i]", "", "needs a way back", id="no undo"),
        pytest.param('[./i, "{key}"]', '[./i, "{value}"]', "'{value}' means nothing here", id="a job has no value"),
        pytest.param("TOKEN: ", '"A B": ', "A B", id="no variable's name"),
    ],
)
def test_a_mistake_is_told_with_its_line(wrong: str, right: str, words: str, tmp_path: Path) -> None:
    assert wrong in YAML
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, YAML.replace(wrong, right))
    assert any(words in problem and "trimtab.yaml:" in problem for problem in caught.value.problems), caught.value.problems


def test_options_are_refused_in_python_too() -> None:
    with pytest.raises(ValidationError, match="NUL"):
        sensor(argv=["echo", "a\0b"], metric="a")


def test_the_examples_of_the_documentation_load(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    parts: dict[str, list[str]] = {"sensors": [], "levers": [], "jobs": []}
    for title, kind in re.findall(r"^## (Sensor|Lever|Job) (command|process)$", text, re.MULTILINE):
        section = text.split(f"## {title} {kind}\n")[1].split("\n## ")[0]
        example = section.split("```yaml\n")[1].split("```")[0]
        parts[f"{title.lower()}s"].append(example.replace("- name: workers", f"- name: {kind}-workers"))
    (tmp_path / "secret").write_text("hunter22")
    lines = ["version: 1", "elements:", "  - name: shop"]
    for noun, examples in parts.items():
        lines += [f"    {noun}:", *(f"      {line}" for line in "".join(examples).splitlines())]
    (element,) = loaded(tmp_path, "\n".join(lines).replace("/run/secrets/redis", str(tmp_path / "secret"))).elements
    assert (len(element.sensors), len(element.levers), len(element.jobs)) == (3, 3, 1)
