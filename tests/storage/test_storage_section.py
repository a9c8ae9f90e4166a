"""What is sealed reads back bit for bit, whatever it is, and takes the room that it should."""

import numpy as np
import pytest

from trimtab.storage.merging import whole
from trimtab.storage.section import Section, decimals, encode
from trimtab.storage.unpacking import Block, decode, unpacked

RNG = np.random.default_rng(3)
TIMES = 1_763_735_774.0 + 30.0 * np.arange(120)
CLOCKS = {"regular": TIMES, "µs": TIMES + np.round(RNG.random(120), 6), "any": np.sort(RNG.normal(0, 1e9, 120))}
KINDS = {  # values (128, 120), and the most bytes that one may take
    "a constant": (np.full((128, 120), 17.25), 0.2),
    "whole numbers": (RNG.poisson(20.0, (128, 120)) * 1.0, 0.9),
    "two decimals": (np.round(RNG.normal(40.0, 2.0, (128, 120)), 2), 1.5),
    "pages": (np.rint(RNG.normal(1e6, 100.0, (128, 120))) * 4096.0, 1.5),
    "a counter": (np.cumsum(RNG.poisson(300.0, (128, 120)), axis=1) * 1.0, 1.2),
    "any float": (RNG.normal(0.0, 1.0, (128, 120)), 8.3),
    "any bits": (np.nan_to_num(RNG.integers(-(2**62), 2**62, (128, 120)).view(np.float64)), 9.0),
    "both zeros": (RNG.choice([0.0, -0.0, 1.0], (128, 120)), 2.0),
    "far apart": (RNG.choice([-1e308, 5e-324, 2.0**53, 2.0**52, -1.0], (128, 120)), 9.0),
}


@pytest.mark.parametrize(("values", "most"), KINDS.values(), ids=KINDS.keys())
@pytest.mark.parametrize(
    "times", [TIMES, TIMES + np.round(RNG.random(120), 6), np.sort(RNG.normal(0, 1e9, 120))], ids=["regular", "µs", "any"]
)
def test_it_reads_back_bit_for_bit(values, most, times):
    body = encode(Section(times, np.arange(128), values))
    (whole,) = decode(body)
    assert np.array_equal(whole.values.view(np.int64), values.view(np.int64)) and np.array_equal(whole.times, times)
    (some,) = decode(body, [5, 77, 500])
    assert some.slots.tolist() == [5, 77] and np.array_equal(some.values.view(np.int64), values[[5, 77]].view(np.int64))
    assert not list(decode(body, [500]))
    assert len(body) / values.size <= most


@pytest.mark.parametrize("samples", [1, 2, 3])
def test_few_samples(samples):
    values = np.array([[1.5, 1e300, -7.0][:samples], [1 / 3] * samples])
    (found,) = decode(encode(Section(TIMES[:samples], np.array([3, 9]), values)))
    assert np.array_equal(found.values, values) and np.array_equal(found.times, TIMES[:samples])


def test_sections_lie_one_behind_the_other():
    bodies = [encode(Section(TIMES[:3] + number, np.array([number]), np.full((1, 3), float(number)))) for number in range(4)]
    assert [one.values[0, 0] for one in decode(b"".join(bodies))] == [0.0, 1.0, 2.0, 3.0]
    assert [one.values[0, 0] for one in decode(b"".join(bodies), [2])] == [2.0]


@pytest.mark.parametrize(("first", "last"), [(0, 1), (0, 70), (1, 119), (50, 51), (119, 120)])
def test_a_range_is_what_is_cut_out_of_the_whole(first, last):
    values = np.concatenate([rows for rows, _ in KINDS.values()])
    body = encode(Section(TIMES, np.arange(len(values)), values), quick=True)
    (some,) = decode(body, None, TIMES[first], TIMES[last - 1])
    assert np.array_equal(some.times, TIMES[first:last])
    assert np.array_equal(some.values.view(np.int64), values[:, first:last].view(np.int64))
    assert not decode(body, None, TIMES[first] + 1.0, TIMES[first] + 2.0)


def test_blocks_of_one_timeline_are_one_and_later_parts_come_last():
    def block(part, base, times):
        return Block((0, part), base, None, encode(Section(times, np.arange(2), np.full((2, times.size), float(part)))))

    blocks = [block(1, 10, TIMES), block(7, 10, TIMES), block(1, 20, TIMES), block(3, 20, TIMES + 1.0), block(7, 20, TIMES)]
    found = [whole(packed) for packed in unpacked(blocks)]
    assert [one.slots.tolist() for one in found] == [[10, 11, 20, 21], [20, 21], [10, 11, 20, 21]]
    assert [one.values[0, 0] for one in found] == [1.0, 3.0, 7.0]


@pytest.mark.parametrize("cut", [1, 3, 5, 20, 60, -1])
def test_a_body_that_was_cut_off_is_an_error(cut):
    body = encode(Section(TIMES, np.arange(4), RNG.normal(0, 1, (4, 120))))
    with pytest.raises(ValueError, match="not a block"):
        list(decode(body[:cut]))


def test_how_many_decimals_there_are():
    rows = [[0.5] * 9, [1e14 + 0.5] * 9, [0.1 + 0.2] * 9, [1e-9] * 9, [1.0] * 8 + [0.25], [-0.0] * 9, [1e22] * 9]
    assert decimals(np.array(rows)).tolist() == [1, 1, -1, 9, 2, -1, -1]
