"""The declared side of a lever: what it is, how far it may move, and what moving it may cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

LeverValue = bool | int | float | str

ABSENT, RUNNING, DONE, BROKEN = "absent", "running", "done", "broken"  # what a job's probe answers
JOB_STATES = (ABSENT, RUNNING, DONE, BROKEN)


class LeverKind(StrEnum):
    """What values a lever takes."""

    INTEGER = "integer"
    FLOAT = "float"
    CHOICE = "choice"
    BOOLEAN = "boolean"


class Mode(StrEnum):
    """`tuned`: a set-point, one verdict a change. `regulated`: a policy moves it as load moves, and the policy is judged."""

    TUNED = "tuned"
    REGULATED = "regulated"


class Reversibility(StrEnum):
    """Whether an effect can be taken back. `transient` wears off by itself; `irreversible` always asks a person."""

    REVERSIBLE = "reversible"
    TRANSIENT = "transient"
    IRREVERSIBLE = "irreversible"


class Autonomy(StrEnum):
    """How far a lever may be moved without a person: `observe` never, `ask` after approval, `act` by itself."""

    OBSERVE = "observe"
    ASK = "ask"
    ACT = "act"


class ActionPriority(StrEnum):
    """Order of actions. `critical` asks a person."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for critical to 3 for low: sorts the most urgent first."""
        return list(ActionPriority).index(self)


@dataclass(frozen=True, slots=True)
class LeverSpec:
    """All that is declared of a lever.

    `bounds` are inclusive and belong to integer and float levers, `choices` to choice levers (in order, if they have one).
    `expected_improvement` and `success_probability` are priors, `risk_level` is 0 (harmless) to 1.
    """

    name: str
    element: str
    kind: LeverKind = LeverKind.INTEGER
    bounds: tuple[float, float] | None = None
    step: float = 1.0
    choices: tuple[str, ...] = ()
    mode: Mode = Mode.TUNED
    reversibility: Reversibility = Reversibility.REVERSIBLE
    autonomy: Autonomy = Autonomy.ACT
    risk_level: float = 0.3
    priority: ActionPriority = ActionPriority.MEDIUM
    expected_improvement: float = 0.1
    success_probability: float = 0.5
    settle_seconds: float = 20.0
    moves: tuple[tuple[str, str], ...] = ()  # metric name → up | down | unknown, when the lever is raised
    module: str = "performance"  # performance | model | pipeline | infrastructure: how it is grouped and shown
    locks: frozenset[str] = field(default_factory=frozenset)  # no two actions hold one name at once; the element is always one
    run_once: bool = False  # a job: its settings are absent and done, and only a person asks for the way back
    takes_seconds: float = 0.0  # how long an effect may be under way before it is given up; 0: it is there at once
    action_type: str = ""  # what beliefs are kept by; empty: from the lever's name and the way it is moved
    switchback: bool = False  # cheap to move: a trial may put it on and take it off in random order, to see what it does
    gradual: bool = False  # it gets to a value through those in between, and may be cut off there
    follows: tuple[str, ...] = ()  # regulated: metrics of the load; empty: the element's rates, see docs/regulation.md
    cost_per_second: float = 0.0  # regulated: of one unit of the lever, in any currency
    worth_per_request: float = 0.0  # regulated: what one unit of the lever brings in on each unit of the load
    governs: tuple[str, ...] = ()  # of `<element>/regulation`: ids of the levers that its policy moves

    def __post_init__(self) -> None:
        object.__setattr__(self, "locks", self.locks | {self.element})

    @property
    def lever_id(self) -> str:
        """Unique within one agent."""
        return f"{self.element}/{self.name}"

    @property
    def numeric(self) -> bool:
        """Whether the lever has a scale to move along."""
        return self.kind in (LeverKind.INTEGER, LeverKind.FLOAT)

    @property
    def options(self) -> tuple[LeverValue, ...]:
        """The settings of a lever without a scale, in their declared order."""
        return (False, True) if self.kind is LeverKind.BOOLEAN else self.choices

    def effect_on(self, metric_name: str) -> int:
        """+1 where raising the lever is declared to take the metric up, -1 where down, 0 where nobody has said.

        >>> LeverSpec("workers", "shop", moves=(("p95_seconds", "down"),)).effect_on("p95_seconds")
        -1
        """
        return {"up": 1, "down": -1}.get(dict(self.moves).get(metric_name, ""), 0)

    @property
    def domain_in_words(self) -> str:
        """Which values the lever takes, for people.

        >>> LeverSpec("workers", "shop", bounds=(1, 16)).domain_in_words
        'whole numbers from 1 to 16'
        """
        if self.kind is LeverKind.CHOICE:
            return "one of " + ", ".join(self.choices)
        if self.kind is LeverKind.BOOLEAN:
            return "true or false"
        what = "whole numbers" if self.kind is LeverKind.INTEGER else "numbers"
        return what if self.bounds is None else f"{what} from {self.bounds[0]:g} to {self.bounds[1]:g}"

    def half_way(self, value: LeverValue | None, start: LeverValue | None, end: LeverValue) -> bool:
        """Whether `value` is what a move from `start` to `end` shows before it is over, or where it got stuck.

        >>> LeverSpec("pool", "shop", gradual=True).half_way(5, 2, 8)
        True
        """
        if self.run_once:
            return value in (RUNNING, BROKEN)
        between = self.gradual and value is not None and start is not None and way(start, value) == way(value, end) != 0
        return between and value is not None and not self.same(value, end) and not self.same(value, start)

    def same(self, a: LeverValue | None, b: LeverValue | None) -> bool:
        """Whether two values are one setting; floats to within a thousandth of a step, since services round what they store.

        >>> LeverSpec("ratio", "shop", LeverKind.FLOAT, (0.0, 1.0), step=0.1).same(0.3, 0.1 + 0.2)
        True
        """
        if a is None or b is None:
            return a is b
        if self.numeric and not isinstance(a, str) and not isinstance(b, str):
            return abs(float(a) - float(b)) <= (1e-3 * self.step if self.kind is LeverKind.FLOAT else 0.0)
        return type(a) is type(b) and a == b

    def coerce(self, raw: object) -> LeverValue:
        """`raw`, as a target sent it, as a value of this lever's kind.

        Raises `ValueError`, naming what was received, where it is none: a lever that reads back nonsense is not moved.

        >>> LeverSpec("workers", "shop").coerce("4")
        4
        """
        if self.kind is LeverKind.BOOLEAN:
            return _boolean(raw)
        if self.kind is LeverKind.CHOICE:
            if isinstance(raw, str):
                return raw
            raise ValueError(f"expected one of {', '.join(self.choices)}, got {raw!r}")
        if isinstance(raw, bool) or not isinstance(raw, int | float | str):
            raise ValueError(f"expected a number, got {raw!r}")
        number = float(raw)
        if number != number or number in (float("inf"), float("-inf")):
            raise ValueError(f"expected a finite number, got {raw!r}")
        if self.kind is LeverKind.INTEGER:
            if not number.is_integer():
                raise ValueError(f"expected a whole number, got {raw!r}")
            return int(number)
        return number

    def allows(self, value: LeverValue) -> bool:
        """Whether `value` is within what was declared."""
        if self.kind is LeverKind.CHOICE:
            return value in self.choices
        if self.kind is LeverKind.BOOLEAN:
            return isinstance(value, bool)
        if isinstance(value, bool | str):
            return False
        return self.bounds is None or self.bounds[0] <= value <= self.bounds[1]


def way(start: LeverValue, end: LeverValue) -> int:
    """+1 where a lever is raised from `start` to `end`, -1 where it is lowered, 0 where the values have no scale.

    >>> way(2, 8), way(0.5, 0.25), way("lru", "lfu"), way(False, True)
    (1, -1, 0, 0)
    """
    if isinstance(start, bool | str) or isinstance(end, bool | str):
        return 0
    return (end > start) - (end < start)


def _boolean(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.lower() in ("true", "false", "on", "off"):
        return raw.lower() in ("true", "on")
    if isinstance(raw, int) and raw in (0, 1):
        return bool(raw)
    raise ValueError(f"expected true or false, got {raw!r}")
