"""Random paths: what a stream's shocks depend on, and what levels and ranges they give."""

import numpy as np
import pytest

from simulator import paths


def test_more_days_append_rows_and_leave_the_earlier_ones_alone():
    short, long = paths.normals(1, "own/AAPL", 100, 6), paths.normals(1, "own/AAPL", 5_000, 6)
    assert np.array_equal(short, long[:100])


@pytest.mark.parametrize(("seed", "stream"), [(2, "own/AAPL"), (1, "own/MSFT")])
def test_another_seed_or_stream_is_independent(seed, stream):
    one = paths.normals(1, "own/AAPL", 10_000)[:, 0]
    other = paths.normals(seed, stream, 10_000)[:, 0]
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.04


def test_shocks_are_standard_normal():
    shocks = paths.normals(1, "own/AAPL", 100_000)
    assert shocks.mean() == pytest.approx(0, abs=0.015)
    assert shocks.std() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_beyond_64_bits_is_refused(seed):
    with pytest.raises(ValueError, match="below 2"):
        paths.normals(seed, "own/AAPL", 1)


def test_without_reversion_the_level_is_the_sum_of_returns():
    assert paths.log_levels(np.array([0.1, -0.3, 0.2]), 0.0).tolist() == pytest.approx(
        [0.1, -0.2, 0.0]
    )


def test_reversion_gives_back_its_share_of_the_last_level():
    assert paths.log_levels(np.array([1.0, 0.0, 0.5]), 0.25).tolist() == [1.0, 0.75, 1.0625]


def test_the_range_encloses_opening_and_close():
    shocks = paths.normals(3, "session/AAPL", 10_000, paths.SESSION_SHOCKS)
    log_returns = 0.02 * paths.normals(3, "own/AAPL", 10_000)[:, 0]
    opening, high, low = paths.session_range(log_returns, 0.02, shocks)

    assert np.all(high >= np.maximum(opening, log_returns))
    assert np.all(low <= np.minimum(opening, log_returns))


def test_opening_gap_and_range_carry_the_volatility_they_were_given():
    volatility, days = 0.02, 50_000
    log_returns = volatility * paths.normals(4, "own/AAPL", days)[:, 0]
    shocks = paths.normals(4, "session/AAPL", days, paths.SESSION_SHOCKS)
    opening, high, low = paths.session_range(log_returns, volatility, shocks)
    up, down, move = high - opening, low - opening, log_returns - opening
    rogers_satchell = np.mean(up * (up - move) + down * (down - move))

    assert opening.var() == pytest.approx(paths.OVERNIGHT_SHARE * volatility**2, rel=0.03)
    assert rogers_satchell == pytest.approx((1 - paths.OVERNIGHT_SHARE) * volatility**2, rel=0.03)


def test_large_moves_bring_volume():
    quiet, wild = np.zeros(2_000), np.full(2_000, 0.05)
    shocks = paths.normals(5, "session/AAPL", 2_000, paths.SESSION_SHOCKS)
    volumes = [paths.session_volume(1_000_000, moves, 0.02, shocks) for moves in (quiet, wild)]
    assert volumes[0].min() > 0
    assert np.median(volumes[1]) > 1.5 * np.median(volumes[0])
