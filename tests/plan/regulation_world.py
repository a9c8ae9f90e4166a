"""A view of an element under load, as a regulation policy gets it. Read by the tests of the policies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trimtab.domain.direction import Direction
from trimtab.domain.goals import Goal, GoalState, Guard, GuardState
from trimtab.domain.levers import LeverKind, LeverSpec, Mode
from trimtab.domain.metrics import Health, Trust
from trimtab.domain.regulation import RegulationView
from trimtab.domain.situation import LeverState

GOOD = Trust(Health.OK)
SERVERS = LeverSpec("servers", "web", bounds=(1, 6), mode=Mode.REGULATED, moves=(("web_wait_seconds", "down"),))
DIMMER = LeverSpec(
    "dimmer", "web", LeverKind.FLOAT, (0.0, 1.0), step=0.25, mode=Mode.REGULATED, moves=(("web_wait_seconds", "up"),)
)
WAIT = Goal("web_wait_seconds", 1.0, Direction.MINIMIZE)


def goal_state(goal, value):
    return GoalState(goal, "web", value, value, goal.met_by(value), 1.0, goal.miss(value), GOOD)


def guard_state(guard, value):
    return GuardState(guard, "web", value, None if value is None else guard.breached_by(value), GOOD)


def view(wait, load=None, *, at=None, moves=(), guards=(), every=60.0, levers=((SERVERS, 3), (DIMMER, 1.0)), **more):
    """`wait` and `load` are samples `every` seconds apart, the newest now."""
    wait = np.asarray(wait, dtype=float)
    times = every * (1.0 + np.arange(wait.size))
    metrics = {"web_wait_seconds": (times, wait)}
    if load is not None:
        metrics["web_requests_per_second"] = (times, np.asarray(load, dtype=float))
    metrics |= {name: (times, np.asarray(values, dtype=float)) for name, values in more.items()}
    now = float(times[-1]) if at is None else at
    states = {spec.lever_id: LeverState(spec, value, GOOD, now) for spec, value in levers}
    return RegulationView(now, "web", states, (goal_state(WAIT, float(wait[-1])),), tuple(guards), metrics, tuple(moves))


class Queue:
    """Servers of ten requests a second each with a fluid queue; a step is a minute. Raised servers serve after `boot` seconds."""

    def __init__(self, load, *, boot=0.0, servers=3, seed=0, helps=True):
        self.load, self.boot, self.helps = load, boot, helps
        self.levers = {"servers": servers, "dimmer": 1.0}
        self.ready, self.backlog, self.now = [0.0] * servers, 0.0, 0.0
        self.rng = np.random.default_rng(seed)

    def set(self, lever, value):
        self.levers[lever] = value
        if lever == "servers":
            self.ready = self.ready[:value] + [self.now + self.boot] * (value - len(self.ready))

    def step(self, dt=60.0):
        self.now += dt
        rate = float(self.rng.poisson(self.load(self.now) * dt)) / dt
        servers = sum(ready < self.now for ready in self.ready) if self.helps else 3
        used = rate * (0.1 + 0.9 * self.levers["dimmer"]) / (10.0 * max(servers, 1))
        before = self.backlog
        self.backlog = max(0.0, before + (used - 1.0) * dt)
        steady = 0.1 * (1.0 + 0.5 * min(used, 0.97) / (1.0 - min(used, 0.97)))
        return rate, steady * float(np.exp(self.rng.normal(0.0, 0.05))) + 0.5 * (before + self.backlog)


def run(policy, queue, minutes=100, *, specs=(SERVERS, DIMMER), window=60):
    """What became of it: rates (n,), waits (n,), the lever values in each minute, and the moves."""
    rates, waits, stood, moves = [], [], [], []
    for _ in range(minutes):
        stood.append(dict(queue.levers))
        rate, wait = queue.step()
        rates.append(rate)
        waits.append(wait)
        seen = view(
            waits[-window:],
            rates[-window:],
            levers=tuple((spec, queue.levers[spec.name]) for spec in specs),
        )
        shift = queue.now - seen.now
        metrics = {name: (times + shift, values) for name, (times, values) in seen.metrics.items()}
        recent = tuple(move for move in moves if move.at >= queue.now - 60.0 * window)
        for move in policy.next(replace(seen, now=queue.now, metrics=metrics, moves=recent)):
            queue.set(move.lever_id.split("/")[1], move.to_value)
            moves.append(move)
    return np.array(rates), np.array(waits), stood, moves


ERRORS = Guard("web_error_ratio", max=0.01, element="web")
