"""The VIX: it answers the index the same day, and never leaps without a fall."""

from datetime import date

import numpy as np
import pytest

from common import calendar
from simulator.factors import EPOCH
from simulator.market import DEFAULT_SEED, Market
from simulator.volatility_index import index_level
from simulator.weather import Dial

END = date(2026, 11, 20)
SEEDS = (DEFAULT_SEED, 1, 2, 3, 4, 5)


def returns_and_levels(seed: int) -> tuple[np.ndarray, np.ndarray]:
    bars = Market(seed).bars(["SPX", "VIX"], EPOCH, END)
    return np.diff(np.log(bars.close[:, 0])), bars.close[:, 1]


@pytest.fixture(scope="module")
def histories():
    return {seed: returns_and_levels(seed) for seed in SEEDS}


def same_and_next_day(pairs) -> tuple[float, float]:
    """Return the correlation of the index's return with the VIX's change that day and the next."""
    same = np.concatenate([(returns, np.diff(vix)) for returns, vix in pairs], axis=1)
    following = np.concatenate([(returns[:-1], np.diff(vix)[1:]) for returns, vix in pairs], axis=1)
    return float(np.corrcoef(same)[0, 1]), float(np.corrcoef(following)[0, 1])


def test_it_answers_the_index_on_the_same_day_and_not_on_the_next(histories):
    for pairs in ([histories[DEFAULT_SEED]], list(histories.values())):
        same, following = same_and_next_day(pairs)
        assert -0.85 < same < -0.55
        assert abs(following) < 0.1


def test_its_greatest_leaps_are_like_real_ones_and_come_with_a_fall(histories):
    """On 2018-02-05 it rose by 116 %; the greatest leap of other years was some 40 to 60 %."""
    greatest = []
    for returns, vix in histories.values():
        leaps = np.diff(vix) / vix[:-1]
        greatest.append(leaps.max())
        assert np.all(returns[leaps > 0.3] < 0)
        assert leaps.min() > -0.35
    assert 0.3 < np.median(greatest) < 0.6
    assert max(greatest) < 1.16


def test_its_levels_are_like_real_ones(histories):
    for returns, vix in histories.values():
        assert 8 < vix.min() < 12
        assert 30 < vix.max() < 90
        assert np.mean((vix > 9.5) & (vix < 40)) > 0.95
        assert len(returns) > 2_900


def test_it_closes_where_the_next_session_begins():
    market = Market(5)
    scene = market.scene(END)
    assert np.array_equal(index_level(scene)[:-1], index_level(scene, at_close=False)[1:])
    bars = market.bars(["VIX"], EPOCH, END)
    gaps = np.log(bars.open[1:, 0] / bars.close[:-1, 0])
    moves = np.log(bars.close[1:, 0] / bars.close[:-1, 0])
    assert 0.1 < np.polyfit(moves, gaps, 1)[0] < 0.5


@pytest.mark.parametrize("turn", [date(2025, 6, 20), date(2025, 12, 19)])
def test_a_new_half_year_leaves_its_past_unchanged(turn):
    last = calendar.session_back(turn, 1)
    alone = Market(9).bars(["VIX"], EPOCH, last).close
    among = Market(9).bars(["VIX"], EPOCH, turn).close
    assert np.array_equal(alone, among[:-1])


def test_in_the_textbook_market_it_stands_still():
    bars = Market(dial=Dial(clustering=False)).bars(["VIX"], EPOCH, END)
    assert np.ptp(bars.close) == 0
