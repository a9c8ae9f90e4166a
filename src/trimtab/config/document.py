"""The configuration between file and models: a plain tree, and where in the file each part of it stands.

`yaml_source` fills it, `references` and `environment` change it, `wording` asks it for places. Only `loader` holds one for long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trimtab.config.relations import Path, lookup
from trimtab.config.secrets import Secrets


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Line and column, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where (a place in the file, or the variable it came from), what, and what to do."""

    place: Place | None
    what: str
    remedy: str
    variable: str | None = None

    def line(self, file: str, secrets: Secrets) -> str:
        """The mistake as one line for people and editors, without secrets and without line breaks."""
        if self.variable is not None:
            where = f"environment variable {self.variable}"
        else:
            where = f"{file}:{self.place.line}:{self.place.column}" if self.place is not None else file
        text = secrets.redact(f"{self.what}; {self.remedy}")
        return f"{where}: {''.join(letter if letter.isprintable() else ' ' for letter in text)}"


@dataclass
class Document:
    """A tree of dicts, lists and scalars with the places of its keys and values, and the mistakes found so far.

    `soft` holds paths of texts whose type the models decide: they came from the environment or from a reference, where all is
    text. `refused` holds paths that were reported already: nothing more is said of what lies there.
    """

    file: str
    absent: bool = field(default=False, kw_only=True)  # there is no such file
    tree: dict[str, Any] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    variables: dict[Path, str] = field(default_factory=dict)  # path → the variable that set it
    soft: set[Path] = field(default_factory=set)
    hidden: set[Path] = field(default_factory=set)  # values that no message may quote
    refused: set[Path] = field(default_factory=set)
    secrets: Secrets = field(default_factory=Secrets)
    problems: list[Problem] = field(default_factory=list)

    def report(self, path: Path, what: str, remedy: str, *, at_key: bool = False, see: Path | None = None) -> None:
        """Note a mistake at `path`, or at the nearest part around it that the file has."""
        if see is not None:
            what = f"{what} (the other: {self._where(see)})"
        variable = self.variables.get(path)
        self.problems.append(Problem(self.place(path, at_key=at_key), what, remedy, variable))

    def place(self, path: Path, *, at_key: bool = False) -> Place | None:
        """Where `path` stands; None for the empty document."""
        if at_key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path)

    def settled(self, path: Path) -> bool:
        """Whether a mistake at `path`, or around it, was reported already."""
        return any(path[:length] in self.refused for length in range(len(path) + 1))

    def existing(self, path: Path) -> Path:
        """The part of `path` that the tree has; steps that are not in the tree (branches of a union) are left out."""
        found: Path = ()
        here: Any = self.tree
        for part in path:
            if (isinstance(here, Mapping) and part in here) or (
                isinstance(here, list) and isinstance(part, int) and part < len(here)
            ):
                found = (*found, part)
                here = lookup(here, (part,))
        return found

    def replace(self, path: Path, value: Any) -> None:
        """Put another value at a path that exists, or whose parent is a mapping."""
        parent = lookup(self.tree, path[:-1])
        parent[path[-1]] = value

    def _where(self, path: Path) -> str:
        if path in self.variables:
            return f"environment variable {self.variables[path]}"
        place = self.place(path)
        return f"line {place.line}" if place is not None else self.file
