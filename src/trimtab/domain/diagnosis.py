"""Why something is off: suspected causes, each with a probability and its evidence in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was changed at an element: a deploy, a setting, one of our own actions, another hand at a lever."""

    element: str
    at: float  # Unix seconds
    what: str  # in words: "version 2.3 was deployed", "trimtab set checkout/workers to 4"


@dataclass(frozen=True, slots=True)
class Cause:
    """One suspect. `metric_name` is the metric that shows it best, "" where none does (it was changed, or went silent)."""

    element: str
    metric_name: str
    probability: float  # that this element is where it began; 0 to 1
    evidence: tuple[str, ...]  # a clause each, the strongest first

    @property
    def sentence(self) -> str:
        """The cause in one sentence.

        >>> Cause("db", "latency", 0.8, ("latency 12 ms → 48 ms", "web depends on it")).sentence
        'db (80 %): latency 12 ms → 48 ms; web depends on it'
        """
        return f"{self.element} ({100.0 * self.probability:.0f} %): {'; '.join(self.evidence)}"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The causes of one symptom, the likeliest first; their probabilities and that of none of them add up to 1."""

    symptom_id: str
    at: float  # Unix seconds
    causes: tuple[Cause, ...] = ()

    @property
    def sentence(self) -> str:
        """The likeliest causes in words, "" where nothing is suspected.

        >>> Diagnosis("goal_missed:web:p95_seconds", 0.0, (Cause("db", "", 0.8, ("it went silent",)),)).sentence
        'likely cause: db (80 %): it went silent'
        """
        if not self.causes:
            return ""
        first, *others = self.causes[:3]
        also = [f"{cause.element} ({100.0 * cause.probability:.0f} %)" for cause in others if cause.probability >= 0.05]
        return f"likely cause: {first.sentence}" + (f"; else {', '.join(also)}" if also else "")

    def probability_of(self, element: str) -> float:
        """How likely it began at `element`; 0 where that is not suspected."""
        return next((cause.probability for cause in self.causes if cause.element == element), 0.0)
