"""What every shipped plant keeps: one seed one story, refused values change nothing, time alone moves it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trimtab.plants import PLANTS

LEVERS = {
    "service": {"workers": (2, 8)},
    "web_cluster": {"servers": (1, 3), "dimmer": (0.25, 0.75)},
    "cache": {"entries": (100, 5000)},
    "batches": {"batch_size": (2, 16), "consumers": (1, 4)},
    "database": {"index_customer": ("absent", "done"), "connections": (4, 16)},
    "noop": {"dial": (1, 9)},
    "cliff": {"pressure": (2, 20)},
}


def made(name, seed=1):
    return PLANTS[name](np.random.default_rng(seed))


def story(plant, steps=20, dt=30.0):
    return [dict(plant.step(dt * (k + 1), dt)) for k in range(steps)]


def test_every_plant_is_tried_here():
    assert set(LEVERS) == set(PLANTS)


@pytest.mark.parametrize("name", PLANTS)
def test_the_same_seed_tells_the_same_story_and_another_seed_another(name):
    assert story(made(name)) == story(made(name))
    assert story(made(name)) != story(made(name, 2))


@pytest.mark.parametrize("name", PLANTS)
def test_every_metric_is_a_finite_number_under_a_name_that_never_changes(name):
    plant = made(name)
    for lever, (low, high) in LEVERS[name].items():
        for value in (low, high):
            plant.set(lever, value)
            for metrics in story(plant, 5):
                assert set(metrics) == set(story(made(name), 1)[0])
                assert all(math.isfinite(number) for number in metrics.values())


@pytest.mark.parametrize(("name", "lever"), [(name, lever) for name, levers in LEVERS.items() for lever in levers])
def test_what_is_set_is_read_and_what_is_refused_changes_nothing(name, lever):
    plant = made(name)
    for value in LEVERS[name][lever]:
        plant.set(lever, value)
        assert plant.get(lever) == value
        with pytest.raises(ValueError, match=lever):
            plant.set(lever, -1)
        assert plant.get(lever) == value


@pytest.mark.parametrize("name", PLANTS)
def test_a_lever_that_there_is_not_is_named(name):
    for call in (lambda plant: plant.get("nonsense"), lambda plant: plant.set("nonsense", 1)):
        with pytest.raises(KeyError, match="nonsense"):
            call(made(name))
