"""Rules of a verdict as tables: what is refused and in which words, what counts, which way is better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from trimtab.domain.direction import Direction
from trimtab.domain.verdicts import Verdict, VerdictStatus
from trimtab.verify import Judge, judge

IMPROVED, WORSE, INCONCLUSIVE = VerdictStatus.IMPROVED, VerdictStatus.WORSE, VerdictStatus.INCONCLUSIVE


def noise(n: int, sd: float = 0.1, seed: int = 0) -> np.ndarray:
    return np.exp(sd * np.random.default_rng(seed).standard_normal(n))


def after(before: np.ndarray, values: np.ndarray, goal: object = "minimize", **options: object) -> Verdict:
    y = np.concatenate((before, values)).astype(float)
    t = 2.0 * np.arange(y.size)
    return judge((t, y), applied_at=2.0 * len(before) - 1.5, goal=goal, **options)  # type: ignore[arg-type]


BAD_DATA = [
    pytest.param(noise(30), np.full(10, np.nan), "0 usable samples after settling (10 of 10", id="all missing"),
    pytest.param(noise(30), np.full(10, np.inf), "0 usable samples after settling", id="infinite"),
    pytest.param(noise(30), np.zeros(10), "not a measurement", id="zero on error"),
    pytest.param(noise(30), np.array([]), "0 usable samples after settling, 3 are needed", id="nothing after"),
    pytest.param(noise(30), 0.1 * noise(2), "2 usable samples after settling, 3 are needed", id="two after"),
    pytest.param(noise(4), 0.1 * noise(10), "4 usable samples before the action, 5 are needed", id="four before"),
    pytest.param(np.full(30, np.nan), 0.1 * noise(10), "0 usable samples before", id="history missing"),
    pytest.param(np.array([]), np.array([]), "0 usable samples before", id="empty"),
    pytest.param(noise(30), np.where(np.arange(10) % 2, 0.1, np.nan) * noise(10), "50 % of 10 readings", id="half missing"),
    pytest.param(noise(30), np.full(10, 0.05), "10 samples after settling are exactly equal", id="frozen"),
    pytest.param(np.zeros(30), np.full(10, 5.0), "all 30 samples before the action are zero", id="history of zeros"),
]


@pytest.mark.parametrize(("before", "values", "words"), BAD_DATA)
@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_bad_data_is_inconclusive_and_says_why(before: np.ndarray, values: np.ndarray, words: str, goal: str) -> None:
    verdict = after(before, values, goal)
    assert verdict.status is INCONCLUSIVE
    assert verdict.effect is None
    assert not verdict.futile
    assert words in verdict.reason


@pytest.mark.parametrize("alive", [2, 5, 20])
@pytest.mark.parametrize("every", [None, 5], ids=["", "with gaps"])
def test_a_sensor_that_repeats_its_last_value_in_mid_trial_proves_nothing(alive: int, every: int | None) -> None:
    found = []
    for seed in range(30):
        values = np.r_[fresh := noise(alive, seed=900 + seed), np.full(60, fresh[-1])]
        values[alive :: every or values.size] = np.nan
        found.append(after(noise(300, seed=seed), values))
    assert sum(verdict.status is not INCONCLUSIVE for verdict in found) <= 1
    assert all("exactly equal" in verdict.reason for verdict in found if verdict.status is INCONCLUSIVE)


def test_values_that_were_often_equal_before_may_be_so_after() -> None:
    rounded = np.round(10.0 * noise(300, seed=3))
    assert after(rounded, np.r_[5.0, 4.0, np.full(8, 5.0), 4.0, 5.0]).status is IMPROVED
    assert after(np.full(30, 2.0), np.full(20, 1.0)).status is IMPROVED


def test_a_history_that_ended_long_before_the_action_is_stale() -> None:
    t = np.concatenate((np.arange(30.0), 100.0 + np.arange(10)))
    verdict = judge((t, np.concatenate((noise(30), 0.1 * noise(10)))), applied_at=99.5, goal="minimize")
    assert verdict.status is INCONCLUSIVE
    assert "70.5 s old" in verdict.reason


def test_samples_after_a_long_gap_do_not_count() -> None:
    t = np.concatenate((np.arange(30.0), 100.0 + np.arange(10)))
    verdict = judge((t, np.concatenate((noise(30), 0.1 * noise(10)))), applied_at=29.5, goal="minimize")
    assert verdict.status is INCONCLUSIVE
    assert "10 of 10 readings after settling came after a gap" in verdict.reason


def test_a_clock_that_jumps_back_loses_its_samples_and_nothing_else() -> None:
    y = np.concatenate((noise(30), 0.3 * noise(8)))
    t = np.arange(38.0)
    straight = judge((t, y), applied_at=29.5, goal="minimize")
    jumped = judge((np.insert(t, 35, 3.0), np.insert(y, 35, 99.0)), applied_at=29.5, goal="minimize")
    assert jumped == straight
    assert straight.status is IMPROVED


def test_settling_samples_are_not_looked_at() -> None:
    y = np.concatenate((noise(30), np.full(5, 80.0), 0.3 * noise(6, seed=1)))
    verdict = judge((np.arange(41.0), y), applied_at=29.5, settle_seconds=5, goal="minimize")
    assert verdict.status is IMPROVED
    assert verdict.n_after == 3


@dataclass
class Goal:
    direction: Direction
    target_value: float | None = None


@pytest.mark.parametrize("goal", ["minimize", Direction.MINIMIZE, Goal(Direction.MINIMIZE)], ids=["word", "direction", "object"])
def test_a_goal_may_be_a_word_a_direction_or_an_object(goal: object) -> None:
    assert after(noise(30), 0.3 * noise(6, seed=1), goal).status is IMPROVED


@pytest.mark.parametrize("goal", ["min", None, 3])
def test_anything_else_is_refused_by_name(goal: object) -> None:
    with pytest.raises(ValueError, match="goal must be minimize, maximize"):
        after(noise(30), noise(6), goal)


def test_unequal_lengths_and_an_impossible_alpha_are_refused() -> None:
    with pytest.raises(ValueError, match="equally long"):
        judge(([1, 2, 3], [1, 2]), applied_at=2, goal="minimize")
    with pytest.raises(ValueError, match="alpha"):
        judge(([1, 2], [1, 2]), applied_at=2, goal="minimize", alpha=0)


DETERMINISTIC = [
    pytest.param(np.full(20, 5.0), np.full(6, 4.0), IMPROVED, id="constant, a fifth less"),
    pytest.param(np.full(20, 5.0), np.full(6, 6.0), WORSE, id="constant, a fifth more"),
    pytest.param(np.full(20, 5.0), np.full(6, 5.0), INCONCLUSIVE, id="constant, the same"),
    pytest.param(np.full(20, 5.0), np.full(6, 4.99), INCONCLUSIVE, id="constant, within the floor"),
    pytest.param(np.array([1.0] * 20 + [3.0] * 6), np.ones(6), IMPROVED, id="unit steps"),
    pytest.param(np.array([0.0] * 20 + [50.0, 48, 51, 53, 49, 50, 47, 52]), np.zeros(6), IMPROVED, id="a queue back to zero"),
]


@pytest.mark.parametrize(("before", "values", "status"), DETERMINISTIC)
def test_metrics_without_noise_are_judged_against_a_floor(before: np.ndarray, values: np.ndarray, status: VerdictStatus) -> None:
    assert after(before, values).status is status


def test_a_lone_outlier_decides_nothing() -> None:
    values = 100 + 10 * np.random.default_rng(3).standard_normal(12)
    values[5] = 5.0
    before = 100 + 10 * np.random.default_rng(4).standard_normal(300)
    assert after(before, values).status is INCONCLUSIVE


def test_a_conclusive_verdict_stands() -> None:
    before = noise(30)
    t = np.arange(30.0)
    stream = Judge((t, before), applied_at=29.5, goal="minimize")
    good = [stream.update(30.0 + i, 0.3 * v) for i, v in enumerate(noise(6, seed=2))][-1]
    later = [stream.update(36.0 + i, 3.0 * v) for i, v in enumerate(noise(20, seed=2))][-1]
    assert good.status is IMPROVED
    assert later == good


def test_a_control_that_moves_too_withholds_credit() -> None:
    drop = np.concatenate((noise(30, seed=1), 0.3 * noise(8, seed=2)))
    still = noise(38, seed=3)
    t = np.arange(38.0)
    moved = judge((t, drop), applied_at=29.5, goal="minimize", controls={"sister": 5 * drop})
    unmoved = judge((t, drop), applied_at=29.5, goal="minimize", controls={"sister": still})
    assert moved.status is INCONCLUSIVE
    assert "the control sister moved the same way" in moved.reason
    assert moved.low is not None
    assert moved.low <= 0.0
    assert unmoved.status is IMPROVED


def test_the_reason_is_a_sentence_for_people() -> None:
    t = 1_700_000_000.0 + np.arange(38.0)
    y = np.concatenate((noise(30, 0.03, seed=1), 0.5 * noise(8, 0.03, seed=2)))
    verdict = judge((t, y), applied_at=t[29] + 0.5, goal="minimize")
    assert verdict.reason.startswith("improved: 5")
    assert "% below what would have happened without it (" in verdict.reason
    assert "against the 30 samples since 22:13 UTC; 3 samples after settling" in verdict.reason
