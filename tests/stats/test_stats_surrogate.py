"""The model behind the search: what it makes of few, noisy and relative measurements."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.stats.surrogate import Shape, Surrogate


def on_a_line(*places):
    return np.array(places, dtype=float)[:, None, None].repeat(2, axis=2)


def fitted(places, values, noise=0.05, rows=None, labels=(False,)):
    rows = np.eye(len(values)) if rows is None else rows
    return Surrogate.fit(places, np.array(labels), rows, np.array(values, dtype=float), np.full(len(values), noise))


def test_a_straight_line_goes_on_beyond_what_was_measured():
    mean, covariance = fitted(on_a_line(0.0, 0.2, 0.4, 0.6), [0.0, 0.4, 0.8, 1.2]).at(on_a_line(0.3, 1.0))
    assert mean[1] == pytest.approx(2.0, abs=0.3)
    assert covariance[1, 1] > covariance[0, 0]  # and is less sure there


def test_the_level_is_neither_here_nor_there_where_only_differences_are_told():
    rows = np.array([[-1.0, 1.0, 0.0], [0.0, -1.0, 1.0]])
    mean, _ = fitted(on_a_line(0.1, 0.5, 0.9), [0.5, 0.5], 0.02, rows).at(on_a_line(0.1, 0.5, 0.9))
    assert mean[1] - mean[0] == pytest.approx(0.5, abs=0.05)
    assert mean[2] - mean[0] == pytest.approx(1.0, abs=0.08)


def test_what_is_noisier_counts_for_less():
    places, rows = on_a_line(0.5), np.ones((2, 1))
    model = Surrogate.fit(places, np.array([False]), rows, np.array([0.0, 1.0]), np.array([0.05, 0.5]))
    assert model.at(places)[0][0] < 0.15


def test_of_two_coordinates_the_simpler_one_is_found():
    even = np.linspace(0.02, 1.0, 9)
    places = np.stack([even, 1.0 + np.log(even) / 4.0], axis=1)[:, None, :]
    assert fitted(places, 2.0 * np.log(even), 0.02).shape.warps == (1,)
    assert fitted(places, 2.0 * even, 0.02).shape.warps == (0,)


def test_a_choice_never_measured_is_as_unsure_as_it_should_be():
    model = fitted(on_a_line(0.0, 0.0, 1.0), [0.0, 0.02, 1.0], labels=(True,))
    mean, covariance = model.at(on_a_line(0.0, 1.0, 2.0))
    assert mean[1] - mean[0] > 0.7
    assert covariance[2, 2] > 2.0 * covariance[0, 0]


def test_hyperparameters_that_were_not_told_to_change_stay():
    shape = Shape((0, 1), (0.6, 0.3))
    assert shape.changed("length 1")[0].lengths == (0.6, 0.15)
    assert "warp 0" not in shape.neighbours(np.array([True, False]))
    assert "warp 1" in shape.neighbours(np.array([True, False]))


def test_another_choice_pools_what_a_lever_does_but_need_not_follow_it():
    places = np.array([[[x, x], [label, label]] for label, xs in ((0.0, (0.0, 0.3, 0.6, 0.9)), (1.0, (0.0,))) for x in xs])
    values = np.array([0.0, 0.6, 1.2, 1.8, 0.0])
    model = Surrogate.fit(places, np.array([False, True]), np.eye(5), values, np.full(5, 0.05))
    there = np.array([[[0.9, 0.9], [1.0, 1.0]], [[0.9, 0.9], [0.0, 0.0]]])
    (other, own), deviation = model.each(there)
    assert 0.2 < other < own
    assert deviation[0] > 3.0 * deviation[1]


def test_deviations_and_covariances_agree():
    model = fitted(on_a_line(0.0, 0.2, 0.4, 0.6), [0.0, 0.4, 0.8, 1.2])
    places = on_a_line(0.1, 0.5, 1.0)
    assert np.allclose(model.each(places)[1] ** 2, np.diag(model.between(places, places)), atol=1e-9)


def test_a_lever_over_decades_is_taken_as_simple_in_its_first_coordinate_unless_the_data_say_otherwise():
    first = np.array([0.2, 0.5, 0.8])
    places = np.stack([first, first + np.array([0.0, 0.1, 0.0])], axis=1)[:, None, :]  # next to no difference
    told = np.array([False]), np.eye(3), places[:, 0, 1], np.full(3, 0.3)
    assert Surrogate.fit(places, *told, (True,)).shape.warps == (0,)
    even = np.linspace(0.02, 1.0, 9)
    clearly = np.stack([even, 1.0 + np.log(even) / 4.0], axis=1)[:, None, :]
    clear = np.array([False]), np.eye(9), 2.0 * np.log(even), np.full(9, 0.02)
    assert Surrogate.fit(clearly, *clear, (True,)).shape.warps == (1,)
