"""The numbers that planning is ruled by: what the configuration may change, and what it may not, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from trimtab.domain.windows import Calendar

RiskModel = Literal["odds", "fixed"]

RISK_PENALTY = 0.5  # requirement A2: the weight of risk against expected value
ASK_ABOVE_RISK = 0.7  # requirement A4: above it a person is asked, whatever the settings say
SAFE_RISK = 0.3  # requirement A4: up to here an action is safe and may be tried unproven
PATIENCE = 3  # failures in a row before what was learned overrules the declared priors: one bad trial proves little
FORGIVEN_AFTER = 86_400.0  # seconds: loads differ from day to day, so what failed yesterday may be tried anew
FAR = 1.0  # Goal.miss from which on a goal is missed by more than twice
TOLERANCE = 1e-9  # 0.1 × 0.5 must reach a threshold of 0.05 in binary arithmetic too

BASELINE_SAMPLES = 5  # a goal's window holds at least five samples; before them its level is not known
BACKOFF_CAP = 8.0  # repeated failures stretch a cool-down 2, 4, 8 times: 40 minutes at the default of 5
REJECTED_FOR = 3_600.0  # seconds after a person's no: long enough not to nag, short enough for a changed situation
UNSAFE_FOR = 86_400.0  # seconds: a value that did harm may be harmless under another day's load or another build
PROMISING = 0.1  # best guess of an unproven gain from which a lever is tried again before others: the usual declared improvement
RECENT_FOR = 86_400.0  # seconds: how far back a trial guides the search; the same day, for the same reason


@dataclass(frozen=True, slots=True)
class StormRules:
    """From how many harmful changes within how many seconds on nothing new starts."""

    harmful_actions: int = 5
    window_seconds: float = 3_600.0
    timezone: str = "UTC"  # of the sentence


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """What an operator may set. `risk_model`: `odds` weighs the penalty by the odds of harm, `fixed` does not (note 1)."""

    min_improvement_threshold: float = 0.05
    max_risk_threshold: float = 0.7
    max_concurrent_actions: int = 3
    cooldown_seconds: float = 300.0
    enable_automatic_actions: bool = True
    require_approval_for_critical: bool = True
    risk_model: RiskModel = "odds"
    storm: StormRules = field(default_factory=StormRules)
    calendar: Calendar = field(default_factory=Calendar)
