"""Turn a look into a `Verdict`: status, effect, interval, flag and sentence. Last step; everything is decided before."""

from __future__ import annotations

from dataclasses import replace

from trimtab.domain.verdicts import Verdict, VerdictStatus
from trimtab.verify.evidence import Evidence
from trimtab.verify.futility import is_futile, is_undecidable
from trimtab.verify.looks import Looks
from trimtab.verify.prepare import Refusal, Trial
from trimtab.verify.wording import Against, conclusive, undecided

METHOD = "ar(1) e-process"


def refused(refusal: Refusal, n_after: int) -> Verdict:
    """The verdict on a history that carries none."""
    return Verdict(VerdictStatus.INCONCLUSIVE, None, None, None, METHOD, refusal.problem, refusal.n_before, n_after)


def spoken(looks: Looks, look: int, *, newest: bool) -> Verdict:
    """The verdict at one look (−1: none yet); `newest`: as of all readings, not as of that look."""
    trial, n_after = looks.trial, look + 1
    doubt = looks.doubt(look, newest=newest)
    evidence = looks.evidence
    if doubt is not None or evidence is None:
        return Verdict(VerdictStatus.INCONCLUSIVE, None, None, None, METHOD, doubt or "", trial.n_before, n_after)
    low, high = _hull(trial, evidence, look)
    effect = _most_modest(
        [_relative(trial, i, difference) for i, difference in enumerate(evidence.difference[trial.accounts.first, look].tolist())]
    )
    effect = min(max(effect, low), high)
    against = _against(trial)
    went = looks.decides(look)
    if went:
        rises = went > 0
        status = VerdictStatus.IMPROVED if rises == (trial.terms.sign > 0) else VerdictStatus.WORSE
        reason = conclusive(status, effect, (low, high), against, n_after, rises=rises)
        return Verdict(status, effect, low, high, _method(trial), reason, trial.n_before, n_after)
    low, high = min(low, 0.0), max(high, 0.0)
    futile = is_futile(trial, evidence, look)
    undecidable = not futile and is_undecidable(trial, evidence, look)
    reason = undecided(effect, (low, high), against, n_after, futile=futile, undecidable=undecidable)
    return Verdict(
        VerdictStatus.INCONCLUSIVE, effect, low, high, _method(trial), reason, trial.n_before, n_after, futile, undecidable
    )


def held(verdict: Verdict, control: str) -> Verdict:
    """A conclusive verdict withheld because a control moved the same way."""
    return replace(
        verdict,
        status=VerdictStatus.INCONCLUSIVE,
        low=min(0.0, verdict.low or 0.0),
        high=max(0.0, verdict.high or 0.0),
        reason=f"inconclusive: the control {control} moved the same way, which the action cannot have caused ({verdict.reason})",
    )


def _hull(trial: Trial, evidence: Evidence, look: int) -> tuple[float, float]:
    """From the least to the greatest effect that any account in force leaves possible."""
    below, above = trial.accounts.hull(*evidence.bounds(look, trial.terms.alpha))
    lower = [_relative(trial, account, bound) for account, bound in below]
    upper = [_relative(trial, account, bound) for account, bound in above]
    return (min(lower), max(upper)) if trial.terms.sign > 0 else (min(upper), max(lower))


def _relative(trial: Trial, account: int, difference: float) -> float:
    return trial.terms.sign * trial.unit.relative(difference, trial.accounts.plain[account].level)


def _most_modest(effects: list[float]) -> float:
    """The most modest of several estimates; 0 where they disagree on the direction.

    >>> _most_modest([0.3, 0.2]), _most_modest([0.3, -0.1])
    (0.2, 0.0)
    """
    if min(effects) < 0.0 < max(effects):
        return 0.0
    return min(effects, key=abs)


def _against(trial: Trial) -> Against:
    past = trial.past
    own_past = past.reverts is not None and past.reverts is not past.goes_on
    controls = trial.shared.names if trial.shared is not None else ()
    return Against(trial.regime_n, trial.regime_t, own_past, past.returns is not None, past.drifts is not None, controls)


def _method(trial: Trial) -> str:
    against = _against(trial)
    names = ["current regime" if trial.regime_n < trial.n_before else "own past"]
    names += ["own past"] if against.own_past else []
    names += ["earlier episodes"] if against.episodes else []
    names += ["drift"] if against.drift else []
    names += [f"control {name}" for name in against.controls]
    widened = max(factor for null in trial.accounts.plain for factor in null.widen)
    return f"{METHOD} against {', '.join(names)}" + (f", widened {widened:.1f} × by placebo actions" if widened > 1.0 else "")
