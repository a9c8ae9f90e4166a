"""The parts of the demo's service: real work, one setting that matters to each, and no secret gain elsewhere."""

from __future__ import annotations

import sqlite3
import time

import numpy as np
import pytest

from trimtab.demo.parts.items import Items
from trimtab.demo.parts.orders import Orders
from trimtab.demo.parts.pages import Pages
from trimtab.demo.parts.pool import QueueFull
from trimtab.demo.parts.scoring import QUEUE_LIMIT, WIDTH, Model, Scoring

SMALL = Model(layers=2)


def seconds(work, tries=3):
    best = float("inf")
    for _ in range(tries):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


@pytest.fixture
def orders(tmp_path):
    part = Orders(tmp_path / "shop.db")
    yield part, tmp_path / "shop.db"
    part.close()


def test_an_account_adds_up_whatever_index_there_is(orders):
    part, path = orders
    before = part.account(7).result(10)
    with sqlite3.connect(path) as connection:
        count, total = connection.execute("SELECT count(*), sum(amount) FROM orders WHERE customer_id = 7").fetchone()
        connection.execute("CREATE INDEX by_customer ON orders (customer_id)")
    connection.close()
    assert before.startswith(f"({count}, {total})")
    assert part.account(7).result(10) == before


def test_growth_makes_accounts_slow_and_only_the_right_index_makes_them_fast_again(orders):
    part, path = orders
    part.grow(120_000)
    slow = seconds(lambda: part.account(3).result(30))
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE INDEX by_amount ON orders (amount)")
    useless = seconds(lambda: part.account(3).result(30))
    with connection:
        connection.execute("CREATE INDEX by_customer ON orders (customer_id)")
    connection.close()
    fast = seconds(lambda: part.account(3).result(30))
    assert fast < slow / 3
    assert fast < useless / 3


@pytest.fixture
def pages(tmp_path):
    part = Pages(tmp_path / "catalogue.db", capacity=4)
    yield part
    part.close()


def result(answer):
    return answer if isinstance(answer, bytes) else answer.result(10)


def test_a_page_in_the_cache_is_the_same_page_at_once(pages):
    first = result(pages.get(1))
    assert pages.hits == 0
    assert pages.get(1) == first
    assert pages.hits == 1


def test_the_page_unused_for_longest_goes_first(pages):
    for number in (1, 2, 3, 4, 1, 5):
        result(pages.get(number))
    hits = pages.hits
    assert isinstance(pages.get(1), bytes) and pages.hits == hits + 1
    assert not isinstance(pages.get(2), bytes)


@pytest.mark.parametrize(("capacity", "hits"), [(2, 0), (8, 8)], ids=["too small", "large enough"])
def test_a_cache_smaller_than_what_is_wanted_never_hits(pages, capacity, hits):
    pages.resize(capacity)
    for _ in range(2):
        for number in range(8):
            result(pages.get(number))
    assert (pages.hits, pages.capacity) == (hits, capacity)


def test_a_smaller_cache_forgets_at_once(pages):
    for number in range(4):
        result(pages.get(number))
    pages.resize(1)
    assert isinstance(pages.get(3), bytes)
    assert not isinstance(pages.get(0), bytes)


def test_a_batch_scores_as_each_request_alone():
    x = np.random.default_rng(1).random((5, WIDTH), dtype=np.float32)
    together, alone = SMALL.score(x), np.concatenate([SMALL.score(row[None]) for row in x])
    assert np.allclose(together, alone, rtol=1e-4, atol=1e-6)


def test_sixteen_in_one_call_cost_far_less_than_sixteen_calls():
    rng = np.random.default_rng(2)
    one, many = rng.random((1, WIDTH), dtype=np.float32), rng.random((16, WIDTH), dtype=np.float32)
    assert seconds(lambda: SMALL.score(many), 7) < 8 * seconds(lambda: SMALL.score(one), 7)


@pytest.mark.parametrize("batch_size", [1, 8], ids=str)
def test_every_request_gets_its_own_score(batch_size):
    part = Scoring(SMALL, batch_size)
    futures = [part.score(seed) for seed in (1, 2, 1, 3)]
    scores = [future.result(10) for future in futures]
    part.close()
    assert scores[0] == pytest.approx(scores[2], rel=1e-4)
    assert len({round(score, 6) for score in scores}) == 3


def test_what_waits_beyond_the_limit_is_refused():
    part = Scoring(SMALL)

    def crowd():
        for seed in range(50 * QUEUE_LIMIT):
            part.score(seed)

    with pytest.raises(QueueFull, match="waiting already"):
        crowd()
    part.close()


def test_more_fetched_ahead_and_a_slow_downstream_cost_real_time():
    part = Items(workers=1)
    plain = seconds(lambda: part.stock(1).result(10))
    part.ahead = 10
    ahead = seconds(lambda: part.stock(1).result(10), 1)
    part.ahead, part.downstream_seconds = 0, 0.1
    slow = seconds(lambda: part.stock(1).result(10), 1)
    part.close()
    assert plain < 0.06 < 0.08 < ahead
    assert slow >= 0.08
