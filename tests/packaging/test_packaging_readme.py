"""The README's commands are well formed and its code runs; the runner that CI uses for the commands can fail."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("readme_commands", Path(__file__).with_name("readme_commands.py"))
assert _SPEC and _SPEC.loader
readme_commands = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(readme_commands)
commands, run = readme_commands.commands, readme_commands.run
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_readme_are_bash_and_begin_with_the_demo() -> None:
    wanted = commands(README)
    assert wanted[0] == "make demo"
    for command in wanted:
        checked = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr


def test_every_target_that_the_documents_name_is_there() -> None:
    named = {name for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
             for name in re.findall(r"(?:`|\$ )make ([a-z-]+)", path.read_text(encoding="utf-8"))}  # fmt: skip
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named
    assert named <= targets


def test_every_test_that_the_readme_names_is_there() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    names = set(re.findall(r"`(test_\w+)`", README))
    assert names
    assert [name for name in names if f"def {name}(" not in sources] == []
    assert [path for path in re.findall(r"`(tests/[\w/]+\.py)`", README) if not (ROOT / path).is_file()] == []


def test_the_configuration_in_the_readme_is_the_example() -> None:
    block = re.search(r"^```yaml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert block
    assert block[1] == (ROOT / "examples" / "trimtab.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/verdicts.md"])
def test_the_python_in_a_document_runs(document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("trimtab-data*", "__pycache__"))
    monkeypatch.chdir(tmp_path)
    blocks = PYTHON_BLOCK.findall((ROOT / document).read_text(encoding="utf-8"))
    assert blocks
    shared: dict[str, object] = {"__name__": "document"}
    for block in blocks:
        exec(compile(block, document, "exec", dont_inherit=True), shared)  # the document's own code
    if "TestValve" in shared:
        suite = shared["TestValve"]()  # type: ignore[operator]
        suite.test_holds_what_was_set()


TABLE = [
    pytest.param("$ true\n", 0, id="all is well"),
    pytest.param("$ false\n", 1, id="a command that fails"),
    pytest.param("$ false\n$ true\n", 1, id="a later success hides nothing"),
    pytest.param("$ sh -c 'exit 2'  # exits with 0 or 2: both are fine\n", 0, id="an exit status that is named"),
    pytest.param("$ sh -c 'exit 3'  # exits with 0 or 2: both are fine\n", 1, id="another than those named"),
    pytest.param("$ true  # exits with 2: always\n", 1, id="success where failure was promised"),
    pytest.param("$ x=1\n$ test $x = 1\nsome output\n", 0, id="one shell for all, output is no command"),
    pytest.param("$ test a = \\\n> a\n", 0, id="a command over two lines"),
    pytest.param("$ no-such-command-anywhere\n", 1, id="a command that is not there"),
    pytest.param("$ exit 7\n", 7, id="a command that ends the shell"),
]


@pytest.mark.parametrize(("block", "status"), TABLE)
def test_the_runner(block: str, status: int, tmp_path: Path) -> None:
    assert run(commands(f"<!-- ci -->\n```console\n{block}```\n"), tmp_path, 20.0) == status


def test_the_runner_takes_marked_blocks_only() -> None:
    assert commands("```console\n$ false\n```\n<!-- ci -->\n```console\n$ true\n```\n") == ["true"]


def test_a_marked_block_without_a_command_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="has no command"):
        commands("<!-- ci -->\n```console\nmake demo\n```\n")


@pytest.mark.parametrize("command", ["sleep 60", "sleep 60 &\n$ true"], ids=["hangs", "leaves something running"])
def test_nothing_is_left_running(command: str, tmp_path: Path) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    began = time.monotonic()
    run(commands(f"<!-- ci -->\n```console\n$ {command}\n```\n"), tmp_path, 0.5)
    assert time.monotonic() - began < 10
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before
    assert not [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(tmp_path)]


def test_the_script_for_ci_is_bash_and_may_be_executed() -> None:
    script = ROOT / ".ci" / "run"
    if not script.exists():
        pytest.skip("an unpacked sdist has no .ci")
    assert script.stat().st_mode & 0o100
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
