"""Call graphs with faults in them, for the bench of diagnosis: drawn from a seed, knowing nothing of the method under test.

Elements call others that come later (an acyclic graph). An element answers in its own time plus that of its calls; a call fails
when what it calls fails. A fault slows one element or makes it fail, for some of its callers only. Beside it: metrics of another
day's level, deviations of their own accord, elements without any metric, edges that nobody knows of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Key = tuple[str, str]
NORMAL, WINDOW = 400, 8


@dataclass(frozen=True, slots=True)
class Incident:
    """One fault, and what is seen of it."""

    target: Key
    root: str
    graph: dict[str, list[str]]
    normal: dict[Key, Array]
    abnormal: dict[Key, Array]
    changed: tuple[str, ...]  # elements that were changed shortly before


def incident(seed: int) -> Incident:
    """One incident whose symptom shows at an entry; drawn again until it shows there at all."""
    rng = np.random.default_rng(seed)
    while True:
        found = _try(rng)
        if found is not None:
            return found


def _try(rng: np.random.Generator) -> Incident | None:
    n = int(rng.integers(8, 45))
    names = [f"s{i}" for i in range(n)]
    calls = _calls(rng, n)
    reach = _reach(calls, 0)
    root = int(rng.choice(reach))
    slow = rng.random() < 0.5
    size = float(np.exp(rng.uniform(np.log(0.5), np.log(8.0))))  # of the own time; or per cent of failures
    total = NORMAL + WINDOW
    on = np.zeros(total)
    begin = int(rng.integers(0, 4))  # samples of the window before it shows
    on[NORMAL + begin : NORMAL + begin + int(rng.integers(3, WINDOW + 1))] = 1.0
    latency, fail, load = _run(rng, n, calls, root, on, slow, size, total)
    _disturb(rng, latency, root)
    series: dict[Key, Array] = {}
    bare = set(rng.choice(n, n // 8, replace=False).tolist()) - {0, root}
    for i, name in enumerate(names):
        if i in bare:
            continue
        count = np.maximum(load[i], 1.0)
        series[name, "latency mean"] = latency[i]
        series[name, "latency p95"] = latency[i] * rng.uniform(2, 4) * np.exp(0.2 * rng.standard_normal(total))
        series[name, "availability"] = 100.0 * (1.0 - rng.binomial(count.astype(int), np.clip(fail[i], 0, 1)) / count.astype(int))
        series[name, "requests"] = np.round(count)
    target = ("s0", "latency mean" if slow else "availability")
    if not _shows(series[target], slow):
        return None
    shown = {name: [names[c] for c in callees if rng.random() > 0.05] for name, callees in zip(names, calls, strict=True)}
    changed = [names[root]] if rng.random() < 0.7 else []
    changed += [names[int(i)] for i in rng.choice(n, int(rng.integers(0, 3)), replace=False)]
    known = {key: np.where(rng.random(total) < 0.03, np.nan, values) for key, values in series.items()}
    return Incident(
        target,
        names[root],
        shown,
        {key: values[:NORMAL] for key, values in known.items()},
        {key: values[NORMAL:] for key, values in known.items()},
        tuple(dict.fromkeys(changed)),
    )


def _calls(rng: np.random.Generator, n: int) -> list[list[int]]:
    calls: list[list[int]] = [[] for _ in range(n)]
    for i in range(1, n):
        for caller in rng.choice(i, min(i, 1 + int(rng.random() < 0.3)), replace=False):
            calls[int(caller)].append(i)
    return calls


def _reach(calls: list[list[int]], start: int) -> list[int]:
    seen, waiting = set(), [start]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting.extend(calls[one])
    return sorted(seen)


def _run(
    rng: np.random.Generator, n: int, calls: list[list[int]], root: int, on: Array, slow: bool, size: float, total: int
) -> tuple[Array, Array, Array]:
    """Latency (s), share of failed calls, and calls per sample of each element: (n, total) each."""
    own = np.exp(rng.uniform(np.log(0.002), np.log(0.1), n))
    level = 1.0 + 0.1 * np.sin(2 * np.pi * (np.arange(total) / rng.uniform(80, 300)))
    load, latency, fail = np.zeros((n, total)), np.zeros((n, total)), np.zeros((n, total))
    load[0] = rng.uniform(100, 2000) * level
    share = [[float(rng.uniform(0.2, 1.5)) for _ in callees] for callees in calls]
    for i in range(n):
        for k, callee in enumerate(calls[i]):
            load[callee] += share[i][k] * load[i]
    affected = rng.random((n, n)) < 0.75  # whether this caller needs what fails
    for i in reversed(range(n)):
        noise = np.exp(rng.uniform(0.02, 0.25) * _ar(rng, total))
        latency[i] = own[i] * noise
        fail[i] = rng.choice([0.0, 0.0, 1e-4, 2e-3])
        if i == root:
            latency[i] += own[i] * size * on if slow else 0.0
            fail[i] += 0.0 if slow else 0.01 * size * on
        for k, callee in enumerate(calls[i]):
            part = min(share[i][k], 1.5)
            calm = np.where(on > 0, np.median(latency[callee]), latency[callee])
            felt = latency[callee] if affected[i, callee] else calm
            latency[i] += part * felt
            fail[i] += min(part, 1.0) * (fail[callee] if affected[i, callee] else np.median(fail[callee]))
    return latency, fail, load


def _ar(rng: np.random.Generator, total: int) -> Array:
    steps = rng.standard_normal(total)
    rho = rng.uniform(0.0, 0.8)
    out = np.empty(total)
    out[0] = steps[0]
    for t in range(1, total):
        out[t] = rho * out[t - 1] + np.sqrt(1 - rho * rho) * steps[t]
    return out


def _disturb(rng: np.random.Generator, latency: Array, root: int) -> None:
    """Another level in the whole window at some, a deviation of its own accord at others."""
    n = latency.shape[0]
    for i in rng.choice(n, n // 6, replace=False):
        if i not in (0, root):
            latency[i, NORMAL:] *= float(np.exp(rng.uniform(-1.0, 1.0)))
    for i in rng.choice(n, n // 10, replace=False):
        if i not in (0, root):
            at = NORMAL + int(rng.integers(0, WINDOW - 2))
            latency[i, at : at + 3] *= float(np.exp(rng.uniform(0.2, 1.2)))


def _shows(values: Array, slow: bool) -> bool:
    """Whether an operator would have been called."""
    usual, now = values[:NORMAL], values[NORMAL:]
    worst = np.sort(now)[-3:].mean() if slow else np.sort(now)[:3].mean()
    spread = max(float(usual.std()), 1e-9)
    return bool((worst - usual.mean()) / spread > 4.0) if slow else bool((usual.mean() - worst) / spread > 4.0)
