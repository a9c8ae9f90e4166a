"""The simulated service: what each lever does, determinism, and that what was set is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.ports import Plant
from trimtab.plants import ServicePlant


def settled(plant: Plant, steps: int = 60, start: int = 0) -> dict[str, float]:
    """The metrics of the last of some steps of a second each."""
    metrics: dict[str, float] = {}
    for second in range(start, start + steps):
        metrics = dict(plant.step(1_000_000.0 + second, 1.0))
    return metrics


def quiet(**levers: float | str) -> ServicePlant:
    return ServicePlant(noise=0.0, **levers)  # type: ignore[arg-type]


def test_workers_help() -> None:
    latencies = [settled(quiet(workers=workers))["shop_p95_seconds"] for workers in (2, 3, 4, 6, 10)]
    assert latencies == sorted(latencies, reverse=True)
    assert latencies[0] > 10 * latencies[-1]  # two workers cannot keep up: the queue grows


def test_log_level_does_nothing() -> None:
    assert settled(quiet(log_level="debug")) == settled(quiet(log_level="warning"))


@pytest.mark.parametrize(
    ("batch", "breaks"),
    [
        pytest.param(4, False, id="small"),
        pytest.param(8, False, id="the largest that fits"),
        pytest.param(10, True, id="too large"),
    ],
)
def test_batch_helps_until_it_breaks_the_guard(batch: int, breaks: bool) -> None:
    metrics = settled(quiet(batch=batch))
    assert (metrics["shop_error_ratio"] > 0.01) is breaks
    assert metrics["shop_p95_seconds"] <= settled(quiet(batch=1))["shop_p95_seconds"]


def test_the_fault_comes_when_told_and_workers_mend_it() -> None:
    plant = ServicePlant(noise=0.0, fault_at=60.0)
    before = settled(plant, 60)
    during = settled(plant, 60, start=60)
    plant.set("workers", 12)
    after = settled(plant, 120, start=120)
    assert during["shop_p95_seconds"] > 5 * before["shop_p95_seconds"]
    assert after["shop_p95_seconds"] <= before["shop_p95_seconds"]


def test_without_a_fault_nothing_changes() -> None:
    plant = quiet()
    assert settled(plant, 10) == settled(plant, 600, start=10)


@pytest.mark.parametrize("rho", [0.0, 0.9], ids=["white", "carries over"])
def test_noise_has_the_given_size_and_memory(rho: float) -> None:
    plant = ServicePlant(np.random.default_rng(7), noise=0.1, rho=rho)
    seen = np.log([plant.step(float(second), 1.0)["shop_p95_seconds"] for second in range(8000)])
    centred = seen - seen.mean()
    assert centred.std() == pytest.approx(0.1, rel=0.2)
    assert float(centred[1:] @ centred[:-1] / (centred @ centred)) == pytest.approx(rho, abs=0.08)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 16), max_size=5))
def test_one_seed_and_one_history_give_one_result(seed: int, moves: list[int]) -> None:
    def run() -> list[dict[str, float]]:
        plant = ServicePlant(np.random.default_rng(seed), fault_at=3.0)
        seen = []
        for second, workers in enumerate(moves):
            plant.set("workers", workers)
            seen.append(dict(plant.step(float(second), 1.0)))
        return seen

    assert run() == run()


@given(st.integers(1, 1000), st.floats(0.1, 60.0), st.integers(1, 40))
def test_metrics_stay_physical(workers: int, dt: float, batch: int) -> None:
    plant = ServicePlant(workers=workers, batch=batch, fault_at=0.0)
    for step in range(5):
        metrics = plant.step(step * dt, dt)
        assert all(np.isfinite(value) and value >= 0.0 for value in metrics.values())
        assert metrics["shop_cpu_usage_percent"] <= 100.0


@pytest.mark.parametrize(
    ("lever", "value", "error"),
    [
        pytest.param("colour", 1, KeyError, id="no such lever"),
        pytest.param("workers", 0, ValueError, id="no workers"),
        pytest.param("batch", "many", ValueError, id="text"),
    ],
)
def test_what_no_service_could_take_is_refused(lever: str, value: float | str, error: type[Exception]) -> None:
    plant = quiet()
    with pytest.raises(error):
        plant.set(lever, value)
    assert settled(plant) == settled(quiet())
