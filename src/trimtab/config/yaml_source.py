"""Read a YAML file into a `Document`: YAML 1.2, every key and value with its place, every mistake told apart.

Works on ruamel's node graph, not on loaded objects: nodes know where they stand, and a mistake in one does not
hide the next.
"""

from __future__ import annotations

import warnings
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from trimtab.config.document import Document, Place, Problem
from trimtab.config.relations import Path
from trimtab.config.scalars import NotAValue, scalar

if TYPE_CHECKING:
    from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

_LARGEST_FILE = 4 * 1024 * 1024  # bytes; a configuration of a thousand elements has a tenth of that
_MOST_NODES = 100_000  # aliases within aliases can unfold a few lines into billions of nodes
_DEEPEST = 60

_TAG = "tag:yaml.org,2002:"


def read_yaml(path: FilePath) -> Document:
    """The document in `path`; what is wrong with it is in `.problems`. Never raises for what a file may hold."""
    document = Document(str(path))
    text = _read_text(path, document)
    root = _compose(text, document) if text is not None else None
    if root is not None:
        _Builder(document).build(root)
    return document


def _read_text(path: FilePath, document: Document) -> str | None:
    problem: tuple[str, str]
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_FILE + 1)
        if len(raw) <= _LARGEST_FILE:
            return _decode(raw, document)
        problem = ("the file is larger than 4 MiB", "check that this is the configuration")
    except FileNotFoundError:
        document.absent = True
        problem = ("there is no such file", "check the path; `trimtab config schema` lists what a configuration may say")
    except IsADirectoryError:
        problem = ("this is a folder, not a file", "name the file in it, e.g. trimtab.yaml")
    except PermissionError:
        problem = ("the file may not be read", "give this user the right to read it")
    except (OSError, ValueError) as error:
        problem = (f"the file cannot be read ({getattr(error, 'strerror', None) or error})", "check the path")
    document.problems.append(Problem(None, *problem))
    return None


def _decode(raw: bytes, document: Document) -> str | None:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8-sig", "replace")
        place = _place_of(before, len(before))
        document.problems.append(Problem(place, f"byte 0x{raw[error.start]:02x} is not UTF-8", "save the file as UTF-8"))
        return None


def _compose(text: str, document: Document) -> Node | None:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.reader import ReaderError

    place, what = Place(1, 1), "this is not YAML that can be read"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            root: Node | None = YAML(typ="rt", pure=True).compose(text)
        if root is None or (root.tag == f"{_TAG}null" and not root.value):
            what, remedy = "the file is empty", "write at least `version: 1` and one element; `trimtab config schema` says how"
        else:
            return root
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark is not None else place
        what = "invalid YAML: " + ", ".join(str(part) for part in (error.context, error.problem) if part)
        remedy = "correct the indentation, quotes or brackets here or just above"
    except ReaderError as error:
        place, what = _place_of(text, error.position), "invalid YAML: a control character"
        remedy = "remove it, or write it as an escape in double quotes"
    except RecursionError:
        what, remedy = "invalid YAML: nested too deeply", "write it flatter"
    except Exception as error:  # the parser has faults of its own on junk; people get a sentence for those too
        remedy = f"check its syntax ({type(error).__name__})"
    document.problems.append(Problem(place, what, remedy))
    return None


def _place_of(text: str, position: int) -> Place:
    before = text[:position]
    return Place(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


class _TooMuch(Exception):
    """The document unfolds into more than any configuration has."""


class _Builder:
    """Turns nodes into the document's tree, step by step, noting places."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.count = 0
        self.above: list[int] = []  # ids of the nodes around the present one: an alias to one of them has no end

    def build(self, root: Node) -> None:
        tree: Any = None
        try:
            tree = self.value(root, ())
        except _TooMuch:
            self.document.values.setdefault((), Place(1, 1))
            self.document.problems.clear()
            self.document.report((), "aliases unfold into too many values", "write it without aliases within aliases")
            return
        if isinstance(tree, dict):
            self.document.tree = tree
        elif not self.document.problems:
            self.document.report((), f"expected settings such as `version: 1`, got {_noun(tree)}", "begin with `version: 1`")

    def value(self, node: Node, path: Path) -> Any:
        from ruamel.yaml.nodes import MappingNode, ScalarNode

        self.count += 1
        if self.count > _MOST_NODES:
            raise _TooMuch
        left_empty = isinstance(node, ScalarNode) and not node.value and str(node.tag) == f"{_TAG}null"
        self.document.values[path] = self.document.keys.get(path, _start(node)) if left_empty else _start(node)
        if id(node) in self.above or len(path) > _DEEPEST:
            return self.refuse(path, "this contains itself or is nested too deeply", "write it flatter")
        if isinstance(node, ScalarNode):
            return self.scalar(node, path)
        wanted = "map" if isinstance(node, MappingNode) else "seq"
        if str(node.tag) != _TAG + wanted:
            return self.refuse(path, f"the tag {node.tag} means nothing here", "remove it")
        self.above.append(id(node))
        try:
            return self.mapping(node, path) if isinstance(node, MappingNode) else self.sequence(node, path)
        finally:
            self.above.pop()

    def scalar(self, node: ScalarNode, path: Path) -> Any:
        try:
            return scalar(str(node.tag), node.value)
        except NotAValue as error:
            return self.refuse(path, error.what, error.remedy)

    def sequence(self, node: Node, path: Path) -> list[Any]:
        return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]

    def mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        from ruamel.yaml.nodes import ScalarNode

        result: dict[str, Any] = {}
        merged: list[Node] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self.report_at(key_node, "a key must be a word", "write `key: value`")
            elif str(key_node.tag) == f"{_TAG}merge" and key_node.value == "<<":
                merged.append(value_node)
            else:
                self.pair(key_node, value_node, path, result)
        for other in merged:
            self.merge(other, path, result)
        return result

    def pair(self, key_node: ScalarNode, value_node: Node, path: Path, result: dict[str, Any]) -> None:
        key = key_node.value
        if not _encodable(key):
            self.report_at(key_node, "a key holds a character that is none", "remove the \\ud… escape")
            return
        if key in result:
            first = self.document.keys[(*path, key)]
            self.report_at(key_node, f"the key '{key}' is here twice (the other: line {first.line})", "keep only one of them")
            return
        self.document.keys[(*path, key)] = _start(key_node)
        result[key] = self.value(value_node, (*path, key))

    def merge(self, node: Node, path: Path, result: dict[str, Any]) -> None:
        """`<<: *base`: keys of the base that are not given here."""
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        self.count += 1
        if self.count > _MOST_NODES:
            raise _TooMuch
        if id(node) in self.above or not isinstance(node, MappingNode | SequenceNode):
            self.report_at(node, "`<<` merges a mapping, and this is none", "name a mapping, e.g. `<<: *base`")
            return
        self.above.append(id(node))
        for item in node.value:
            if isinstance(node, SequenceNode):
                self.merge(item, path, result)
            elif getattr(item[0], "value", None) == "<<":
                self.merge(item[1], path, result)
            elif isinstance(item[0].value, str) and item[0].value not in result:
                self.pair(item[0], item[1], path, result)
        self.above.pop()

    def refuse(self, path: Path, what: str, remedy: str) -> None:
        self.document.refused.add(path)
        self.document.report(path, what, remedy)

    def report_at(self, node: Node, what: str, remedy: str) -> None:
        self.document.problems.append(Problem(_start(node), what, remedy))


def _start(node: Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _encodable(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _noun(value: Any) -> str:
    return "a list" if isinstance(value, list) else "a single value"
