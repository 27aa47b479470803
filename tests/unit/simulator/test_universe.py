"""The listed universe: it covers what people will upload, and its facts hold together."""

import json
from pathlib import Path

import pytest

from simulator.market import MODEL_VERSION
from simulator.universe import load_universe

DEMO_PORTFOLIOS = Path(__file__).parents[4] / "shared" / "data" / "demo_portfolios.json"

FACTOR_ETFS = [
    *("SPY", "QQQ", "IWM", "VTI", "TLT", "IEF", "SHY", "HYG", "LQD"),
    *("VTV", "VUG", "MTUM", "QUAL", "USMV", "DJP", "VNQ", "GLD"),
]
CSV_TEMPLATE = ["AAPL", "SPY", "SHOP", "SPAXX", "TSLA"]
MONEY_FUNDS = ["SPAXX", "VMFXX", "VUSXX"]

securities = load_universe().securities


def demo_positions():
    if not DEMO_PORTFOLIOS.exists():
        pytest.skip(f"{DEMO_PORTFOLIOS} is kept outside this repository")
    portfolios = json.loads(DEMO_PORTFOLIOS.read_text())["portfolios"]
    return [position for portfolio in portfolios for position in portfolio["positions"]]


def test_the_model_version_is_that_of_the_universe():
    assert load_universe().model_version == MODEL_VERSION


@pytest.mark.parametrize("symbol", [*FACTOR_ETFS, *CSV_TEMPLATE, *MONEY_FUNDS, "VIX"])
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


def test_every_loading_names_a_factor():
    loaded = {name for security in securities.values() for name in security.loadings}
    assert loaded == load_universe().factors.keys()


def test_every_stock_loads_on_the_market_and_on_its_own_sector():
    stocks = [s for s in securities.values() if s.profile.kind == "stock"]
    assert len(stocks) > 50
    assert all(s.loadings.keys() == {"market", s.profile.sector} for s in stocks)


def test_only_money_market_funds_are_without_risk():
    riskless = {s for s, known in securities.items() if load_universe().volatility(known) == 0}
    assert riskless == {
        s for s, known in securities.items() if known.profile.kind == "money_market"
    }


def test_total_volatility_adds_independent_variances():
    universe = load_universe()
    apple, market = universe.securities["AAPL"], universe.factors["market"]
    technology = universe.factors["Technology"]
    variance = (
        apple.own_volatility**2
        + (apple.loadings["market"] * market.volatility) ** 2
        + (apple.loadings["Technology"] * technology.volatility) ** 2
    )
    assert universe.volatility(apple) == pytest.approx(variance**0.5)
