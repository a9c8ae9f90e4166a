"""What people are told to do can be done: every command named in the package is one that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from trimtab.cli.app import app

SOURCE = Path(__file__).parents[2] / "src" / "trimtab"
NAMED = sorted(
    {
        (found[1], str(path.relative_to(SOURCE)))
        for path in SOURCE.rglob("*.py")
        for found in re.finditer(r"`trimtab ([a-z]+)", path.read_text(encoding="utf-8"))
    }
)


def test_some_commands_are_named():
    assert len(NAMED) > 10


@pytest.mark.parametrize(("command", "where"), NAMED)
def test_a_command_that_is_named_exists(command, where):
    group = typer.main.get_command(app)
    assert command in group.commands, f"{where} names `trimtab {command}`, which does not exist"
