"""Laws of a verdict: what must hold for every series."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.domain.verdicts import Verdict, VerdictStatus
from trimtab.verify import Judge, judge

LAWS = settings(max_examples=40, deadline=None)


@st.composite
def trials(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, float]:
    """(t, y, applied_at): a short or middling history with a shift or none, an effect or none."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    before, faulty, after = draw(st.integers(6, 60)), draw(st.integers(0, 12)), draw(st.integers(3, 20))
    sd, fault, effect = draw(st.sampled_from([0.02, 0.1, 0.3])), draw(st.floats(-2, 2)), draw(st.floats(-2, 2))
    level = np.concatenate((np.zeros(before), np.full(faulty, fault), np.full(after, fault + effect)))
    t = np.arange(level.size) + draw(st.sampled_from([0.0, 1_700_000_000.0]))
    return t, np.exp(level + sd * rng.standard_normal(level.size)), float(t[before + faulty - 1] + 0.5)


def near(a: float | None, b: float | None) -> bool:
    return a is b if a is None or b is None else abs(a - b) <= 1e-6 * max(1.0, abs(a), abs(b))


def alike(a: Verdict, b: Verdict) -> bool:
    return (
        a.status is b.status
        and a.n_after == b.n_after
        and all(near(getattr(a, f), getattr(b, f)) for f in ("effect", "low", "high"))
    )


@LAWS
@given(trials(), st.sampled_from([1e-9, 0.01, 7.0, 1e6]))
def test_the_unit_of_the_metric_does_not_matter(trial: tuple[np.ndarray, np.ndarray, float], factor: float) -> None:
    t, y, applied_at = trial
    assert alike(
        judge((t, y), applied_at=applied_at, goal="minimize"), judge((t, factor * y), applied_at=applied_at, goal="minimize")
    )


@LAWS
@given(trials(), st.sampled_from([-512.0, 4096.0]))
def test_the_origin_of_time_does_not_matter(trial: tuple[np.ndarray, np.ndarray, float], shift: float) -> None:
    t, y, applied_at = trial
    moved = judge((t + shift, y), applied_at=applied_at + shift, goal="minimize")
    assert alike(judge((t, y), applied_at=applied_at, goal="minimize"), moved)


@LAWS
@given(trials())
def test_what_is_better_one_way_is_worse_the_other(trial: tuple[np.ndarray, np.ndarray, float]) -> None:
    t, y, applied_at = trial
    down, up = (judge((t, y), applied_at=applied_at, goal=goal) for goal in ("minimize", "maximize"))
    opposite = {"improved": "worse", "worse": "improved", "inconclusive": "inconclusive"}
    assert str(up.status) == opposite[str(down.status)]
    if down.low is not None and up.high is not None:
        assert near(-down.low, up.high)


@LAWS
@given(trials())
def test_mirrored_values_give_mirrored_verdicts(trial: tuple[np.ndarray, np.ndarray, float]) -> None:
    t, y, applied_at = trial
    assert alike(judge((t, y), applied_at=applied_at, goal="minimize"), judge((t, -y), applied_at=applied_at, goal="maximize"))


@LAWS
@given(trials())
def test_the_interval_and_the_status_say_the_same(trial: tuple[np.ndarray, np.ndarray, float]) -> None:
    t, y, applied_at = trial
    verdict = judge((t, y), applied_at=applied_at, goal="minimize")
    if verdict.low is None or verdict.high is None or verdict.effect is None:
        assert verdict.status is VerdictStatus.INCONCLUSIVE
        return
    assert verdict.low <= verdict.effect <= verdict.high
    assert (verdict.status is VerdictStatus.IMPROVED) == (verdict.low > 0)
    assert (verdict.status is VerdictStatus.WORSE) == (verdict.high < 0)


@LAWS
@given(trials(), st.lists(st.integers(0, 19), max_size=4))
def test_a_stream_and_a_batch_agree_at_every_length(trial: tuple[np.ndarray, np.ndarray, float], lost: list[int]) -> None:
    t, y, applied_at = trial
    begin = int(np.searchsorted(t, applied_at))
    for i in lost:
        if begin + i < y.size:
            y[begin + i] = np.nan
    stream = Judge((t[:begin], y[:begin]), applied_at=applied_at, goal="minimize")
    for i in range(begin, t.size):
        streamed = stream.update(float(t[i]), float(y[i]))
        batch = judge((t[: i + 1], y[: i + 1]), applied_at=applied_at, goal="minimize")
        assert streamed == batch


@LAWS
@given(trials(), st.floats(0.3, 1.0), st.sampled_from([np.nan, np.inf, -np.inf, 0.0]), st.integers(0, 99))
def test_missing_data_is_never_success(
    trial: tuple[np.ndarray, np.ndarray, float], share: float, blank: float, seed: int
) -> None:
    t, y, applied_at = trial
    begin = int(np.searchsorted(t, applied_at))
    n = y.size - begin
    # the first reading is lost too, so that no prefix is whole enough to decide
    lost = [0, *np.random.default_rng(seed).choice(n, size=max(2, int(np.ceil(share * n))), replace=False)]
    step = max(1, int(1 / share))
    y[begin + np.asarray(sorted({*lost, *range(0, n, step)}))] = blank
    assert judge((t, y), applied_at=applied_at, goal="minimize").status is VerdictStatus.INCONCLUSIVE


@LAWS
@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=40), st.floats(-10, 10))
def test_whatever_comes_in_a_verdict_comes_out(rows: list[tuple[float, float]], applied_at: float) -> None:
    verdict = judge(([r[0] for r in rows], [r[1] for r in rows]), applied_at=applied_at, goal="maximize")
    assert verdict.reason
    assert verdict.status is VerdictStatus.INCONCLUSIVE or (verdict.n_before >= 5 and verdict.n_after >= 3)
