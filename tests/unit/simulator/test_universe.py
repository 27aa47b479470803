"""The listed universe: it covers what people will upload, and its facts hold together."""

import json
from collections import Counter
from pathlib import Path

import pytest

from simulator.listings import made_up
from simulator.market import MODEL_VERSION
from simulator.universe import load_universe

DEMO_PORTFOLIOS = Path(__file__).parents[4] / "shared" / "data" / "demo_portfolios.json"

FACTOR_ETFS = [
    *("SPY", "QQQ", "IWM", "VTI", "TLT", "IEF", "SHY", "HYG", "LQD"),
    *("VTV", "VUG", "MTUM", "QUAL", "USMV", "DJP", "VNQ", "GLD"),
]
CSV_TEMPLATE = ["AAPL", "SPY", "SHOP", "SPAXX", "TSLA"]
MONEY_FUNDS = ["SPAXX", "VMFXX", "VUSXX"]
STYLES = {"size", "value", "momentum", "quality", "low_volatility"}

UNIVERSE = load_universe()
securities = UNIVERSE.securities
STOCKS = [s for s in securities.values() if s.profile.kind == "stock"]


def demo_positions():
    if not DEMO_PORTFOLIOS.exists():
        pytest.skip(f"{DEMO_PORTFOLIOS} is kept outside this repository")
    portfolios = json.loads(DEMO_PORTFOLIOS.read_text())["portfolios"]
    return [position for portfolio in portfolios for position in portfolio["positions"]]


def test_the_model_version_is_that_of_the_universe():
    assert UNIVERSE.model_version == MODEL_VERSION


@pytest.mark.parametrize("symbol", [*FACTOR_ETFS, *CSV_TEMPLATE, *MONEY_FUNDS, "VIX", "SPX"])
def test_the_symbols_the_product_names_are_listed(symbol):
    assert symbol in securities


def test_every_public_demo_position_and_option_underlying_is_listed():
    wanted = {
        position["option"]["underlying"] if position["option"] else position["symbol"]
        for position in demo_positions()
        if position["intended"]["investment_class"] != "PRIVATE"
    }
    assert wanted - securities.keys() == set()


def test_prices_are_near_the_demo_entry_prices():
    entry_prices: dict[str, list[float]] = {}
    for position in demo_positions():
        if position["intended"]["investment_class"] == "PUBLIC":
            entry_prices.setdefault(position["symbol"], []).append(float(position["entry_price"]))

    far = {
        symbol: (securities[symbol].price, prices)
        for symbol, prices in entry_prices.items()
        # The three demo books pay different prices for META and VTI: near one of them will do.
        if min(abs(securities[symbol].price / price - 1) for price in prices) > 0.05
    }
    assert far == {}


def test_there_are_five_thousand_symbols_and_no_two_alike():
    assert len(securities) >= 5_000
    assert len({security.profile.name for security in made_up()}) == len(list(made_up()))


def test_made_up_stocks_are_the_same_each_time():
    assert list(made_up()) == list(made_up())


def test_a_made_up_symbol_is_none_of_a_real_exchange():
    assert all(security.profile.symbol[-4:].isdigit() for security in made_up())


def test_every_loading_names_a_factor():
    loaded = {name for security in securities.values() for name in security.loadings}
    # Everybody earns what cash earns; nobody has to say so.
    assert loaded == {factor.name for factor in UNIVERSE.factors} - {"cash"}


def test_every_stock_loads_on_the_market_its_own_sector_and_the_styles():
    for stock in STOCKS:
        assert {"market", stock.profile.sector, *STYLES} <= stock.loadings.keys()


def test_the_market_is_what_its_stocks_are_on_average():
    """By capitalisation, the styles cancel out and the beta is one."""
    total = sum(stock.market_cap for stock in STOCKS)

    def mean(factor):
        return sum(stock.market_cap * stock.loadings[factor] for stock in STOCKS) / total

    assert mean("market") == pytest.approx(1, abs=0.1)
    assert all(abs(mean(style)) < 0.2 for style in STYLES)


def test_every_sector_has_hundreds_of_stocks_but_the_smallest():
    counts = Counter(stock.profile.sector for stock in STOCKS)
    assert len(counts) == 11
    assert min(counts.values()) > 50
    assert sum(count > 200 for count in counts.values()) >= 8


def test_loadings_and_sizes_are_plausible():
    betas = sorted(stock.loadings["market"] for stock in STOCKS)
    assert 0.1 < betas[0] < 0.4 < 0.9 < betas[len(betas) // 2] < 1.1 < 1.8 < betas[-1] < 2.3
    assert all(0.09 <= stock.own_volatility <= 0.9 for stock in STOCKS)
    assert all(3 <= stock.price <= 1_000 for stock in STOCKS)


def test_who_is_paid_says_how_often():
    for security in securities.values():
        assert (security.dividend_yield > 0) == (security.payments > 0)
        assert security.payments in (0, 1, 2, 6)


def test_only_money_market_funds_and_the_volatility_index_are_without_risk_of_their_own():
    riskless = {s for s, known in securities.items() if UNIVERSE.volatility(known) == 0}
    assert riskless == {
        *(s for s, known in securities.items() if known.profile.kind == "money_market"),
        "VIX",
    }


def test_total_volatility_adds_independent_variances():
    apple = securities["AAPL"]
    variance = apple.own_volatility**2
    for factor in UNIVERSE.factors:
        variance += (apple.loadings.get(factor.name, 0) * factor.volatility) ** 2
    assert UNIVERSE.volatility(apple) == pytest.approx(variance**0.5)


def test_volatility_of_correlated_loadings_knows_the_correlation():
    names = [factor.name for factor in UNIVERSE.factors]
    fund = securities["QQQ"]
    loadings = UNIVERSE.loadings(fund)
    expected = fund.own_volatility**2 + sum(
        loadings[i] * loadings[j] * UNIVERSE.covariance[i, j]
        for i in range(len(names))
        for j in range(len(names))
    )
    assert UNIVERSE.volatility(fund) ** 2 == pytest.approx(expected)
