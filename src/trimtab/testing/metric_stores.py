"""What every metric store must do. A new backend inherits the suite and adds only its differences; see `testing.stores`."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trimtab.domain.metrics import Aggregate, MetricType, Reading, Series, StoredSample
from trimtab.domain.ports import MetricStore
from trimtab.testing.records import run


class MetricStoreConformance:
    """The contract of `domain.ports.MetricStore`."""

    durable = True

    def make(self, path: Path) -> MetricStore:
        """A store kept in the folder `path`."""
        raise NotImplementedError

    def test_an_empty_store_has_nothing(self, tmp_path: Path) -> None:
        """And an unknown series is empty, not an error."""
        store = self.make(tmp_path)
        run(store.write([]))
        assert (
            not run(store.series()) and not run(store.query("shop/x", 0.0, 1e12)) and not run(store.samples("shop/x", 0.0, 1e12))
        )
        assert run(store.prune(1e12)) == 0

    def test_a_range_is_inclusive_and_in_order(self, tmp_path: Path) -> None:
        """However the samples arrived."""
        store = self.make(tmp_path)
        series, other = Series.named("queue_length", "shop"), Series.named("queue_length", "cart")
        run(store.write([Reading(series, float(at), float(at)) for at in (30, 10, 20, 40)] + [Reading(other, 7.0, 20.0)]))
        assert [tuple(pair) for pair in run(store.query(series.metric_id, 10.0, 30.0))] == [
            (10.0, 10.0),
            (20.0, 20.0),
            (30.0, 30.0),
        ]
        assert not run(store.query(series.metric_id, 30.5, 39.5))
        assert [series.metric_id for series in run(store.series())] == ["cart/queue_length", "shop/queue_length"]

    def test_a_sample_of_the_same_moment_replaces_the_earlier(self, tmp_path: Path) -> None:
        """Within one call and between two."""
        store = self.make(tmp_path)
        series = Series.named("queue_length", "shop")
        run(store.write([Reading(series, 1.0, 10.0), Reading(series, 2.0, 10.0)]))
        assert [tuple(pair) for pair in run(store.query(series.metric_id, 0.0, 99.0))] == [(10.0, 2.0)]
        run(store.write([Reading(series, 3.0, 10.0)]))
        assert [tuple(pair) for pair in run(store.query(series.metric_id, 0.0, 99.0))] == [(10.0, 3.0)]

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "12", 10**400], ids=str)
    @pytest.mark.parametrize("field", ["value", "timestamp"])
    def test_what_is_not_a_number_is_not_kept(self, tmp_path: Path, value: Any, field: str) -> None:
        """And does not cost its neighbours their place."""
        store = self.make(tmp_path)
        series = Series.named("queue_length", "shop")
        odd = replace(Reading(series, 5.0, 20.0), **{field: value})
        run(store.write([Reading(series, 1.0, 10.0), odd, Reading(series, 3.0, 30.0)]))
        assert [tuple(pair) for pair in run(store.query(series.metric_id, -1e300, 1e300))] == [(10.0, 1.0), (30.0, 3.0)]

    def test_a_sample_reads_back_whole(self, tmp_path: Path) -> None:
        """Identity, meaning and origin; where they changed, as last described."""
        store = self.make(tmp_path)
        series = Series.named("pay_response_time_seconds", "shop", {"route": "/pay", "code": "200"}, source="prometheus")
        series = replace(series, metadata=(("help", "time to pay"),))
        run(store.write([Reading(series, 0.25, 10.0)]))
        expected = StoredSample(
            'shop/pay_response_time_seconds{code="200",route="/pay"}',
            MetricType.RESPONSE_TIME,
            0.25,
            10.0,
            "prometheus",
            {"help": "time to pay"},
            {"route": "/pay", "code": "200"},
        )
        assert list(run(store.samples(series.metric_id, 0.0, 99.0))) == [expected]
        run(store.write([Reading(replace(series, source="http"), 0.5, 20.0)]))
        assert [sample.source for sample in run(store.samples(series.metric_id, 0.0, 99.0))] == ["http", "http"]

    def test_prune_forgets_only_what_is_older(self, tmp_path: Path) -> None:
        """The sample of that very moment stays."""
        store = self.make(tmp_path)
        a, b = Series.named("a_count", "shop"), Series.named("b_count", "shop")
        run(store.write([Reading(series, 1.0, float(at)) for series in (a, b) for at in range(10)]))
        assert run(store.prune(4.0)) == 8
        assert run(store.prune(4.0)) == 0
        assert [at for at, _ in run(store.query(a.metric_id, 0.0, 99.0))] == [4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
        run(store.write([Reading(a, 2.0, 1.0)]))
        assert next(iter(run(store.query(a.metric_id, 0.0, 99.0)))) == (1.0, 2.0)

    def test_columns_are_the_same_as_readings(self, tmp_path: Path) -> None:
        """At one time or at several, and what is no number is not kept."""
        store = self.make(tmp_path)
        a, b = Series.named("a_count", "shop"), Series.named("b_count", "shop")
        both = (a, b)
        run(store.write_columns(both, 10.0, np.array([1.0, 2.0])))
        run(store.write_columns(both, 20.0, np.array([math.nan, 4.0])))
        run(store.write_columns([b, b, a], np.array([30.0, 20.0, 40.0]), np.array([6.0, 5.0, 7.0])))
        found = run(store.read([b.metric_id, "shop/none", a.metric_id], 0.0, 99.0))
        assert {name: (one.times.tolist(), one.values.tolist()) for name, one in found.items()} == {
            a.metric_id: ([10.0, 40.0], [1.0, 7.0]),
            b.metric_id: ([10.0, 20.0, 30.0], [2.0, 5.0, 6.0]),
        }
        assert not run(store.read([a.metric_id], 11.0, 39.0))
        with pytest.raises(ValueError, match="do not go together"):
            run(store.write_columns(both, 10.0, np.array([1.0])))

    @pytest.mark.parametrize(
        ("aggregate", "figures"),
        [
            ("mean", [2.0, 6.0]),
            ("min", [1.0, 6.0]),
            ("max", [3.0, 6.0]),
            ("sum", [6.0, 6.0]),
            ("count", [3.0, 1.0]),
            ("last", [2.0, 6.0]),
        ],
    )
    def test_a_range_in_steps(self, tmp_path: Path, aggregate: Aggregate, figures: list[float]) -> None:
        """Whole buckets, those without a sample left out."""
        store = self.make(tmp_path)
        series = Series.named("queue_length", "shop")
        run(store.write([Reading(series, value, at) for at, value in ((60.0, 1.0), (119.0, 2.0), (90.0, 3.0), (240.0, 6.0))]))
        found = run(store.downsampled(series.metric_id, 70.0, 250.0, 60.0, aggregate))
        assert [tuple(pair) for pair in found] == list(zip([60.0, 240.0], figures, strict=True))
        assert not run(store.downsampled("shop/none", 0.0, 250.0, 60.0, Aggregate.MEAN))
        for step in (0.0, -1.0, math.nan, math.inf):
            with pytest.raises(ValueError, match="positive number of seconds"):
                run(store.downsampled(series.metric_id, 0.0, 250.0, step, Aggregate.MEAN))

    def test_tidying_changes_no_answer(self, tmp_path: Path) -> None:
        """Over several days, with late and doubled samples in between."""
        store = self.make(tmp_path)
        series = [Series.named(f"s{number}_count", "shop") for number in range(5)]
        expected: dict[str, dict[float, float]] = {one.metric_id: {} for one in series}
        for tick in range(300):
            at = 1000.0 * tick + (0.0 if tick % 7 else -40_000.25)
            for number, one in enumerate(series[: 1 + tick % 5]):
                run(store.write([Reading(one, tick + number / 10, at)]))
                expected[one.metric_id][at] = tick + number / 10
            if tick % 60 == 59:
                run(store.tidy(1000.0 * tick))
        for metric_id, samples in expected.items():
            assert [tuple(pair) for pair in run(store.query(metric_id, -1e9, 1e9))] == sorted(samples.items())
            hours = run(store.downsampled(metric_id, -1e9, 1e9, 3600.0, Aggregate.COUNT))
            assert sum(figure for _, figure in hours) == len(samples)

    def test_what_was_written_is_there_after_reopening(self, tmp_path: Path) -> None:
        """And the series are the same ones."""
        if not self.durable:
            pytest.skip("this store does not outlive its process")
        series = Series.named("queue_length", "shop")
        store = self.make(tmp_path)
        run(store.write([Reading(series, 1.0, 10.0)]))
        run(store.close())
        again = self.make(tmp_path)
        run(again.write([Reading(series, 2.0, 20.0)]))
        assert [tuple(pair) for pair in run(again.query(series.metric_id, 0.0, 99.0))] == [(10.0, 1.0), (20.0, 2.0)]
        assert list(run(again.series())) == [series]
