"""What is drawn: the same for the same seed, always something that the world does, never a lever."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.demo.faults import NAMES, BadChoice, draw
from trimtab.demo.load import RATES, Demand
from trimtab.demo.setup import PARTS
from trimtab.demo.workload import LIMITS

seeds = st.integers(0, 10_000)


@given(seeds)
def test_a_seed_draws_the_same_each_time_and_no_fault_twice(seed):
    drawn = draw(seed)
    assert drawn == draw(seed)
    names = [fault.name for fault in drawn]
    assert 1 <= len(names) <= 4 and len(set(names)) == len(names)


@given(seeds)
def test_naming_faults_changes_neither_their_order_nor_their_sizes(seed):
    everything = {fault.name: fault.world for fault in draw(seed, "all")}
    assert set(everything) == set(NAMES)
    for fault in draw(seed):
        assert fault.world == everything[fault.name]
    assert [f.name for f in draw(seed, "batch, index")] == [n for n in everything if n in ("batch", "index")]


@given(seeds)
def test_the_first_fault_leaves_the_agent_time_to_see_what_is_usual_and_is_felt_early(seed):
    assert 15.0 <= draw(seed)[0].after <= 25.0
    assert all(2.0 <= fault.after <= 10.0 for fault in draw(seed, "all")[1:])


@given(seeds)
def test_the_world_changes_and_no_setting_does(seed):
    for fault in draw(seed, "all"):
        assert fault.element in PARTS
        for world in (fault.world, fault.worse):
            told = {**world.service, **world.clients}
            assert told and not set(told) & set(LIMITS)
            assert set(world.service) <= {"import_orders", "downstream_seconds"}
            assert set(world.clients) <= {"popular_pages", *RATES}


@given(seeds)
def test_what_a_machine_shrugs_off_is_made_larger(seed):
    for fault in draw(seed, "all"):
        mild, worse = ({**world.service, **world.clients} for world in (fault.world, fault.worse))
        assert mild.keys() == worse.keys()
        assert all(worse[key] > mild[key] for key in mild)


def test_every_number_and_every_fault_comes_up():
    drawn = [draw(seed) for seed in range(300)]
    assert set(map(len, drawn)) == {1, 2, 3, 4}
    firsts = Counter(faults[0].name for faults in drawn)
    assert set(firsts) == set(NAMES) and min(firsts.values()) > 40
    assert sum(len(faults) >= 2 for faults in drawn) > 200


def test_none_draws_nothing():
    assert draw(1, "none") == ()


@pytest.mark.parametrize(
    ("wanted", "said"), [("indx", "no fault 'indx'"), ("index,", None), (" , ", "no fault is named")], ids=str
)
def test_a_fault_that_is_not_there_is_refused_by_name(wanted, said):
    if said is None:
        assert [fault.name for fault in draw(1, wanted)] == ["index"]
        return
    with pytest.raises(BadChoice, match=said):
        draw(1, wanted)


def test_demand_hears_what_the_clients_are_told():
    demand = Demand()
    demand.hear({"scoring": 150.0, "popular_pages": 240.0})
    assert demand.rates == {**RATES, "scoring": 150.0}
    assert demand.popular_pages == 240
