"""Names for what was found: of an element, by the program that listens; of series, by the element. Used by `discover`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_INTERPRETERS = re.compile(r"(python|node|ruby|perl|php|java)")
_SCRIPTS = (".py", ".js", ".rb", ".pl", ".php", ".jar")


def prefix_of(name: str) -> str:
    """An element's name as the beginning of a series' name.

    >>> prefix_of("check-out.v2")
    'check_out_v2'
    """
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower() or "service"


def program_of(pid: int | None) -> str:
    """The name of a process: of its script, where an interpreter runs one. Empty where it belongs to another user."""
    import psutil

    if pid is None:
        return ""
    try:
        process = psutil.Process(pid)
        words, name = process.cmdline(), process.name()
    except (psutil.Error, OSError):
        return ""
    return element_of(script_of(words) or name)


def script_of(words: Sequence[str]) -> str:
    """The script or module that an interpreter runs.

    >>> script_of(["/usr/bin/python3", "-u", "examples/shop.py", "--port", "1"]), script_of(["python", "-m", "shop.web"])
    ('shop', 'shop.web')
    """
    if not words or not _INTERPRETERS.match(Path(words[0]).name):
        return ""
    if "-m" in words[1:-1]:
        return words[words.index("-m") + 1]
    scripts = [Path(word).stem for word in words[1:] if not word.startswith("-") and Path(word).suffix in _SCRIPTS]
    return scripts[0] if scripts else ""


def element_of(name: str) -> str:
    """A name as an element may have it."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[:60] or "service"


def told_apart(wanted: Sequence[str]) -> list[str]:
    """The same names, told apart where two are equal, or called like the host or the agent.

    >>> told_apart(["shop", "shop", "host"])
    ['shop', 'shop-2', 'host-2']
    """
    taken = {"host", "trimtab"}
    return [_unique(name, taken) for name in wanted]


def _unique(name: str, taken: set[str]) -> str:
    found = next(each for each in _numbered(name) if each not in taken)
    taken.add(found)
    return found


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1
