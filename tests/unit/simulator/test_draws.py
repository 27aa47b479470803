"""Shocks: what a stream depends on."""

import numpy as np
import pytest

from simulator import draws


def test_more_days_append_rows_and_leave_the_earlier_ones_alone():
    short, long = draws.normals(1, "own/AAPL", 100, 6), draws.normals(1, "own/AAPL", 5_000, 6)
    assert np.array_equal(short, long[:100])
    assert np.array_equal(draws.uniforms(1, "x", 50), draws.uniforms(1, "x", 80)[:50])


@pytest.mark.parametrize(
    ("seed", "stream", "block"), [(2, "own/AAPL", 0), (1, "own/MSFT", 0), (1, "own/AAPL", 1)]
)
def test_another_seed_stream_or_block_is_independent(seed, stream, block):
    one = draws.Streams(1).at("own/AAPL").standard_normal(20_000)
    other = draws.Streams(seed).at(stream, block).standard_normal(20_000)
    assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(20_000)


def test_going_from_stream_to_stream_and_back_starts_each_anew():
    streams = draws.Streams(1)
    first = streams.at("own/AAPL").standard_normal(3)
    streams.at("own/MSFT", 4).random(7)
    assert np.array_equal(streams.at("own/AAPL").standard_normal(3), first)


def test_blocks_do_not_overlap():
    """The blocks of a stream are apart in the generator's counter, not behind one another."""
    first = draws.Streams(1).at("own/AAPL").standard_normal(200_000)
    second = draws.Streams(1).at("own/AAPL", 1).standard_normal(4)
    assert not np.isin(second, first).any()


def test_shocks_are_standard_normal():
    shocks = draws.normals(1, "own/AAPL", 100_000)
    assert shocks.mean() == pytest.approx(0, abs=0.015)
    assert shocks.std() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_beyond_64_bits_is_refused(seed):
    with pytest.raises(ValueError, match="below 2"):
        draws.normals(seed, "own/AAPL", 1)
