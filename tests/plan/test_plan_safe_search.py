"""The safe search by ask and tell: it finds what is good, stays away from what breaks a guard, and trusts no lucky trial."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from trimtab.domain.direction import Direction
from trimtab.domain.goals import Goal, Guard
from trimtab.domain.levers import LeverKind, LeverSpec
from trimtab.plan import SafeSearch

LATENCY = Goal("p95_seconds", 0.1, Direction.MINIMIZE)
RATE = Goal("rate", 100.0, Direction.MAXIMIZE)
MEMORY = Guard("memory_percent", max=80.0)
SIZE = LeverSpec("size", "it", bounds=(1, 4096))
WORKERS = LeverSpec("workers", "it", bounds=(1, 32))
POLICY = LeverSpec("policy", "it", LeverKind.CHOICE, choices=("lru", "lfu", "fifo"))
TURBO = LeverSpec("turbo", "it", LeverKind.BOOLEAN)
RATIO = LeverSpec("ratio", "it", LeverKind.FLOAT, (0.0, 1.0), 0.05)


def driven(search, truth, trials=12, noise=0.05, seed=1):
    """Every setting that was asked for, and whether the guard truly held there."""
    rng = np.random.default_rng(seed)
    asked = []
    for _ in range(trials):
        setting = search.ask()
        goal, guard = truth(setting)
        spread = np.exp(noise * rng.standard_normal(2))
        search.tell(setting, goal * spread[0], {MEMORY.metric_name: guard * spread[1]})
        asked.append((setting, guard <= 80.0))
    return asked


def test_it_begins_where_things_are():
    assert SafeSearch([WORKERS], LATENCY, [MEMORY], {"workers": 3}).ask() == {"workers": 3}


def test_without_a_start_it_guesses_nothing():
    search = SafeSearch([WORKERS], LATENCY)
    with pytest.raises(ValueError, match="which setting is in place"):
        search.ask()
    search.tell({"workers": 4}, 0.5)
    assert search.best == {"workers": 4}
    assert search.ask()["workers"] != 4


@pytest.mark.parametrize(
    ("setting", "guards", "message"),
    [
        ({"workers": 2}, {}, "no value was told for the guard memory_percent"),
        ({}, {"memory_percent": 1.0}, "lacks a value for work"),
    ],
)
def test_what_is_not_told_is_named(setting, guards, message):
    search = SafeSearch([WORKERS], LATENCY, [MEMORY], {"workers": 2})
    with pytest.raises(ValueError, match=message):
        search.tell(setting, 0.3, guards)


def test_no_levers_is_no_search():
    with pytest.raises(ValueError, match="at least one lever"):
        SafeSearch([], LATENCY)


def test_a_lever_over_decades_is_climbed_in_proportion_and_the_guard_is_kept():
    search = SafeSearch([SIZE], LATENCY, [MEMORY], {"size": 8})
    asked = driven(search, lambda s: (0.5 - 0.05 * log(s["size"]), 30.0 + 0.02 * s["size"]), trials=12)
    assert search.best["size"] > 300
    assert all(held for _, held in asked)


def test_it_goes_down_where_that_is_better():
    search = SafeSearch([WORKERS], RATE, [MEMORY], {"workers": 20})
    driven(search, lambda s: (100.0 * exp(-((s["workers"] - 6) ** 2) / 100.0), 20.0))
    assert 3 <= search.best["workers"] <= 9


def test_several_levers_of_every_kind():
    base = {"lru": 1.0, "lfu": 0.5, "fifo": 1.2}

    def truth(s):
        return base[s["policy"]] * (0.8 if s["turbo"] else 1.0) * (0.2 + (s["ratio"] - 0.7) ** 2), 20.0

    search = SafeSearch([POLICY, TURBO, RATIO], LATENCY, [MEMORY], {"policy": "lru", "turbo": False, "ratio": 0.2})
    driven(search, truth, trials=18)
    assert truth(search.best)[0] < 0.14  # 0.45 at the start, 0.08 at the best
    assert search.best["policy"] == "lfu"


def test_a_cliff_is_crossed_seldom_and_never_recommended():
    def truth(s):
        return 1.0 / s["workers"], 95.0 if s["workers"] > 12 else 5.0

    search = SafeSearch([WORKERS], LATENCY, [MEMORY], {"workers": 2})
    asked = driven(search, truth)
    assert sum(not held for _, held in asked) <= 2
    assert 9 <= search.best["workers"] <= 12


def test_a_guard_that_is_near_allows_small_steps_only():
    near, far = (SafeSearch([WORKERS], LATENCY, [MEMORY], {"workers": 10}) for _ in range(2))
    for search, memory in ((near, 72.0), (far, 8.0)):
        search.tell({"workers": 10}, 0.5, {"memory_percent": memory})
    assert abs(near.ask()["workers"] - 10) < abs(far.ask()["workers"] - 10)


def test_one_lucky_trial_is_not_believed():
    search = SafeSearch([POLICY], LATENCY, (), {"policy": "lru"})
    for _ in range(6):
        search.tell({"policy": "lru"}, 0.30)
    for value in (0.27, 0.34, 0.33):
        search.tell({"policy": "lfu"}, value)
    assert search.best == {"policy": "lru"}


def test_under_noise_settings_are_measured_again():
    search = SafeSearch([RATIO], LATENCY, [MEMORY], {"ratio": 0.5})
    asked = driven(search, lambda s: (0.3, 20.0), trials=12, noise=0.2)
    assert len({one["ratio"] for one, _ in asked}) < 12


def test_the_same_tellings_ask_the_same():
    def run():
        search = SafeSearch([WORKERS, POLICY], LATENCY, [MEMORY], {"workers": 2, "policy": "lru"})
        return driven(search, lambda s: (1.0 / s["workers"], 20.0), trials=6)

    assert run() == run()


def test_where_even_the_start_breaks_a_guard_it_goes_on_from_there():
    search = SafeSearch([WORKERS], LATENCY, [MEMORY], {"workers": 2})
    for _ in range(3):
        search.tell({"workers": 2}, 0.9, {"memory_percent": 99.0})
    assert search.best == {"workers": 2}
    assert WORKERS.allows(search.ask()["workers"])


def test_a_metric_that_goes_below_zero_is_searched_too():
    search = SafeSearch([WORKERS], RATE, [MEMORY], {"workers": 4})
    driven(search, lambda s: (s["workers"] - 10.0, 20.0), trials=10)
    assert search.best["workers"] > 15


@pytest.mark.parametrize("seed", [1, 2])
def test_where_nothing_is_better_the_start_or_its_like_is_recommended(seed):
    search = SafeSearch([RATIO], LATENCY, [MEMORY], {"ratio": 0.5}, trials=10)

    def truth(s):
        return 0.3 * (1.0 + 4.0 * (s["ratio"] - 0.5) ** 2), 20.0

    driven(search, truth, trials=10, noise=0.1, seed=seed)
    assert truth(search.best)[0] < 0.3 * 1.05


def test_a_lucky_setting_that_is_not_surely_better_gives_way_to_the_start():
    search = SafeSearch([POLICY], LATENCY, (), {"policy": "lru"})
    search.tell({"policy": "lru"}, 0.30)
    search.tell({"policy": "lfu"}, 0.295)
    assert search.best == {"policy": "lru"}


def test_the_last_of_a_known_number_of_trials_only_repeat():
    search = SafeSearch([WORKERS], LATENCY, [MEMORY], {"workers": 2}, trials=20)
    asked = [one["workers"] for one, _ in driven(search, lambda s: (1.0 / s["workers"], 20.0), trials=20)]
    assert set(asked[18:]) <= set(asked[:18])


def test_how_bad_an_overload_is_hides_nothing():
    search = SafeSearch([WORKERS], LATENCY, [MEMORY], {"workers": 6})
    for workers, seconds in ((6, 0.5), (2, 9_000.0), (1, 20_000.0), (9, 0.42), (6, 0.52), (9, 0.41)):
        search.tell({"workers": workers}, seconds, {"memory_percent": 20.0})
    assert search.best == {"workers": 9}
    assert search.ask()["workers"] >= 6


def test_towards_what_broke_a_guard_only_for_a_good_part_of_the_gain():
    def next_after(p95_at_8):
        search = SafeSearch([WORKERS], LATENCY, [MEMORY], {"workers": 2})
        for _ in range(4):
            for workers, seconds, memory in ((2, 1.0, 5.0), (5, 0.5, 5.0), (8, p95_at_8, 5.0)):
                search.tell({"workers": workers}, seconds, {"memory_percent": memory})
        search.tell({"workers": 16}, p95_at_8, {"memory_percent": 120.0})
        return search.ask()["workers"]

    assert next_after(0.45) <= 8


def test_a_lever_is_followed_as_far_as_it_may_be_worth_it():
    search = SafeSearch([SIZE, WORKERS], LATENCY, [MEMORY], {"size": 2, "workers": 16})
    asked = driven(search, lambda s: (0.5 - 0.3 * (s["size"] > 500), 20.0), trials=14)
    assert max(one["size"] for one, _ in asked) > 200  # flat at first: only what may lie there leads so far


def test_a_guard_that_bends_along_a_lever_does_not_close_the_other_choices():
    search = SafeSearch([WORKERS, POLICY], LATENCY, [MEMORY], {"workers": 8, "policy": "lru"})
    for workers, memory in ((8, 5.0), (12, 5.0), (14, 18.0), (16, 40.0), (17, 60.0), (4, 5.0)) * 2:
        search.tell({"workers": workers, "policy": "lru"}, 0.3 + 0.01 * abs(workers - 8), {"memory_percent": memory})
    asked = driven(search, lambda s: (0.3 if s["policy"] == "lru" else 0.2, 5.0), trials=4)
    assert any(one["policy"] != "lru" for one, _ in asked)


def test_choices_never_tried_are_tried_well_back_from_where_a_guard_broke():
    search = SafeSearch([WORKERS, POLICY], LATENCY, [MEMORY], {"workers": 4, "policy": "lru"})
    for workers, seconds in ((4, 0.9), (8, 0.6), (12, 0.4), (12, 0.4), (4, 0.9)):
        search.tell({"workers": workers, "policy": "lru"}, seconds, {"memory_percent": 10.0})
    search.tell({"workers": 16, "policy": "lru"}, 0.3, {"memory_percent": 240.0})
    first: dict[str, int] = {}
    for _ in range(8):
        setting = search.ask()
        first.setdefault(setting["policy"], setting["workers"])
        search.tell(setting, 4.0 / setting["workers"], {"memory_percent": 10.0})
    assert first["lfu"] < 11 and first["fifo"] < 11


def test_a_lead_within_a_hundredth_is_no_reason_to_leave_the_start():
    search = SafeSearch([WORKERS], LATENCY, [MEMORY], {"workers": 8})
    for workers, seconds in ((8, 0.3), (4, 0.2995), (12, 0.3005)) * 20:
        search.tell({"workers": workers}, seconds, {"memory_percent": 10.0}, noise=0.002)
    assert search.best == {"workers": 8}
