"""The simulated market: the same prices for every request, and a truth that estimators recover."""

import hashlib
import subprocess
import sys
from datetime import date

import numpy as np
import pytest

from common import calendar
from simulator.market import ANCHOR, EPOCH, MODEL_VERSION, Market
from simulator.universe import load_universe

START, END = date(2024, 1, 2), date(2026, 11, 20)
FIELDS = ("open", "high", "low", "close", "volume")
UNIVERSE = load_universe()
STOCKS = [s for s, known in UNIVERSE.securities.items() if known.profile.kind == "stock"]

# Asks for something else first, so that what a process has cached cannot matter.
PRINT_DIGEST = """
import hashlib
from datetime import date
from simulator.market import Market
market = Market(seed=11)
market.bars(["VIX", "JPM"], date(2019, 5, 1), date(2020, 5, 1))
bars = market.bars(market.symbols(), date(2024, 1, 2), date(2026, 11, 20))
arrays = (bars.open, bars.high, bars.low, bars.close, bars.volume)
print(hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest())
"""


@pytest.fixture(scope="module")
def market():
    return Market()


@pytest.fixture(scope="module")
def all_bars(market):
    return market.bars(market.symbols(), EPOCH, END)


def log_returns(bars, symbols):
    columns = [bars.symbols.index(symbol) for symbol in symbols]
    return np.diff(np.log(bars.close[:, columns]), axis=0)


def assert_same_bars(left, right):
    assert (left.sessions, left.symbols) == (right.sessions, right.symbols)
    for field in FIELDS:
        assert np.array_equal(getattr(left, field), getattr(right, field)), field


def test_prices_do_not_depend_on_order_or_subset_of_the_request(market):
    whole = market.bars(market.symbols(), START, END)
    backwards = Market().bars(tuple(reversed(market.symbols())), START, END)
    alone = Market().bars(["NVDA"], START, END)

    column = whole.symbols.index("NVDA")
    for field in FIELDS:
        assert np.array_equal(getattr(whole, field), getattr(backwards, field)[:, ::-1])
        assert np.array_equal(getattr(whole, field)[:, [column]], getattr(alone, field))


def test_prices_do_not_depend_on_the_window_of_the_request(market):
    symbols, sessions = ("AAPL", "SPY", "VIX", "SPAXX"), calendar.sessions(START, END)
    whole = market.bars(symbols, START, END)
    piece = market.bars(symbols, sessions[100], sessions[119])

    assert piece.sessions == sessions[100:120]
    for field in FIELDS:
        assert np.array_equal(getattr(whole, field)[100:120], getattr(piece, field))


def test_another_process_sees_the_same_prices():
    market = Market(seed=11)
    bars = market.bars(market.symbols(), START, END)
    here = hashlib.sha256(b"".join(getattr(bars, field).tobytes() for field in FIELDS))
    command = [sys.executable, "-c", PRINT_DIGEST]
    there = subprocess.run(command, capture_output=True, text=True, check=True)

    assert there.stdout.strip() == here.hexdigest()


def test_a_new_session_leaves_the_past_unchanged(market):
    yesterday, today = calendar.session_back(END, 1), END
    before = market.bars(market.symbols(), EPOCH, yesterday)
    after = market.bars(market.symbols(), EPOCH, today)

    assert after.sessions == (*before.sessions, today)
    for field in FIELDS:
        assert np.array_equal(getattr(before, field), getattr(after, field)[:-1])


def test_another_seed_is_another_market(market):
    ours = log_returns(market.bars(["SPY"], EPOCH, END), ["SPY"])[:, 0]
    theirs = log_returns(Market(seed=1).bars(["SPY"], EPOCH, END), ["SPY"])[:, 0]
    assert abs(np.corrcoef(ours, theirs)[0, 1]) < 0.08


def test_prices_change_only_with_the_model_version(market):
    """Whoever breaks this changes what stored bars mean: raise MODEL_VERSION, then these prices."""
    bars = market.bars(("AAPL", "SPY", "TLT", "VIX"), END, END)

    assert MODEL_VERSION == "1"
    assert bars.open[0].tolist() == pytest.approx([318.9, 722.16, 58.69, 14.09], abs=0.011)
    assert bars.close[0].tolist() == pytest.approx([317.97, 725.83, 58.35, 12.48], abs=0.011)


def test_sessions_are_those_of_the_exchange(all_bars):
    assert all_bars.sessions == calendar.sessions(EPOCH, END)
    assert all(session.weekday() < 5 for session in all_bars.sessions)
    assert date(2024, 11, 28) not in all_bars.sessions


def test_what_the_market_does_not_have_is_left_out(market):
    bars = market.bars(["AAPL", "NO_SUCH", "SPY", "AAPL"], date(2014, 12, 1), date(2015, 1, 5))

    assert bars.symbols == ("AAPL", "SPY")
    assert bars.sessions == (date(2015, 1, 2), date(2015, 1, 5))
    assert bars.close.shape == bars.volume.shape == (2, 2)


@pytest.mark.parametrize(
    ("symbols", "start", "end", "shape"),
    [
        (["NO_SUCH"], date(2024, 1, 16), date(2024, 1, 17), (2, 0)),
        (["AAPL"], date(2024, 11, 28), date(2024, 11, 28), (0, 1)),  # Thanksgiving
        (["AAPL"], date(2024, 1, 17), date(2024, 1, 16), (0, 1)),
        (["AAPL"], date(2012, 1, 1), date(2013, 1, 1), (0, 1)),  # before the epoch
    ],
)
def test_nothing_asked_for_gives_empty_arrays(market, symbols, start, end, shape):
    assert market.bars(symbols, start, end).close.shape == shape


def test_an_unlisted_symbol_has_no_profile(market):
    with pytest.raises(LookupError, match="NO_SUCH"):
        market.profile("NO_SUCH")
    assert market.profile("SHOP").country == "CA"


def test_bars_are_well_formed(all_bars):
    assert np.all(all_bars.high >= np.maximum(all_bars.open, all_bars.close))
    assert np.all(all_bars.low <= np.minimum(all_bars.open, all_bars.close))
    assert np.all(all_bars.low > 0)
    assert np.all(all_bars.volume >= 0)
    assert np.array_equal(np.round(all_bars.close, 2), all_bars.close)
    assert all_bars.volume.dtype == np.int64


def test_only_what_trades_on_an_exchange_has_volume(all_bars, market):
    on_exchange = [market.profile(s).kind in ("stock", "etf") for s in all_bars.symbols]
    assert np.all(all_bars.volume[:, on_exchange] > 0)
    assert np.all(all_bars.volume[:, np.logical_not(on_exchange)] == 0)


def test_money_market_funds_stay_at_one_dollar(market):
    bars = market.bars(["SPAXX", "VMFXX", "VUSXX"], EPOCH, END)
    for field in ("open", "high", "low", "close"):
        assert np.all(getattr(bars, field) == 1.0)
    assert np.all(bars.volume == 0)


def test_a_mutual_fund_has_one_price_a_session(market):
    bars = market.bars(["FCNTX"], START, END)
    assert np.array_equal(bars.open, bars.close)
    assert np.array_equal(bars.high, bars.low)
    assert bars.close.std() > 0


def test_every_price_holds_on_the_anchor_session(market):
    symbols = [s for s, known in UNIVERSE.securities.items() if not known.reversion]
    bars = market.bars(symbols, ANCHOR, ANCHOR)
    assert bars.close[0].tolist() == [UNIVERSE.securities[symbol].price for symbol in symbols]


def test_stocks_of_one_sector_move_together_more_than_stocks_of_two(all_bars):
    correlation = np.corrcoef(log_returns(all_bars, STOCKS), rowvar=False)
    sectors = np.array([UNIVERSE.securities[symbol].profile.sector for symbol in STOCKS])
    same = sectors[:, None] == sectors[None, :]
    pairs = np.triu(np.ones_like(same), k=1)

    within, across = correlation[same & pairs].mean(), correlation[~same & pairs].mean()
    assert 0.3 < within < 0.8
    assert 0.1 < across < within - 0.1


def test_ordinary_least_squares_recovers_the_market_betas(all_bars):
    market_returns = log_returns(all_bars, ["SPY"])[:, 0]
    x = market_returns - market_returns.mean()
    y = log_returns(all_bars, STOCKS)
    betas = x @ y / (x @ x)
    residuals = y - y.mean(axis=0) - np.outer(x, betas)
    errors = np.sqrt((residuals**2).sum(axis=0) / (len(x) - 2) / (x @ x))
    truth = np.array([UNIVERSE.securities[symbol].loadings["market"] for symbol in STOCKS])

    assert np.all(np.abs(betas - truth) < 4 * errors)
    assert np.median(np.abs(betas - truth)) < 0.05


@pytest.mark.parametrize("symbol", ["SPY", "AAPL", "TLT", "GLD", "XLE", "VTIAX"])
def test_realised_volatility_is_the_true_one(all_bars, symbol):
    realised = log_returns(all_bars, [symbol]).std() * np.sqrt(252)
    assert realised == pytest.approx(UNIVERSE.volatility(UNIVERSE.securities[symbol]), rel=0.06)


def test_index_funds_track_their_index(all_bars):
    returns = log_returns(all_bars, ["SPY", "VOO", "VTI"])
    assert np.corrcoef(returns, rowvar=False).min() > 0.99


def test_vix_falls_when_the_market_rises(all_bars):
    vix, spy = log_returns(all_bars, ["VIX", "SPY"]).T
    assert vix[spy > 0].mean() < 0 < vix[spy < 0].mean()
    assert np.corrcoef(vix, spy)[0, 1] < -0.6


def test_vix_returns_to_its_level(all_bars):
    vix = all_bars.close[:, all_bars.symbols.index("VIX")]
    assert 5 < vix.min() < vix.max() < 90
    assert np.exp(np.log(vix).mean()) == pytest.approx(UNIVERSE.securities["VIX"].price, rel=0.2)
