"""Where a value stands in a YAML document: by the marks of ruamel's parser, so that comments, order and layout stay. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trimtab.domain.errors import Permanent
from trimtab.systems.file.places import Place, Style, missing
from trimtab.systems.paths import Step

_STYLES = {None: Style.FLOW, "'": Style.SINGLE, '"': Style.JSON}


def find_yaml(text: str, steps: tuple[Step, ...]) -> Place:
    """The scalar at the end of a path.

    >>> find_yaml("pool:\\n  size: 8  # more is faster\\n", ("pool", "size"))
    Place(start=14, end=15, found=8, style=<Style.FLOW: 'flow'>)
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    parser = YAML(typ="safe", pure=True)
    try:
        root = parser.compose(text)
        shared = _shared(root)
        node = _at(root, steps, shared)
        start, end = node.start_mark.index, node.end_mark.index
        found = parser.load(text[start:end]) if start < end else None
    except (YAMLError, ValueError, RecursionError) as error:
        raise Permanent(
            f"the file is no YAML: {' '.join(str(error).split())[:300]}", remedy="Mend it, or correct format:"
        ) from error
    if node.style not in _STYLES or "\n" in text[start:end] or type(found) not in (bool, int, float, str, type(None)):
        raise Permanent("the value at that key is no single word or number", remedy="Write it on one line, without a block")
    return Place(start, end, found, _STYLES[node.style])


def _at(node: Any, steps: tuple[Step, ...], shared: set[int]) -> Any:
    if node is None:
        raise Permanent("the file is empty")
    for step in steps:
        node = _child(node, step)
        if id(node) in shared:
            raise Permanent(f"what stands at {step!r} stands elsewhere, too (a YAML alias)", remedy="Write it out in both places")
    if node.id != "scalar":
        raise Permanent("there is a mapping or a list at that key, not one value", remedy="Let key: go further, to one value")
    if node.anchor is not None:
        raise Permanent("the value at that key has an anchor", remedy=f"Remove &{node.anchor} from the file")
    return node


def _child(node: Any, step: Step) -> Any:
    if node.id == "sequence" and isinstance(step, int):
        if -len(node.value) <= step < len(node.value):
            return node.value[step]
        raise missing(step, range(len(node.value)))
    members = [(key.value, value) for key, value in node.value if key.id == "scalar"] if node.id == "mapping" else []
    found = [value for key, value in members if key == step]
    if not found:
        raise missing(step, [key for key, _ in members])
    if len(found) > 1:
        raise Permanent(f"the key {step!r} is there twice", remedy="Remove one of the two")
    return found[0]


def _shared(root: Any) -> set[int]:
    """Nodes that stand in several places."""
    seen: set[int] = set()
    twice: set[int] = set()
    waiting = [root] if root is not None else []
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            twice.add(id(node))
            continue
        seen.add(id(node))
        waiting.extend(_inside(node))
    return twice


def _inside(node: Any) -> Iterator[Any]:
    if node.id == "sequence":
        yield from node.value
    elif node.id == "mapping":
        for key, value in node.value:
            yield key
            yield value
