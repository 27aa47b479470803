"""Chains and their quotes: without arbitrage, and with a truth that can be found again."""

from datetime import date

import numpy as np
import pytest

from common import calendar
from simulator import options, pricing
from simulator.desk import Desk
from simulator.market import Market
from simulator.options import Contract
from simulator.pricing import Terms
from simulator.truth import Truth
from simulator.universe import load_universe

SESSION = date(2026, 3, 12)
UNIVERSE = load_universe()
STOCKS = [s for s, known in UNIVERSE.securities.items() if known.profile.kind == "stock"]
UNDERLYINGS = ["SPX", "RUT", "SPY", "IWM", "TLT", "GLD", *STOCKS[:44], *STOCKS[44:2_544:50]]


@pytest.fixture(scope="module")
def desk():
    return Desk(Market())


@pytest.fixture(scope="module")
def chains(desk):
    """Prices of each underlying by expiry and right, strikes ascending."""
    found = {}
    for symbol in UNDERLYINGS:
        contracts = desk.chain(symbol, SESSION)
        if contracts:
            found[symbol] = contracts, desk.value(contracts, SESSION)
    assert len(found) >= 95
    return found


def by_expiry(contracts, values):
    table: dict = {}
    for contract, value in zip(contracts, values, strict=True):
        table.setdefault((contract.expiry, contract.right), []).append((contract.strike, value))
    return {
        key: tuple(np.array(column) for column in zip(*rows, strict=True))
        for key, rows in table.items()
    }


def test_a_chain_has_monthly_expiries_and_strikes_on_both_sides(desk):
    contracts = desk.chain("AAPL", SESSION)
    expiries = sorted({contract.expiry for contract in contracts})
    assert len(expiries) >= 10
    assert all(calendar.is_session(expiry) for expiry in expiries)
    assert all(expiry.weekday() in (3, 4) and 14 <= expiry.day <= 21 for expiry in expiries)
    spot = Market().bars(["AAPL"], SESSION, SESSION).close[0, 0]
    for expiry in expiries:
        strikes = sorted({c.strike for c in contracts if c.expiry == expiry})
        assert sum(strike <= spot for strike in strikes) >= 3
        assert sum(strike > spot for strike in strikes) >= 3
        assert {c.right for c in contracts if c.expiry == expiry} == {"call", "put"}


@pytest.mark.parametrize("volatility", [0.05, 0.4, 1.5])
def test_strikes_lie_on_both_sides_of_any_price(volatility):
    for cents in (*range(1, 3_000), *range(3_000, 200_000, 97)):
        for years in (1 / 365, 0.5, 2.0):
            strikes = options.strikes(cents / 100, volatility, years)
            assert 0 < strikes[0] <= cents / 100 < strikes[-1]
            assert strikes == sorted(set(strikes))
            assert strikes == [round(strike, 2) for strike in strikes]
    assert options.strikes(0.4, 0.8, 0.25)[:3] == [0.1, 0.2, 0.3]


def test_yesterdays_strikes_are_mostly_todays(desk):
    before = set(desk.chain("MSFT", calendar.session_back(SESSION, 1)))
    today = set(desk.chain("MSFT", SESSION))
    assert len(before & today) > 0.8 * len(today)


def test_european_chains_obey_put_call_parity(desk, chains):
    for symbol in ("SPX", "RUT"):
        contracts, valued = chains[symbol]
        surface = desk.surface(symbol, SESSION)
        for (expiry, right), (strikes, calls) in by_expiry(contracts, valued.price).items():
            if right == "put":
                continue
            puts = by_expiry(contracts, valued.price)[expiry, "put"][1]
            years = np.float64(options.years_to(expiry, SESSION))
            discount = np.exp(-surface.rate(years) * years)
            assert np.allclose(
                calls - puts,
                discount * (surface.forward(years) - strikes),
                atol=1e-8 * surface.spot,
            )


def test_american_chains_stay_within_the_bounds_of_parity(desk, chains):
    for symbol, (contracts, valued) in chains.items():
        if UNIVERSE.securities[symbol].profile.kind == "index":
            continue
        surface, table = desk.surface(symbol, SESSION), by_expiry(contracts, valued.price)
        for (expiry, right), (strikes, calls) in table.items():
            if right == "put":
                continue
            years = np.float64(options.years_to(expiry, SESSION))
            rate = float(surface.rate(years))
            difference = calls - table[expiry, "put"][1]
            low = surface.spot * np.exp(-surface.dividend_yield * years) - strikes * max(
                1.0, np.exp(-rate * years)
            )
            high = surface.spot - strikes * min(1.0, np.exp(-rate * years))
            assert np.all(difference >= low - 0.01 - 1e-3 * surface.spot)
            assert np.all(difference <= high + 0.01 + 1e-3 * surface.spot)


def test_prices_fall_and_are_convex_in_the_strike(desk, chains):
    """Spreads and butterflies cost something: of calls with the strike, of puts against it."""
    for symbol, (contracts, valued) in chains.items():
        surface = desk.surface(symbol, SESSION)
        for (expiry, right), (strikes, prices) in by_expiry(contracts, valued.price).items():
            years = np.float64(options.years_to(expiry, SESSION))
            steepest = max(1.0, float(np.exp(-surface.rate(years) * years)))
            slopes = np.diff(prices) / np.diff(strikes)
            assert np.all(slopes <= 1e-9) if right == "call" else np.all(slopes >= -1e-9), symbol
            assert np.all(np.abs(slopes) <= steepest + 1e-9), symbol
            assert np.all(np.diff(slopes) >= -2e-4), (symbol, np.diff(slopes).min())


def test_total_variance_grows_with_maturity_at_every_moneyness(desk):
    moneyness = np.linspace(-0.7, 0.7, 57)
    for symbol in UNDERLYINGS:
        surface = desk.surface(symbol, SESSION)
        if surface is None:
            continue
        table = np.stack(
            [surface.total_variance(moneyness, np.full(57, t)) for t in np.linspace(0.01, 2.5, 60)]
        )
        assert np.all(np.diff(table, axis=0) > 0), symbol


def test_no_density_of_a_surface_is_negative(desk):
    """Butterflies of any width: Gatheral's condition g(k) >= 0, by finite differences."""
    k = np.linspace(-1.2, 1.2, 2_401)
    for symbol in UNDERLYINGS:
        surface = desk.surface(symbol, SESSION)
        if surface is None:
            continue
        for years in (0.02, 0.1, 0.5, 2.0):
            w = surface.total_variance(k, np.full(len(k), years))
            first = np.gradient(w, k)
            second = np.gradient(first, k)
            g = (1 - k * first / (2 * w)) ** 2 - first**2 / 4 * (1 / w + 0.25) + second / 2
            assert np.all(g[2:-2] > -1e-3), (symbol, years)


def test_low_strikes_are_dearer_and_short_smiles_steeper(desk):
    surface = desk.surface("SPX", SESSION)
    for years in (0.1, 1.0):
        forward = surface.forward(np.float64(years))
        low, high = surface.implied_volatility(forward * np.array([0.9, 1.05]), np.full(2, years))
        assert low > high + 0.01
    slope = [
        np.diff(
            surface.implied_volatility(
                surface.forward(np.float64(y)) * np.array([0.95, 1.0]), np.full(2, y)
            )
        )
        for y in (0.1, 1.0)
    ]
    assert slope[0] < slope[1] < 0


def test_a_bond_fund_has_a_flatter_smile_than_a_fund_of_stocks(desk):
    """Slopes of the smile at the money, over its level: what is left is the slant."""

    def slant(symbol):
        surface, years = desk.surface(symbol, SESSION), np.full(3, 0.25)
        level = surface.implied_volatility(surface.forward(years), years)
        ends = np.array([-1, 0, 1]) * level * np.sqrt(years)
        low, middle, high = surface.implied_volatility(surface.forward(years) * np.exp(ends), years)
        return (low - high) / middle

    bonds = [slant(symbol) for symbol in ("TLT", "IEF", "SHY", "BND", "LQD")]
    stocks = [slant(symbol) for symbol in ("SPY", "IWM", "XLU", "VNQ", "HYG")]
    assert 0 < min(bonds) < max(bonds) < 0.3 * min(stocks)


def test_options_are_priced_with_what_is_known_at_the_close(desk):
    """The surface's variances are those that the next session begins with."""
    truth, tomorrow = Truth(desk.market), date(2026, 3, 13)
    surface = desk.surface("AAPL", SESSION)
    assert surface is not None
    market = [group.name for group in UNIVERSE.groups].index("market")
    begins = truth.variance_ratios(tomorrow)
    assert surface.ratios[market] == begins[market]
    assert surface.ratios[market] != truth.variance_ratios(SESSION)[market]
    assert surface.ratios[:-1] == pytest.approx(begins, rel=1e-9)
    assert surface.ratios[-1] == pytest.approx(
        truth.own_variance_ratio(["AAPL"], tomorrow)[0], rel=1e-9
    )


@pytest.mark.parametrize("turn", [date(2025, 6, 20), date(2025, 12, 19), date(2026, 6, 22)])
def test_the_last_surface_of_a_half_year_is_there_before_the_next_one(turn):
    """Of the last session of a block: the same whether or not the next block was made already."""
    last = calendar.session_back(turn, 1)
    fresh = Desk(Market(77))
    assert fresh.market.scene(last).sessions[-1] == last
    later = Desk(Market(77))
    later.market.bars(["SPX", "VIX", "AAPL"], turn, turn)
    for symbol in ("SPX", "AAPL"):
        alone, among = fresh.surface(symbol, last), later.surface(symbol, last)
        assert alone is not None
        assert among is not None
        assert np.array_equal(alone.ratios, among.ratios)
        assert alone.ratios[0] == Truth(later.market).variance_ratios(turn)[0]
    assert fresh.futures(last) == later.futures(last)


def test_the_surface_moves_with_the_market(desk):
    market = desk.market
    scene = market.scene(SESSION)
    vix = market.bars(["VIX"], date(2016, 1, 4), SESSION)
    calm, wild = (vix.sessions[int(i)] for i in (np.argmin(vix.close), np.argmax(vix.close)))
    for symbol in ("SPX", "AAPL", "SPY"):
        volatility = [
            float(surface.implied_volatility(np.float64(surface.spot), np.float64(0.1)))
            for session in (calm, wild)
            if (surface := desk.surface(symbol, session))
        ]
        assert volatility[1] > 1.4 * volatility[0]
    assert scene.sessions[0] < calm


def test_the_volatility_index_is_what_thirty_day_index_options_imply(desk):
    surface = desk.surface("SPX", SESSION)
    years = np.float64(30 / 365)
    at_the_money = 100 * surface.implied_volatility(surface.forward(years), years)
    vix = desk.market.bars(["VIX"], SESSION, SESSION).close[0, 0]
    assert float(at_the_money) == pytest.approx(vix, abs=0.1)


def test_futures_on_it_go_to_where_it_is_drawn_to(desk):
    futures = desk.futures(SESSION)
    vix = desk.market.bars(["VIX"], SESSION, SESSION).close[0, 0]
    mean = 100 * 1.15 * 0.16
    distance = [abs(future.price - mean) for future in futures]
    assert distance == sorted(distance, reverse=True)
    assert (futures[-1].price - vix) * (mean - vix) > 0


def test_options_on_it_are_priced_off_the_future(desk):
    contracts = desk.chain("VIX", SESSION)
    valued = desk.value(contracts, SESSION)
    future = desk.futures(SESSION)[2]
    calls = by_expiry(contracts, valued.price)[future.expiry, "call"]
    puts = by_expiry(contracts, valued.price)[future.expiry, "put"]
    implied = calls[0] + (calls[1] - puts[1])
    assert implied == pytest.approx(np.full(len(implied), future.price), abs=0.3)


def test_a_quote_holds_the_true_price_between_bid_and_ask(desk):
    contracts = desk.chain("AAPL", SESSION)
    quotes, valued = desk.quotes(contracts, SESSION), desk.value(contracts, SESSION)
    assert quotes.contracts == contracts
    assert np.all(quotes.bid <= valued.price + 1e-9)
    assert np.all(quotes.ask >= valued.price - 1e-9)
    assert np.all(quotes.bid >= 0)
    assert np.all(quotes.open_interest >= 0)
    ticks = np.round(quotes.ask * 100) / 100
    assert np.array_equal(ticks, quotes.ask)


def test_no_spread_of_strikes_can_be_bought_for_less_than_nothing(desk):
    """At the quotes: whoever crosses them finds no free lunch."""
    for symbol in UNDERLYINGS[:20]:
        contracts = desk.chain(symbol, SESSION)
        if not contracts:
            continue
        quotes = desk.quotes(contracts, SESSION)
        bids, asks = by_expiry(contracts, quotes.bid), by_expiry(contracts, quotes.ask)
        for (expiry, right), (strikes, ask) in asks.items():
            bid = bids[expiry, right][1]
            cheap, dear = (ask[:-1], bid[1:]) if right == "call" else (ask[1:], bid[:-1])
            assert np.all(cheap - dear >= 0), symbol
            near = (strikes[2:] - strikes[1:-1]) / (strikes[2:] - strikes[:-2])
            wings = near * ask[:-2] + (1 - near) * ask[2:]
            assert np.all(wings - bid[1:-1] >= -1e-9), symbol


def test_quotes_are_the_same_in_any_company(desk):
    contracts = desk.chain("NVDA", SESSION)
    all_of_them, some = desk.quotes(contracts, SESSION), desk.quotes(contracts[5:9], SESSION)
    assert np.array_equal(all_of_them.bid[5:9], some.bid)
    assert np.array_equal(all_of_them.ask[5:9], some.ask)
    assert np.array_equal(all_of_them.open_interest[5:9], some.open_interest)


def test_what_cannot_be_quoted_is_left_out(desk):
    expired = Contract("AAPL", date(2026, 2, 20), 200.0, "call")
    fund = Contract("SPAXX", date(2026, 6, 19), 1.0, "call")
    unknown = Contract("NO_SUCH", date(2026, 6, 19), 1.0, "call")
    good = Contract("AAPL", date(2026, 6, 18), 200.0, "call")
    assert desk.quotes([expired, fund, unknown, good], SESSION).contracts == (good,)
    with pytest.raises(LookupError, match="SPAXX"):
        desk.surface("SPAXX", SESSION)
    with pytest.raises(ValueError, match="expired"):
        desk.value([expired], SESSION)


IMPOSSIBLE = (
    Contract("AAPL", date(2026, 6, 20), 200.0, "call"),  # a Saturday
    Contract("AAPL", date(2070, 6, 20), 200.0, "call"),  # beyond the calendar
    Contract("AAPL", date(2026, 6, 18), 0.0, "call"),
    Contract("AAPL", date(2026, 6, 18), -5.0, "put"),
    Contract("AAPL", date(2026, 6, 18), float("nan"), "put"),
    Contract("VIX", date(2026, 6, 18), 0.0, "put"),
)


@pytest.mark.parametrize("contract", IMPOSSIBLE, ids=str)
def test_what_nobody_can_have_written_is_not_quoted_and_has_no_truth(desk, contract):
    """People upload symbols of contracts that never were."""
    good = Contract("AAPL", date(2026, 6, 18), 200.0, "call")
    assert desk.quotes([contract, good], SESSION).contracts == (good,)
    with pytest.raises(ValueError, match=r"not an NYSE session|calendar|no price"):
        desk.value([contract], SESSION)


@pytest.mark.parametrize("day", [date(2026, 3, 14), date(2014, 12, 1), date(2005, 1, 3), date.max])
def test_without_a_session_nothing_is_listed_or_quoted(desk, day):
    for symbol in ("SPX", "AAPL", "VIX"):
        asked = Contract(symbol, date(2026, 6, 18), 20.0, "put")
        assert desk.chain(symbol, day) == ()
        assert desk.quotes([asked], day).contracts == ()
    assert desk.futures(day) == ()


def test_truth_is_of_contracts_on_one_underlying(desk):
    expiry = date(2026, 6, 18)
    with pytest.raises(ValueError, match="on 0"):
        desk.value([], SESSION)
    with pytest.raises(ValueError, match="on 2"):
        desk.value([Contract(s, expiry, 100.0, "call") for s in ("AAPL", "SPY")], SESSION)
    assert desk.quotes([], SESSION).contracts == ()


def test_chains_near_the_end_of_the_calendar_have_the_expiries_that_it_knows(desk):
    for symbol in ("AAPL", "VIX"):
        expiries = {contract.expiry for contract in desk.chain(symbol, date(2060, 3, 1))}
        assert date(2060, 3, 19) in expiries
        assert max(expiries) <= calendar.LAST_DAY


def test_a_halted_stock_has_no_chain_and_a_split_one_has_strikes_around_its_new_price(desk):
    """From the first session to the last, whatever happens to the shares."""
    stocks = STOCKS[44:2_000]
    bars = desk.market.bars(stocks, date(2023, 1, 3), date(2026, 11, 20))
    between = bars.traded.cumsum(axis=0)
    halted = ~bars.traded & (between > 0) & (between < between[-1])
    for session, column in list(zip(*np.nonzero(halted), strict=True))[:12]:
        symbol, day = bars.symbols[column], bars.sessions[session]
        asked = Contract(symbol, options.expiries(day)[3], 50.0, "call")
        assert desk.chain(symbol, day) == ()
        assert desk.quotes([asked], day).contracts == ()
        assert np.isnan(desk.value([asked], day).price).all()
    first = bars.traded & (between == 1) & (np.arange(len(between)) > 0)[:, None]
    last = bars.traded & (between == between[-1]) & (np.arange(len(between)) < 970)[:, None]
    for event in (bars.split_ratio != 1, bars.dividend > 0, first, last):
        places = list(zip(*np.nonzero(event), strict=True))
        assert len(places) > 5
        for session, column in places[:6]:
            symbol, day = bars.symbols[column], bars.sessions[session]
            strikes = {contract.strike for contract in desk.chain(symbol, day)}
            close = bars.close[session, column]
            assert min(strikes) <= close <= max(strikes)


def test_implied_volatility_is_found_again_from_the_price(desk):
    """Inverting the model that priced it, of contracts that have time value."""
    contracts = [c for c in desk.chain("SPX", SESSION) if c.right == "call"]
    valued = desk.value(contracts, SESSION)
    surface = desk.surface("SPX", SESSION)
    years, strike = valued.years, np.array([c.strike for c in contracts])
    low, high = np.full(len(years), 0.01), np.full(len(years), 3.0)
    for _ in range(60):
        middle = (low + high) / 2
        terms = Terms(
            is_call=np.ones(len(years), bool),
            spot=np.full(len(years), surface.spot),
            strike=strike,
            years=years,
            volatility=middle,
            rate=surface.rate(years),
            dividend_yield=np.full(len(years), surface.dividend_yield),
        )
        price = pricing.european(terms)
        high, low = (
            np.where(price > valued.price, middle, high),
            np.where(price > valued.price, low, middle),
        )
    intrinsic = np.maximum(surface.spot - strike, 0)
    telling = valued.price - intrinsic > 0.05
    assert telling.mean() > 0.5
    assert middle[telling] == pytest.approx(valued.implied_volatility[telling], abs=1e-4)
