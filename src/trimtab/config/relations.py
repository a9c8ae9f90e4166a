"""Rules that hold between parts of the configuration that lie far apart: names, dependencies, twins, limits.

They look at the raw tree and not at the models, so that they report beside every other mistake and not only after it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trimtab.config.elements import dependencies
from trimtab.config.parts import plain
from trimtab.config.thresholds import merge_defaults, threshold_mistake
from trimtab.domain.metrics import MetricType
from trimtab.domain.regulation import REGULATION

Path = tuple[str | int, ...]

TWINS: tuple[tuple[Path, Path], ...] = (  # two names of one setting
    (("collection_interval_seconds",), ("monitoring", "interval_seconds")),
    (("max_concurrent_actions",), ("thresholds", "max_concurrent_actions")),
)


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong at a place in the tree, what to do, and the other place that it disagrees with."""

    path: Path
    what: str
    remedy: str
    see: Path | None = None


def mistakes(tree: Mapping[str, Any]) -> list[Mistake]:
    """Every mistake of relation in `tree`, which may be malformed in any other way."""
    elements = [(index, item) for index, item in enumerate(_items(tree.get("elements"))) if isinstance(item, Mapping)]
    return [
        *_twins(tree),
        *_limits(tree),
        *_doubles("elements", tree.get("elements"), ()),
        *_parts_of(elements),
        *_dependencies(elements),
        *_goals(tree, elements),
        *_windows(tree, elements),
    ]


def suggest(word: str, known: Sequence[str]) -> str:
    """A remedy for a word that is not known.

    >>> suggest("minimise", ["minimize", "maximize"])
    "did you mean 'minimize'?"
    """
    lowered = {candidate.lower(): candidate for candidate in reversed(known)}
    close = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    if close:
        return f"did you mean '{lowered[close[0]]}'?"
    if not known:
        return "remove it"
    listed = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
    return f"known here: {listed}"


def _twins(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    for top, nested in TWINS:
        one, other = lookup(tree, top), lookup(tree, nested)
        if _number(one) and _number(other) and one != other:
            what = f"{plain(one)} here, but {'.'.join(map(str, nested))} is {plain(other)}, and the two are one setting"
            yield Mistake(top, what, "keep only one of them", see=nested)


def _limits(tree: Mapping[str, Any]) -> Iterator[Mistake]:
    given = lookup(tree, ("thresholds", "metrics"))
    if not isinstance(given, Mapping):
        return
    merged = merge_defaults(dict(given))
    for kind in MetricType:
        limits = merged.get(kind.value)
        if kind.value in given and isinstance(limits, Mapping):
            pair = (limits.get("warning"), limits.get("critical"))
            wrong = threshold_mistake(kind, *pair) if all(_number(limit) for limit in pair) else None  # type: ignore[arg-type]
            if wrong is not None:
                yield Mistake(("thresholds", "metrics", kind.value), *wrong)


def _doubles(noun: str, items: Any, above: Path) -> Iterator[Mistake]:
    first: dict[str, Path] = {}
    for index, item in enumerate(_items(items)):
        name = item.get("name") if isinstance(item, Mapping) else None
        path = (*above, noun, index, "name")
        if isinstance(name, str) and name in first:
            yield Mistake(path, f"two {noun} are named '{name}'", "rename one of them", see=first[name])
        elif isinstance(name, str):
            first[name] = path


def _parts_of(elements: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[Mistake]:
    names = _names(elements)
    for index, element in elements:
        for noun in ("sensors", "levers", "jobs"):
            yield from _doubles(noun, element.get(noun), ("elements", index))
        yield from _job_named_as_lever(element, index)
        yield from _named_as_policy(element, index)
        for number, guard in enumerate(_items(element.get("guards"))):
            yield from _named(guard, names, ("elements", index, "guards", number))


def _job_named_as_lever(element: Mapping[str, Any], index: int) -> Iterator[Mistake]:
    """Both are known as element/name."""
    levers = {lever["name"]: n for n, lever in enumerate(_items(element.get("levers"))) if _has_name(lever)}
    for number, job in enumerate(_items(element.get("jobs"))):
        if _has_name(job) and job["name"] in levers:
            see: Path = ("elements", index, "levers", levers[job["name"]], "name")
            yield Mistake(
                ("elements", index, "jobs", number, "name"), f"a lever is named '{job['name']}', too", "rename one of them", see
            )


def _named_as_policy(element: Mapping[str, Any], index: int) -> Iterator[Mistake]:
    """Where levers are regulated, `<element>/regulation` is the lever that says which policy moves them."""
    if not any(isinstance(lever, Mapping) and lever.get("mode") == "regulated" for lever in _items(element.get("levers"))):
        return
    for noun in ("levers", "jobs"):
        for number, item in enumerate(_items(element.get(noun))):
            if _has_name(item) and item["name"] == REGULATION:
                what = f"'{REGULATION}' is the lever that holds the policy of an element with regulated levers"
                yield Mistake(("elements", index, noun, number, "name"), what, "rename this one")


def _has_name(item: Any) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get("name"), str)


def _dependencies(elements: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[Mistake]:
    names = _names(elements)
    graph = {
        element["name"]: [name for name in _items(element.get("depends_on")) if isinstance(name, str)]
        for _, element in elements
        if isinstance(element.get("name"), str)
    }
    reported: set[str] = set()
    for index, element in elements:
        for number, name in enumerate(_items(element.get("depends_on"))):
            path: Path = ("elements", index, "depends_on", number)
            if not isinstance(name, str):
                continue
            if name not in graph:
                yield Mistake(path, f"there is no element '{name}'", suggest(name, names))
            elif element.get("name") in dependencies(graph, name) and name not in reported:
                circle = _circle(graph, element["name"], name)
                reported.update(circle)
                yield Mistake(path, f"elements depend on each other in a circle: {' → '.join(circle)}", "remove one of these")


def _circle(graph: Mapping[str, Sequence[str]], start: str, then: str) -> list[str]:
    """The names along one way from `start` through `then` back to `start`."""
    ways: list[list[str]] = [[start, then]]
    seen = {then}
    while ways:
        way = ways.pop(0)
        if way[-1] == start:
            return way
        following = [name for name in graph.get(way[-1], ()) if name == start or name not in seen]
        seen.update(following)
        ways.extend([*way, name] for name in following)
    return [start, then]


def _goals(tree: Mapping[str, Any], elements: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[Mistake]:
    first: dict[str, Path] = {}
    for index, goal in enumerate(_items(tree.get("goals"))):
        if not isinstance(goal, Mapping):
            continue
        path: Path = ("goals", index)
        yield from _named(goal, _names(elements), path)
        where = goal.get("where")
        labels = sorted((str(key), str(value)) for key, value in where.items()) if isinstance(where, Mapping) else []
        key = repr((goal.get("metric_name"), goal.get("element"), labels))
        if isinstance(goal.get("metric_name"), str) and key in first:
            what = f"there is already a goal for {goal['metric_name']}"
            yield Mistake((*path, "metric_name"), what, "keep one, or tell them apart by element or where", see=first[key])
        else:
            first[key] = (*path, "metric_name")


def _windows(tree: Mapping[str, Any], elements: Sequence[tuple[int, Mapping[str, Any]]]) -> Iterator[Mistake]:
    names = _names(elements)
    for noun in ("maintenance_windows", "change_freezes"):
        yield from _doubles(noun, tree.get(noun), ())
        for index, window in enumerate(_items(tree.get(noun))):
            for number, name in enumerate(_items(window.get("elements") if isinstance(window, Mapping) else None)):
                if isinstance(name, str) and name not in names:
                    yield Mistake((noun, index, "elements", number), f"there is no element '{name}'", suggest(name, names))


def _named(item: Any, names: Sequence[str], path: Path) -> Iterator[Mistake]:
    name = item.get("element") if isinstance(item, Mapping) else None
    if isinstance(name, str) and name not in names:
        yield Mistake((*path, "element"), f"there is no element '{name}'", suggest(name, names))


def _names(elements: Sequence[tuple[int, Mapping[str, Any]]]) -> list[str]:
    return [element["name"] for _, element in elements if isinstance(element.get("name"), str)]


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def lookup(tree: Any, path: Path) -> Any:
    """What lies at `path`, None where nothing does."""
    for part in path:
        if isinstance(tree, Mapping):
            tree = tree.get(part)
        elif isinstance(tree, list) and isinstance(part, int) and part < len(tree):
            tree = tree[part]
        else:
            return None
    return tree
