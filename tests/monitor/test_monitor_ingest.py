"""What is pushed is decoded right, or refused whole: any bytes may come."""

from __future__ import annotations

import gzip
import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import monitor.pushing as p
from trimtab.monitor.ingest import Catalog, Malformed, OtlpDecoder, RemoteWriteDecoder, unpack_gzip, unpack_snappy
from trimtab.monitor.ingest.catalog import FULL, MOST_BYTES, MOST_LABELS
from trimtab.monitor.ingest.unpack import TooLarge

NOW = 1_790_000_000_123  # milliseconds


def decode(body, catalog=None):
    catalog = catalog if catalog is not None else Catalog()
    found = RemoteWriteDecoder(catalog).decode(body)
    return [
        (catalog.series[n].metric_id, t, v)
        for n, t, v in zip(found.series.tolist(), found.timestamps.tolist(), found.values.tolist(), strict=True)
    ], found


def otlp(*bodies, catalog=None):
    catalog = catalog if catalog is not None else Catalog()
    decoder, found = OtlpDecoder(catalog), []
    for body in bodies:
        one = decoder.decode(body)
        found.append({catalog.series[n].metric_id: v for n, v in zip(one.series.tolist(), one.values.tolist(), strict=True)})
    return found[0] if len(found) == 1 else found


UP = {"__name__": "up", "instance": "a:9100", "job": "shop"}
REAL = {**UP, "path": "/" + "x" * 300}  # a label longer than 127 bytes

names = st.text("abcdefghijklmnopqrstuvwxyz_é", min_size=1, max_size=8)
label_sets = st.dictionaries(names, st.text(min_size=1, max_size=200), max_size=5).flatmap(
    lambda labels: names.map(lambda name: {"__name__": name, **labels})
)
samples = st.tuples(
    st.floats(allow_nan=False, allow_infinity=False), st.one_of(st.integers(2**35, 2**42 - 1), st.integers(-(2**40), 2**52))
)
pushes = st.lists(st.tuples(label_sets, st.lists(samples, max_size=3)), max_size=6)


@settings(max_examples=150, deadline=None)
@given(pushes, st.integers(1, 3))
def test_every_sample_arrives_once_under_its_own_labels(pushed, times):
    body = b"".join(p.series(labels, *each) for labels, each in pushed)
    catalog = Catalog()
    for _ in range(times):  # unknown series the first time, known ones after that: two ways through the decoder
        found, _ = decode(body, catalog)
    wanted = sorted((_id(labels), at / 1000.0, value) for labels, each in pushed for value, at in each)
    assert sorted(found) == wanted


def _id(labels):
    rest = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()) if key != "__name__")
    return f"/{labels['__name__']}" + (f"{{{rest}}}" if rest else "")


def test_a_sample_that_only_looks_like_one_is_read_by_the_book():
    catalog = Catalog()
    decode(p.series(UP, (1.0, NOW)), catalog)
    labels = b"".join(p.label(*each) for each in UP.items())
    odd = p.block(1, labels + p.block(2, p.number(2, NOW) + p.double(1, 7.0)))  # time before value: as long, and allowed
    assert decode(odd, catalog)[0] == [(_id(UP), NOW / 1000, 7.0)]
    with pytest.raises(Malformed):
        decode(p.block(1, labels + b"\x12\x10\x09" + b"\x00" * 8 + b"\x10" + b"\xff" * 6), catalog)


def test_the_end_of_a_series_is_no_sample_and_neither_is_what_is_not_finite():
    catalog = Catalog()
    body = p.series(UP, (p.STALE, NOW)) + p.series(REAL, (math.nan, NOW), (math.inf, NOW), (5.0, NOW + 1))
    for _ in range(2):
        found, counted = decode(body, catalog)
        assert found == [(_id(REAL), (NOW + 1) / 1000, 5.0)]
        assert (counted.gone, counted.unusable, counted.refused) == (1, 2, 0)


def test_labels_in_another_order_are_the_same_series():
    catalog = Catalog()
    decode(p.series(UP, (1.0, NOW)), catalog)
    decode(p.series(dict(reversed(UP.items())), (2.0, NOW)), catalog)
    assert len(catalog.series) == 1


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"job": "shop"}, "without a name"),
        ({"__name__": ""}, "without a name"),
        ({"__name__": "up", "": "x"}, "a label without a name"),
    ],
)
def test_a_series_that_cannot_be_told_is_refused_and_takes_its_body_along(labels, said):
    catalog = Catalog()
    with pytest.raises(Malformed, match=said):
        decode(p.series(UP, (1.0, NOW)) + p.series(labels, (1.0, NOW)), catalog)


def test_a_label_named_twice_is_refused():
    body = p.block(1, p.label("__name__", "up") + p.label("job", "a") + p.label("job", "b") + p.sample(1.0, NOW))
    with pytest.raises(Malformed, match="twice"):
        decode(body)


def test_beyond_the_most_series_samples_are_counted_and_memory_stays_bounded():
    catalog = Catalog(most=3)
    for i in range(50):
        _, found = decode(p.series({"__name__": f"m{i}"}, (1.0, NOW)), catalog)
        assert found.refused == (i >= 3)
    assert len(catalog.series) == 3
    assert len(catalog.numbers) <= 6


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_decoded_or_refused(body):
    for decoder in (RemoteWriteDecoder(Catalog()), OtlpDecoder(Catalog())):
        try:
            found = decoder.decode(body)
        except Malformed:
            continue
        assert np.isfinite(found.values).all()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_body_never_yields_a_series_that_was_not_sent_whole(data):
    catalog = Catalog()
    body = p.series(UP, (1.0, NOW)) + p.series(REAL, (2.0, NOW))
    decode(body, catalog)
    place = data.draw(st.integers(0, len(body) - 1))
    damaged = body[:place] + bytes([data.draw(st.integers(0, 255))]) + body[place + 1 :]
    try:
        fast, _ = decode(damaged, catalog)
    except Malformed:
        fast = None
    try:
        slow, _ = decode(damaged)
    except Malformed:
        slow = None
    assert fast == slow or sorted(fast) == sorted(slow)  # known or not, the same bytes mean the same


def test_snappy_and_gzip_are_unpacked_within_a_limit():
    import cramjam

    body = b"x" * 10_000
    assert unpack_snappy(bytes(cramjam.snappy.compress_raw(body))) == body
    assert unpack_gzip(gzip.compress(body)) == body
    for unpack, packed in ((unpack_snappy, bytes(cramjam.snappy.compress_raw(body))), (unpack_gzip, gzip.compress(body))):
        with pytest.raises(TooLarge):
            unpack(packed, 9_999)
        for bad in (b"", b"\xff" * 12, packed[:-5], body):
            with pytest.raises(Malformed):
                unpack(bad)


def test_a_body_that_claims_to_be_huge_is_refused_unread():
    with pytest.raises(TooLarge):
        unpack_snappy(p.varint(2**31) + b"\x00" * 20)


def test_otlp_names_units_and_resources_as_prometheus_has_them():
    body = p.export(
        {"service.name": "shop", "service.namespace": "eu", "service.instance.id": "i1"},
        p.gauge("cpu.utilization", "1", p.point(0.5, 1_790_000_000.0, cpu="0", on=True)),
        p.counter("http.requests", "{request}", p.point(7, 1_790_000_000.0, code=200)),
    )
    found = otlp(body)
    cpu, requests = sorted(found)
    assert cpu.startswith("/cpu_utilization_ratio{cpu=") and 'job="eu/shop"' in cpu and 'on="true"' in cpu
    assert requests.startswith('/http_requests_total{code="200",instance="i1"')
    assert found == {cpu: 0.5, requests: 7.0}


def test_the_same_metric_of_two_hosts_is_two_series():
    one, two = (p.export({"host.name": host}, p.gauge("load", "", p.point(1.0, 1.79e9))) for host in ("a", "b"))
    catalog = Catalog()
    otlp(one, two, catalog=catalog)
    assert len(catalog.series) == 2


def test_an_otlp_histogram_is_cumulative_and_deltas_add_up():
    def body(temporality):
        return p.export({}, p.histogram("latency", "s", (1, 2, 3), (0.1, 0.5), 1.5, 1.79e9, temporality, route="/pay"))

    assert otlp(body(2)) == {
        '/latency_seconds_bucket{le="0.1",route="/pay"}': 1.0,
        '/latency_seconds_bucket{le="0.5",route="/pay"}': 3.0,
        '/latency_seconds_bucket{le="+Inf",route="/pay"}': 6.0,
        '/latency_seconds_count{route="/pay"}': 6.0,
        '/latency_seconds_sum{route="/pay"}': 1.5,
    }
    first, second = otlp(body(1), body(1))
    assert {key: 2 * value for key, value in first.items()} == second


def test_a_body_that_is_refused_has_added_up_nothing():
    good = p.export({}, p.counter("n", "", p.point(5, 1.79e9), temporality=1))
    bad = good + p.export({}, p.gauge("", "", p.point(1.0, 1.79e9)))
    decoder = OtlpDecoder(Catalog())
    with pytest.raises(Malformed):
        decoder.decode(bad)
    assert decoder.decode(good).values.tolist() == [5.0]


def test_without_the_extra_the_remedy_is_named(monkeypatch):
    from trimtab.monitor.ingest.unpack import Unavailable

    monkeypatch.setitem(sys.modules, "cramjam", None)
    with pytest.raises(Unavailable) as caught:
        unpack_snappy(b"\x00")
    assert "trimtab[otlp]" in caught.value.remedy


def test_a_catalog_keeps_room_for_elements():
    catalog = Catalog(4, lambda labels: (labels.get("job", ""), {}))
    numbers = [catalog.add(str(i).encode(), f"x{i}", {}, "") for i in range(6)]
    assert numbers == [0, 1, 2, 3, FULL, FULL]
    assert [catalog.add(f"j{i}".encode(), f"y{i}", {"job": "shop"}, "") for i in range(2)] == [4, FULL]


def test_labels_of_any_length_do_not_fill_the_memory():
    catalog = Catalog()
    assert catalog.add(b"a" * (MOST_LABELS + 1), "x", {}, "") == FULL
    assert (catalog.numbers, catalog.series) == ({}, [])
    longest = [catalog.add(b"%04d" % i * (MOST_LABELS // 4), f"x{i}", {}, "") for i in range(MOST_BYTES // MOST_LABELS + 1)]
    assert longest[-2:] == [MOST_BYTES // MOST_LABELS - 1, FULL]
    assert len(catalog.numbers) == MOST_BYTES // MOST_LABELS


def test_a_body_that_is_refused_takes_no_place_in_the_catalog():
    catalog = Catalog()
    catalog.begin()
    kept = catalog.add(b"kept", "kept", {}, "")
    catalog.begin()
    catalog.add(b"lost", "lost", {}, "")
    catalog.add(b"known", "kept", {}, "")
    catalog.forget()
    assert (catalog.numbers, [each.name for each in catalog.series]) == ({b"kept": kept}, ["kept"])
    assert catalog.add(b"next", "next", {}, "") == kept + 1
