"""Draw a service that nobody has seen before: its metric, noise, levers, guard and fault, all from a seed.

What is drawn, and within which limits, is the benchmark's honesty: an agent that wins here has not been fitted to one service.
The one thing that is *not* drawn is a fault whose cure takes more single steps than 120 s allow for at the drawn periods.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

WORDS = (
    "pool",
    "shards",
    "fanout",
    "buffers",
    "lanes",
    "readers",
    "slots",
    "quota",
    "depth",
    "window",
    "threads",
    "batch",
    "cache",
)
ELEMENTS = ("orders", "search", "ledger", "thumbs", "mailer", "feed", "quotes", "maps")
SIZES = ("tiny", "small", "medium", "large", "huge", "giant")
GAUGES = ("backlog_length", "render_milliseconds", "answer_age_seconds", "wait_seconds")
TARGET_MARGIN = (
    1.6  # the goal's target, relative to the healthy level: 3 standard deviations of its window at the worst noise drawn
)
KNEE = 1.15  # demand over capacity that the goal still bears
BUDGET_SECONDS = 100.0  # of the 120 s, for single steps
SAMPLES_A_STEP = 6  # what finding, settling apart, and judging one step may take


@dataclass(frozen=True)
class DrawnLever:
    """A lever as the configuration shows it (`role` and `point` are the service's secret)."""

    role: str  # helps | nothing | harms
    name: str
    kind: str  # integer | float | choice
    start: float | str
    bounds: tuple[float, float]
    step: float
    choices: tuple[str, ...]
    moves: str | None  # what the configuration says raising it does to the goal's metric
    point: float = math.inf  # position beyond which it breaks the guard

    def position(self, value: float | str) -> float:
        """Where a value lies, 1.0 at the start: ratio for numbers, powers of two for choices."""
        if self.kind == "choice":
            return float(2.0 ** (self.choices.index(str(value)) - self.choices.index(str(self.start))))
        return float(value) / float(self.start)


@dataclass(frozen=True)
class Drawn:
    """A service with everything about it."""

    seed: int
    element: str
    metric: str
    histogram: bool
    maximize: bool
    healthy: float
    target: float
    noise: float  # coefficient of variation
    rho: float  # autocorrelation from one monitoring interval to the next
    interval: float
    cooldown: float
    settle: float
    lag: float  # time constant with which an effect arrives
    slope: float  # how steeply overload shows
    guard: str
    guard_base: float
    guard_noise: float
    guard_max: float
    harm: float  # error ratio beyond the point
    gain: float  # what the harmful lever does for the goal at its point
    fault: float  # demand after it, 1.0 before
    levers: tuple[DrawnLever, ...]

    @property
    def steps(self) -> int:
        """How many doublings of the helping lever cure the fault."""
        return max(1, math.ceil(math.log2(self.fault / KNEE)))

    def lever(self, role: str) -> DrawnLever:
        """The lever of a role."""
        return next(lever for lever in self.levers if lever.role == role)


def draw(seed: int) -> Drawn:
    """The service of a seed."""
    rng = random.Random(seed)
    interval, cooldown, settle = rng.choice((1.0, 2.0, 3.0, 5.0)), rng.uniform(2, 10), rng.uniform(3, 8)
    most_steps = max(1, min(3, int(BUDGET_SECONDS / (cooldown + settle + SAMPLES_A_STEP * interval))))
    fault = rng.uniform(1.5, min(6.0, KNEE * 2.0**most_steps))
    histogram = rng.random() < 0.5
    maximize = not histogram and rng.random() < 0.25
    metric = "p95_seconds" if histogram else "throughput_per_second" if maximize else rng.choice(GAUGES)
    element = rng.choice(ELEMENTS)
    healthy = rng.uniform(0.05, 1.0) if histogram else rng.uniform(0.5, 1.0) * 10.0 ** rng.randint(-1, 3)
    guard_base = rng.uniform(0.001, 0.004)
    gain = rng.choice((0.0, 0.06, 0.12))
    levers = _levers(rng, fault, "up" if maximize else "down", gain > 0)
    return Drawn(
        seed=seed,
        element=element,
        metric=f"{element}_{metric}",
        histogram=histogram,
        maximize=maximize,
        healthy=healthy,
        target=healthy / TARGET_MARGIN if maximize else healthy * TARGET_MARGIN,
        noise=rng.uniform(0.05, 0.20),
        rho=rng.uniform(0.0, 0.6),
        interval=interval,
        cooldown=round(cooldown, 1),
        settle=round(settle, 1),
        lag=rng.uniform(0.0, settle / 3),
        slope=rng.uniform(2.0, 4.0),
        guard=f"{element}_error_ratio",
        guard_base=guard_base,
        guard_noise=rng.uniform(0.05, 0.25),
        guard_max=rng.choice((0.01, 0.02)),
        harm=rng.uniform(0.04, 0.2),
        gain=gain,
        fault=fault,
        levers=levers,
    )


def _levers(rng: random.Random, fault: float, better: str, tempting: bool) -> tuple[DrawnLever, ...]:
    names = rng.sample(WORDS, 3)
    helps = _lever(rng, "helps", names[0], room=1.5 * fault, moves=better if rng.random() < 0.5 else None)
    nothing = _lever(rng, "nothing", names[1], room=rng.uniform(2, 6), moves=None)
    harms = _lever(rng, "harms", names[2], room=rng.uniform(3, 6), moves=better if tempting and rng.random() < 0.5 else None)
    levers = [helps, nothing, harms]
    rng.shuffle(levers)
    return tuple(levers)


def _lever(rng: random.Random, role: str, name: str, room: float, moves: str | None) -> DrawnLever:
    kind = rng.choice(("integer", "float", "choice"))
    point = rng.uniform(1.2, 0.7 * room) if role == "harms" else math.inf
    if kind == "choice":
        above = math.ceil(math.log2(room))
        below = rng.randint(0, min(1, len(SIZES) - 1 - above))
        choices = SIZES[: below + above + 1]
        return DrawnLever(role, name, kind, choices[below], (0.0, 0.0), 1.0, choices, moves, point)
    step = 1.0 if kind == "integer" else rng.choice((0.1, 0.25, 0.5, 5.0))
    start = step * rng.randint(1, 4)
    top = step * math.ceil(start * room / step)
    return DrawnLever(role, name, kind, round(start, 6), (step, round(top, 6)), step, (), moves, point)


def configuration(drawn: Drawn, port: int, folder: str, api_port: int) -> dict[str, object]:
    """What an operator would write of it, as the agent's configuration."""
    url = f"http://127.0.0.1:{port}"
    if drawn.histogram:
        sensor: dict[str, object] = {
            "type": "prometheus",
            "url": f"{url}/metrics",
            "derive": [
                {"name": drawn.metric, "quantile": 0.95, "of": "request_seconds"},
                {"name": drawn.guard, "ratio": ["request_errors_total", "requests_total"]},
            ],
        }
    else:
        sensor = {"type": "http_json", "url": f"{url}/stats", "metrics": {drawn.metric: "now.main", drawn.guard: "now.errors"}}
    levers = []
    for lever in drawn.levers:
        levers.append(
            {
                "name": lever.name,
                "type": "http",
                "url": f"{url}/levers/{lever.name}",
                "kind": lever.kind,
                "settle_seconds": drawn.settle,
                "autonomy": "act",
            }
            | ({"choices": list(lever.choices)} if lever.kind == "choice" else {"bounds": list(lever.bounds), "step": lever.step})
            | ({"moves": {drawn.metric: lever.moves}} if lever.moves else {})
        )
    return {
        "version": 1,
        "storage": {"path": folder},
        "api": {"host": "127.0.0.1", "port": api_port},
        "monitoring": {
            "interval_seconds": drawn.interval,
            "analysis_interval_seconds": drawn.interval,
            "optimization_interval_seconds": drawn.interval,
            "execution_interval_seconds": 1,
        },
        "corrective_action_cooldown_seconds": drawn.cooldown,
        "elements": [
            {
                "name": drawn.element,
                "sensors": [sensor],
                "levers": levers,
                "guards": [{"metric_name": drawn.guard, "max": drawn.guard_max}],
            }
        ],
        "goals": [
            {
                "metric_name": drawn.metric,
                "target_value": drawn.target,
                "direction": "maximize" if drawn.maximize else "minimize",
                "weight": 1.0,
            }
        ],
    }
