"""The simulated market: the same prices for every request, well formed, and anchored."""

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from common import calendar
from simulator.draws import BLOCK
from simulator.factors import EPOCH
from simulator.market import ANCHOR, MODEL_VERSION, Market
from simulator.universe import load_universe

START, END = date(2024, 1, 2), date(2026, 11, 20)
FIELDS = (
    *("open", "high", "low", "close", "volume"),
    *("split_ratio", "dividend", "traded"),
)
PRICES = FIELDS[:4]
UNIVERSE = load_universe()
ALL = tuple(UNIVERSE.securities)
SOME = (*UNIVERSE.known, *ALL[len(UNIVERSE.known) :: 40])

# Asks for something else first, so that what a process has cached cannot matter.
PRINT_DIGEST = """
import hashlib
from datetime import date
from simulator.market import Market
market = Market(seed=11)
market.bars(["VIX", "JPM"], date(2019, 5, 1), date(2020, 5, 1))
bars = market.bars(market.symbols()[::12], date(2024, 1, 2), date(2026, 11, 20))
fields = "open", "high", "low", "close", "volume", "split_ratio", "dividend", "traded"
print(hashlib.sha256(b"".join(getattr(bars, name).tobytes() for name in fields)).hexdigest())
"""


@pytest.fixture(scope="module")
def market():
    return Market()


@pytest.fixture(scope="module")
def bars(market):
    return market.bars(SOME, EPOCH, END)


def assert_same(left, right):
    for field in FIELDS:
        assert np.array_equal(
            getattr(left, field), getattr(right, field), equal_nan=field in PRICES
        ), field


def part(bars, rows=slice(None), columns=slice(None)):
    class Part:
        pass

    found = Part()
    for field in FIELDS:
        setattr(found, field, getattr(bars, field)[rows][:, columns])
    return found


def test_prices_do_not_depend_on_order_or_subset_of_the_request(market):
    whole = market.bars(SOME, START, END)
    backwards = Market().bars(tuple(reversed(SOME)), START, END)
    alone = Market().bars(["NVDA"], START, END)

    assert_same(whole, part(backwards, columns=slice(None, None, -1)))
    column = whole.symbols.index("NVDA")
    assert_same(part(whole, columns=slice(column, column + 1)), alone)


def test_all_of_the_market_is_the_same_in_any_order_and_in_pieces():
    """Over the turn of a half-year; the benchmark does it over 780 sessions."""
    start, end = date(2024, 6, 14), date(2024, 7, 5)
    whole = Market().bars(ALL, start, end)
    order = np.random.default_rng(7).permutation(len(ALL))
    shuffled = Market().bars([ALL[place] for place in order], start, end)
    assert_same(part(whole, columns=order), shuffled)
    for piece in range(3):
        assert_same(
            part(whole, columns=slice(piece, None, 3)), Market().bars(ALL[piece::3], start, end)
        )


def test_a_new_session_leaves_the_past_of_all_of_the_market_unchanged():
    sessions = calendar.sessions(date(2024, 6, 14), date(2024, 7, 5))
    blocks = [int(np.busday_count(EPOCH, session)) // BLOCK for session in sessions]
    turn = blocks.index(blocks[-1])
    assert 0 < turn < len(sessions) - 1
    seen = [Market().bars(ALL, sessions[0], sessions[last]) for last in (turn - 1, turn, turn + 1)]
    for before, after in pairwise(seen):
        assert len(after.sessions) == len(before.sessions) + 1
        assert_same(before, part(after, rows=slice(0, -1)))


@pytest.mark.parametrize("first", [0, 300, 2_200, 2_280, 2_900])
def test_prices_do_not_depend_on_the_window_of_the_request(bars, first):
    piece = Market().bars(SOME, bars.sessions[first], bars.sessions[first + 19])
    assert piece.sessions == bars.sessions[first : first + 20]
    assert_same(part(bars, rows=slice(first, first + 20)), piece)


def test_prices_do_not_depend_on_what_was_asked_for_before():
    asked_before = Market()
    asked_before.bars(SOME[::2], date(2016, 5, 2), date(2016, 5, 20))
    asked_before.bars(SOME[1::3], date(2026, 5, 4), date(2026, 5, 20))
    assert_same(asked_before.bars(SOME, START, END), Market().bars(SOME, START, END))


def test_another_process_sees_the_same_prices():
    market = Market(seed=11)
    bars = market.bars(market.symbols()[::12], START, END)
    here = hashlib.sha256(b"".join(getattr(bars, field).tobytes() for field in FIELDS))
    command = [sys.executable, "-c", PRINT_DIGEST]
    there = subprocess.run(command, capture_output=True, text=True, check=True)

    assert there.stdout.strip() == here.hexdigest()


@pytest.mark.parametrize("end", [END, date(2025, 6, 27), date(2025, 6, 30)])
def test_a_new_session_leaves_the_past_unchanged(market, end):
    sessions = calendar.sessions(START, end)
    before = Market().bars(SOME, START, sessions[-2])
    after = Market().bars(SOME, START, end)
    assert after.sessions == (*before.sessions, end)
    assert_same(before, part(after, rows=slice(0, -1)))


def test_another_seed_is_another_market(market):
    ours, theirs = (m.bars(["SPX"], EPOCH, END).close[:, 0] for m in (market, Market(seed=1)))
    assert abs(np.corrcoef(np.diff(np.log(ours)), np.diff(np.log(theirs)))[0, 1]) < 0.08


def test_prices_change_only_with_the_model_version(market):
    """Whoever breaks this changes what stored bars mean: raise MODEL_VERSION, then these prices."""
    bars = market.bars(("AAPL", "SPY", "TLT", "VIX", ALL[200]), END, END)

    assert MODEL_VERSION == "3"
    assert bars.open[0].tolist() == pytest.approx(OPENINGS, abs=0.011)
    assert bars.close[0].tolist() == pytest.approx(CLOSES, abs=0.011)


OPENINGS = [629.97, 783.32, 110.42, 18.57, 129.34]
CLOSES = [631.13, 802.25, 111.34, 17.61, 125.98]


def test_sessions_are_those_of_the_exchange(bars):
    assert bars.sessions == calendar.sessions(EPOCH, END)
    assert all(session.weekday() < 5 for session in bars.sessions)
    assert date(2024, 11, 28) not in bars.sessions


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


def test_the_market_ends_with_the_calendar(market):
    for end in (date(2060, 12, 31), date.max):
        bars = market.bars(["AAPL", "VIX"], date(2060, 1, 1), end)
        assert date(2060, 5, 1) < bars.sessions[-1] < date(2061, 1, 1)
        assert bars.traded.any(axis=0).all()
    assert not market.bars(["AAPL"], date(2061, 1, 3), date.max).sessions


def test_threads_that_share_a_market_see_the_same_prices(market):
    """As marketdata's do: each walks from the anchor over what the others are finding out."""
    shared, whole = Market(), market.bars(SOME, EPOCH, END)
    pieces = [SOME[first::6] for first in range(6)] * 2
    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(lambda piece: shared.bars(piece, EPOCH, END), pieces))
    for first, piece in enumerate(seen):
        assert_same(part(whole, columns=slice(first % 6, None, 6)), piece)


def test_an_unlisted_symbol_has_no_profile(market):
    with pytest.raises(LookupError, match="NO_SUCH"):
        market.profile("NO_SUCH")
    assert market.profile("SHOP").country == "CA"


def test_bars_are_well_formed(bars):
    traded = bars.traded
    opening, high, low, close = (getattr(bars, name)[traded] for name in PRICES)
    assert np.all(high >= np.maximum(opening, close))
    assert np.all(low <= np.minimum(opening, close))
    assert np.all(low > 0)
    assert np.all(bars.volume >= 0)
    assert np.array_equal(np.round(close, 2), close)
    assert bars.volume.dtype == np.int64


def test_without_a_trade_there_is_no_price_and_no_event(bars):
    absent = ~bars.traded
    assert absent.any()
    for name in PRICES:
        assert np.isnan(getattr(bars, name)[absent]).all()
        assert not np.isnan(getattr(bars, name)[bars.traded]).any()
    assert not bars.volume[absent].any()
    assert np.all(bars.split_ratio[absent] == 1)
    assert not bars.dividend[absent].any()


def test_only_what_trades_on_an_exchange_has_volume(bars, market):
    on_exchange = np.array([market.profile(s).kind in ("stock", "etf") for s in bars.symbols])
    assert np.all(bars.volume[:, on_exchange][bars.traded[:, on_exchange]] > 0)
    assert not bars.volume[:, ~on_exchange].any()


def test_money_market_funds_stay_at_one_dollar_and_pay_the_bill_rate(market):
    bars = market.bars(["SPAXX", "VMFXX", "VUSXX"], EPOCH, END)
    for field in PRICES:
        assert np.all(getattr(bars, field) == 1.0)
    scene = market.scene(END)
    count = len(bars.sessions)
    earned = (scene.level + scene.slope)[: count - 1].clip(0).sum() / 252
    assert bars.dividend[:, 0].sum() == pytest.approx(earned, rel=0.1)


def test_a_mutual_fund_has_one_price_a_session(market):
    bars = market.bars(["FCNTX"], START, END)
    assert np.array_equal(bars.open, bars.close)
    assert np.array_equal(bars.high, bars.low)
    assert bars.close.std() > 0


def test_every_price_holds_on_the_anchor_session(market):
    symbols = [s for s in ALL if s != "VIX"]
    bars = market.bars(symbols, ANCHOR, ANCHOR)
    prices = np.array([UNIVERSE.securities[symbol].price for symbol in symbols])
    assert np.array_equal(bars.close[0][bars.traded[0]], prices[bars.traded[0]])
    assert bars.traded[0].mean() > 0.85


def test_some_are_listed_later_and_some_are_delisted(market):
    bars = market.bars(ALL[::5], EPOCH, END)
    first, last = bars.traded[:30].any(axis=0), bars.traded[-30:].any(axis=0)
    assert 60 < np.count_nonzero(~first & last) < 160
    assert 20 < np.count_nonzero(first & ~last) < 100
    # Listed in one piece: what is missing in between are halts, of a few sessions each.
    for column in np.flatnonzero(~first | ~last)[::5]:
        there = np.flatnonzero(bars.traded[:, column])
        if len(there):
            assert len(there) > 0.98 * (there[-1] - there[0] + 1)


def test_real_names_keep_the_share_that_books_name_quantities_of(market):
    assert np.all(market.bars(UNIVERSE.known, EPOCH, END).split_ratio == 1)


def test_few_stocks_are_halted_and_never_for_long(market):
    stocks = [s for s in ALL if UNIVERSE.securities[s].profile.kind == "stock"]
    listed = [s for s in stocks if UNIVERSE.securities[s].listed_from == 0][:1_500]
    bars = market.bars(listed, START, END)
    still = bars.traded[-1] & bars.traded[0]
    halted = ~bars.traded[:, still]
    years = halted.size / 252
    starts = np.count_nonzero(np.diff(halted.astype(int), axis=0) == 1)
    assert 0.01 < starts / years < 0.04
    assert 1 <= halted.sum() / starts <= 4


def test_companies_are_worth_what_their_shares_are(market):
    """Splits change how many shares there are, not what all of them are worth."""
    listed = [s for s in ALL[103:900] if UNIVERSE.securities[s].listed_through is None]
    bars = market.bars([s for s in listed if not UNIVERSE.securities[s].listed_from], ANCHOR, END)
    shares = np.prod(bars.split_ratio[1:], axis=0)
    split = (shares != 1) & bars.traded[0] & bars.traded[-1]
    assert split.sum() > 5
    symbols = [bars.symbols[column] for column in np.flatnonzero(split)]
    grown = market.growth(symbols, END)
    worth = (bars.close[-1] * shares / bars.close[0])[split]
    assert grown == pytest.approx(worth, rel=0.01)  # cents of cheap shares
    with pytest.raises(ValueError, match="no session"):
        market.growth(["AAPL"], date(2024, 11, 28))
    with pytest.raises(LookupError):
        market.growth(["NO_SUCH"], END)
