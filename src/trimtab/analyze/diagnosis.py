"""Where trouble began: rank the suspected elements for a symptom. Called for each confirmed symptom; pure.

One root cause r is supposed, and every element's trouble is explained by it or by chance (a naive Bayes network, one a root):

    log P(r | data) = log prior(r) + Σ_e log( p · LR_e + 1 − p ),   p = ROOT at r, RAISED where e depends on r, CHANCE elsewhere

Trouble travels from the one that is called to its callers. Of what lies between the symptom and r, PATH is asked too: a chain
is as strong as its weakest link. That another caller of r is calm speaks against nothing: it may not need what fails. LR_e is
the likelihood ratio of what the element's metrics did while the symptom lasted (`deviations`), a mixture over them: the metric
that the symptom shows in weighs half, since means add up along a chain of calls where percentiles do not. How much is asked of
an element is no trouble of its own.
Without a call graph an element's trouble counts as explained where it did not begin before r's.
Recent changes move the prior: about 70 % of outages come from changes (Beyer et al., Site Reliability Engineering, 2016, ch. 1).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from trimtab.analyze.deviations import Deviation, Key, deviations, is_load
from trimtab.domain.diagnosis import Cause, Change
from trimtab.domain.words import format_number

Array = NDArray[np.float64]
Graph = Mapping[str, Collection[str]]  # element → those that it calls

ROOT = 0.95  # that the root shows trouble itself, where it has metrics
PATH = 0.8  # that trouble shows in what lies between the symptom and the root
RAISED = 0.5  # that it shows in another that depends on the root: not all of its callers need what fails
CHANCE = 0.1  # that an element is in trouble of its own accord
NOTHING_KNOWN = -1.5  # of an element without metrics: suspect where nothing else explains what is seen
SMALLER = 0.8  # what happens of its own accord is smaller than a fault that shows: weight of its evidence
SAME = 0.5  # weight of the metric that the symptom shows in
BY_CHANGE = 0.7  # of outages
RECENT = 3600.0  # seconds after which a change is 1/e as suspect
UNSEEN = 0.05  # of the prior of what is reached by known calls: for what is not
SHARP, BLIND = 0.75, 0.5  # temperatures with and without a graph: set on drawn graphs, so that what is said comes true as often
LEAST = 0.01  # probability from which on a cause is named
MOST_CAUSES = 10


def diagnose(
    target: Key,
    normal: Mapping[Key, Array],
    abnormal: Mapping[Key, Array],
    graph: Graph | None = None,
    changes: Sequence[Change] = (),
    *,
    since: float | None = None,
) -> tuple[Cause, ...]:
    """The suspected causes of a symptom in metric `target` = (element, metric), the likeliest first.

    `normal`: metric → its samples (n,) while all was well; `abnormal`: the same (m,) around or since the symptom; both on
    one grid of time for all metrics, NaN where there is no sample. `graph`: element → the elements that it calls; None
    where it is not known. `changes` before `since` (Unix seconds, when the symptom began; None: all of them count as
    recent) raise a suspicion.

    >>> wave, web, db, cache = np.sin(np.arange(200.0)), ("web", "latency_ms"), ("db", "latency_ms"), ("cache", "latency_ms")
    >>> normal = {web: 50 + wave, db: 10 + 0.2 * wave, cache: 1 + 0.1 * wave}
    >>> abnormal = {web: 90 + wave[:8], db: 50 + wave[:8], cache: 1 + 0.1 * wave[:8]}
    >>> first, *_ = diagnose(web, normal, abnormal, {"web": ["db", "cache"]})
    >>> first.element, first.metric_name, first.probability > 0.8
    ('db', 'latency_ms', True)
    """
    found = deviations(target, normal, abnormal)
    elements = sorted({element for element, _ in (*normal, *abnormal)} | {target[0]} | set(_named(graph)))
    seen = {element: _standing(element, target, found) for element in elements}
    suspects = elements
    prior = _prior(suspects, _reach(target[0], graph) if graph is not None else set(suspects), changes, since)
    if graph is None:
        raised = {root: _not_before(root, seen, abnormal, normal) for root in suspects}
    else:
        raised = {root: _callers(root, graph) for root in suspects}
    links = _weakest_links(target[0], graph, seen) if graph is not None else {}
    told = {root: _explained(root, seen, raised[root]) + links.get(root, 0.0) for root in suspects}
    scores = np.array([np.log(prior[root]) + told[root] / (SHARP if graph is not None else BLIND) for root in suspects])
    odds = np.exp(scores - scores.max())
    shares = odds / odds.sum()
    ranked = sorted(zip(suspects, shares, strict=True), key=lambda pair: (-pair[1], pair[0]))
    return tuple(
        _cause(root, float(share), seen, raised[root], graph, target, changes)
        for place, (root, share) in enumerate(ranked[:MOST_CAUSES])
        if share >= LEAST or place == 0
    )


@dataclass(frozen=True, slots=True)
class _Standing:
    """How an element fares: `trouble` is a log likelihood ratio, 0 where nothing is known."""

    trouble: float
    shown_by: Deviation | None  # the metric that shows the most
    known: bool


def _standing(element: str, target: Key, found: Mapping[Key, Deviation]) -> _Standing:
    mine = [one for key, one in found.items() if key[0] == element]
    faring = [one for one in mine if not is_load(one.key[1])]
    loads = [one for one in mine if is_load(one.key[1])]
    if any(not one.silent for one in loads):
        faring = [one for one in faring if not one.silent]  # it is measured still, so it has merely nothing to tell
    same = [one for one in faring if one.key[1] == target[1]]
    rest = [one for one in faring if one not in same]
    shown = max(faring, key=lambda one: one.log_ratio, default=None)
    return _Standing(_mixture(same, rest), shown, bool(faring))


def _mixture(same: Sequence[Deviation], rest: Sequence[Deviation]) -> float:
    """log of the mean likelihood ratio: one of the metrics is the one that would show it."""
    groups = [np.exp([one.log_ratio for one in group]).mean() for group in (same, rest) if group]
    if not groups:
        return 0.0
    weights = [SAME, 1.0 - SAME] if len(groups) == 2 else [1.0]
    return float(np.log(np.dot(weights, groups)))


def _explained(root: str, seen: Mapping[str, _Standing], raised: Collection[str]) -> float:
    """log likelihood of what is seen, were `root` the cause, against nothing being off at all."""
    return sum(_term(standing, element == root, element in raised) for element, standing in seen.items())


def _term(standing: _Standing, is_root: bool, is_raised: bool) -> float:
    if is_root:
        return _mixed(ROOT, standing.trouble) if standing.known else NOTHING_KNOWN
    by_chance = _mixed(CHANCE, SMALLER * standing.trouble)
    return max(by_chance, _mixed(RAISED, standing.trouble)) if is_raised else by_chance


def _mixed(p: float, log_ratio: float) -> float:
    return float(np.log(p * np.exp(log_ratio) + 1.0 - p))


def _named(graph: Graph | None) -> list[str]:
    return [name for caller, callees in (graph or {}).items() for name in (caller, *callees)]


def _reach(start: str, graph: Graph) -> set[str]:
    seen, waiting = set(), [start]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting.extend(graph.get(one, ()))
    return seen


def _callers(root: str, graph: Graph) -> set[str]:
    """Everything that depends on `root`, directly or not."""
    callers: dict[str, list[str]] = {}
    for caller, callees in graph.items():
        for callee in callees:
            callers.setdefault(callee, []).append(caller)
    return _reach(root, callers) - {root}


def _weakest_links(start: str, graph: Graph, seen: Mapping[str, _Standing]) -> dict[str, float]:
    """For each element, what the weakest element between it and `start` says against it, on the way where that is least."""
    widest = {start: float("inf")}
    waiting = [(-float("inf"), start)]
    while waiting:
        _, one = heappop(waiting)
        through = widest[one] if one == start else min(widest[one], seen[one].trouble)
        for callee in graph.get(one, ()):
            if through > widest.get(callee, -float("inf")):
                widest[callee] = through
                heappush(waiting, (-through, callee))
    return {one: min(0.0, _mixed(PATH, min(width, 0.0))) for one, width in widest.items()}


def _not_before(root: str, seen: Mapping[str, _Standing], abnormal: Mapping[Key, Array], normal: Mapping[Key, Array]) -> set[str]:
    """The elements whose trouble did not begin clearly before that of `root`."""
    onset = {element: _onset(standing, abnormal, normal) for element, standing in seen.items()}
    return {element for element in seen if element != root and onset[element] >= onset[root]}


def _onset(standing: _Standing, abnormal: Mapping[Key, Array], normal: Mapping[Key, Array]) -> int:
    """The sample at which its metric was half-way to where it went."""
    shown = standing.shown_by
    if shown is None or shown.silent or standing.trouble <= 0.0:
        return 0
    values = abnormal[shown.key]
    moved = np.sign(shown.during - shown.before) * (values - 0.5 * (shown.before + shown.during)) > 0
    return int(np.argmax(moved)) if moved.any() else 0


def _prior(suspects: Sequence[str], reached: Collection[str], changes: Sequence[Change], since: float | None) -> dict[str, float]:
    """Equal shares for what is `reached`, of which changes that came shortly before take up to `BY_CHANGE`."""
    prior = {root: 1.0 if root in reached else UNSEEN for root in suspects}
    whole = sum(prior.values())
    weights: dict[str, float] = {}
    for change in changes:
        age = 0.0 if since is None else since - change.at
        if change.element in prior and age >= 0.0:
            weights[change.element] = max(weights.get(change.element, 0.0), prior[change.element] * float(np.exp(-age / RECENT)))
    taken, total = BY_CHANGE * max(weights.values(), default=0.0), sum(weights.values()) or 1.0
    return {root: (1.0 - taken) * share / whole + taken * weights.get(root, 0.0) / total for root, share in prior.items()}


def _cause(
    root: str,
    share: float,
    seen: Mapping[str, _Standing],
    raised: Collection[str],
    graph: Graph | None,
    target: Key,
    changes: Sequence[Change],
) -> Cause:
    standing = seen[root]
    shown = standing.shown_by if standing.shown_by is not None and standing.shown_by.log_ratio > 0.0 else None
    words = [_in_words(shown)] if shown is not None else []
    words += [change.what for change in changes if change.element == root][-2:]
    troubled = [name for name in sorted(raised) if seen[name].trouble > 1.0]
    if graph is not None and troubled:
        others = ", ".join(troubled[:3]) + (f" and {len(troubled) - 3} more" if len(troubled) > 3 else "")
        words.append(
            f"{others} depend{'s' if len(troubled) == 1 else ''} on it and suffer{'s' if len(troubled) == 1 else ''} too"
        )
    if not words:
        words = ["the symptom is its own"] if root == target[0] else ["nothing speaks against it, and little for it"]
    return Cause(root, shown.key[1] if shown is not None else "", share, tuple(words))


def _in_words(shown: Deviation) -> str:
    if shown.silent:
        return f"{shown.key[1]} has no samples any more"
    return f"{shown.key[1]} went from {format_number(shown.before)} to {format_number(shown.during)}"
