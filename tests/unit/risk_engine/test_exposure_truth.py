"""Exposures in the simulated market, through the frame that every engine gets."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from risk_engine.domain import History
from risk_engine.engine.exposure import calculate
from risk_engine.engine.exposure_measures import measure
from risk_engine.engine.frame import lay_out_chunk
from risk_engine.engine.liquidity import liquidity_of
from risk_engine.engine.results import EngineResult
from tests.support.simulated import AS_OF, simulated_market
from tests.unit.risk_engine.books import book, position

STRADDLED = ("SPY 2026-04-17 C 670", "SPY 2026-04-17 P 670")
NAMES = ("AAPL", "JPM", "XOM", "QQQ", "TLT", "GLD", "SPY", "VOO", "FCNTX", "SPAXX")


@pytest.fixture(scope="module")
def market():
    return simulated_market((*NAMES, *STRADDLED))


def laid_out(market, *holdings):
    """One book for each of some holdings {symbol: quantity}, of a NAV of a million."""
    books = [
        book(
            [
                position(place, symbol, str(quantity), "50")
                for place, (symbol, quantity) in enumerate(held.items(), start=1)
            ],
            number=number,
            opening_session=AS_OF,
            equity="1000000",
        )
        for number, held in enumerate(holdings, start=1)
    ]
    return lay_out_chunk(books, market, {}, [History.none()] * len(books))


def straddle(call, put):
    """A book of calls and puts on SPY at 670, to April; a million of NAV."""
    lines = [
        position(
            number,
            f"SPY260417{right}00670000",
            str(quantity),
            "20",
            position_type=("L" if quantity > 0 else "S") + right,
            investment_class="OPTIONS",
            multiplier=Decimal(100),
            underlying_symbol="SPY",
            strike_price=Decimal(670),
            expiration_date=date(2026, 4, 17),
        )
        for number, (right, quantity) in enumerate((("C", call), ("P", put)), start=1)
    ]
    return book(lines, opening_session=AS_OF, equity="1000000")


def price(market, symbol):
    return market.prices.close[-1, market.prices.columns[symbol]]


def test_an_index_fund_is_nowhere_active(market):
    """SPY and VOO are made of the market's own benchmark, short or long beside each other."""
    frame = laid_out(market, {"SPY": 1_000, "VOO": -100})
    found = measure(frame)
    sectors = np.isfinite(found.active[0])
    assert sectors.sum() == 11
    np.testing.assert_allclose(found.active[0][sectors], 0, atol=1e-12)
    assert found.benchmark.source == "market"


def test_sectors_and_asset_classes_add_up_to_the_exposure(market):
    held = {"AAPL": 900, "JPM": -400, "XOM": 300, "QQQ": -50, "TLT": 800, "GLD": 40, "FCNTX": 90}
    found = measure(laid_out(market, held))
    assert found.sectors.net[0].sum() == pytest.approx(found.delta.net[0], rel=1e-12)
    assert found.sectors.gross[0].sum() == pytest.approx(found.delta.gross[0], rel=1e-12)
    values = [quantity * price(market, symbol) for symbol, quantity in held.items()]
    assert found.delta.gross[0] == pytest.approx(np.abs(values).sum(), rel=1e-12)
    assert np.nansum(found.weights[0]) == pytest.approx(1, rel=1e-12)


def test_a_money_fund_is_cash_and_changes_no_dollar_of_exposure(market):
    without, beside = {"AAPL": 900}, {"AAPL": 900, "SPAXX": 30_000}
    found = measure(laid_out(market, without, beside))
    assert found.delta.gross[0] == found.delta.gross[1]
    assert found.cash_equivalents.tolist() == [0.0, pytest.approx(30_000, rel=0.01)]
    assert found.concentration.names.tolist() == [1, 1]


def test_days_are_of_the_last_twenty_volumes(market):
    frame = laid_out(market, {"AAPL": -5_000_000, "FCNTX": 90, "SPAXX": 10})
    found = liquidity_of(frame)
    volume = market.prices.volume[-20:, market.prices.columns["AAPL"]]
    expected = {"average_volume": 5e6 / (0.2 * volume.mean()), "redemption": 1.0, "cash": 0.0}
    assert dict(zip(found.basis, found.days.tolist(), strict=True)) == pytest.approx(expected)
    spread = found.of_holdings(found.scale, len(frame.exposures.account))
    symbols = [line.position.symbol for line in frame.valued.ledger.lines[0]]
    assert dict(zip(symbols, spread > 1, strict=True)) == {
        "AAPL": bool(expected["average_volume"] > 1),
        "FCNTX": False,
        "SPAXX": False,
    }


def test_a_chunk_of_books_has_an_answer_each(market):
    chance = np.random.default_rng(1)
    books = [
        {symbol: int(chance.integers(1, 500)) for symbol in chance.choice(NAMES, 4, replace=False)}
        for _ in range(20)
    ]
    frame = laid_out(market, *books)
    answers = calculate(frame)
    assert len(answers) == 20
    for answer, held in zip(answers, books, strict=True):
        assert isinstance(answer, EngineResult)
        values = {one: quantity * price(market, one) for one, quantity in held.items()}
        gross = sum(value for one, value in values.items() if one != "SPAXX")
        assert answer.payload["delta_adjusted"]["gross"] == pytest.approx(gross, rel=1e-9)


def test_a_straddle_has_hardly_a_delta_and_much_convexity(market):
    """Ten calls and ten puts at the money: 1.3 million of notional, a tenth of it as delta."""
    frame = lay_out_chunk((straddle(10, 10),), market, {}, [History.none()])
    found = measure(frame)
    assert found.notional[0] == pytest.approx(20 * 100 * price(market, "SPY"), rel=1e-12)
    assert found.delta.gross[0] < 0.1 * found.notional[0]
    assert found.gamma.gross[0] == found.gamma.net[0] > 0
    assert found.vega.gross[0] == found.vega.net[0] > 0
    # At the money, vega is about .4 S sqrt T for each unit, per point a hundredth of it.
    years = (date(2026, 4, 17) - AS_OF).days / 365
    about = 2 * 10 * 100 * 0.4 * price(market, "SPY") * np.sqrt(years) / 100
    assert found.vega.gross[0] == pytest.approx(about, rel=0.1)


def test_a_contract_takes_its_own_volume_to_sell(market):
    """Of the session, which is all that is known of a contract: 111 calls and 273 puts."""
    frame = lay_out_chunk((straddle(111, -273),), market, {}, [History.none()])
    found = liquidity_of(frame)
    assert found.basis == ("session_volume", "session_volume")
    assert found.days.tolist() == pytest.approx([5.0, 5.0])
    assert found.scale.tolist() == pytest.approx([np.sqrt(6 * 11 / 30)] * 2)
