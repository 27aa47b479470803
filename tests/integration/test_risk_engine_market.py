"""From marketdata's tables to the risk engine's arrays, with nothing in between left out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import numpy as np
import pytest

from common import calendar
from common.client import ServiceClient
from common.events.onboarding import BookPosition
from marketdata.clients.simulator import SimulatedMarket
from marketdata.domain import REFERENCE, TENORS, Provider
from risk_engine.clients import Panels
from risk_engine.clients.columns import BARS, SAID
from risk_engine.domain import Dividend, Market, Prices, Security
from tests.integration.marketdata_world import World, marketdata
from tests.support.market import FRIDAY, MONDAY, FakeMarket, book, closed, option
from tests.support.simulated import simulated_market

CALL, PUT = "AAPL 2029-01-19 C 100", "MSFT 2029-01-19 P 412.5"
EXPIRED = "AAPL 2026-01-12 C 100"
HELD = (
    *("AAPL", "MSFT"),
    option("A", "AAPL"),
    option("B", "MSFT", position_type="SP", quantity=-2, strike_price=Decimal("412.5")),
    option("C", "AAPL", expiration_date=MONDAY),
)


class Recording(httpx.ASGITransport):
    """Asks marketdata, and notes what."""

    requests: list[str]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(str(request.url).removeprefix("http://marketdata/internal/panel/"))
        return await super().handle_async_request(request)


@asynccontextmanager
async def engine(world: World, requests: list[str] | None = None) -> AsyncIterator[Panels]:
    """The risk engine's client of a running marketdata."""
    transport = Recording(world.harness.service.app)
    transport.requests = [] if requests is None else requests
    client = ServiceClient(
        "http://marketdata", world.harness.internal["X-Internal-Token"], transport=transport
    )
    try:
        yield Panels(client, megabytes=32)
    finally:
        await client.close()


@pytest.fixture
async def world(database, tmp_path) -> AsyncIterator[World]:
    market = FakeMarket({"AAPL", "MSFT", "GONE"})
    async with marketdata(database, tmp_path, market, reference_sessions=60) as running:
        yield running


async def test_bars_are_those_of_the_provider(world):
    await world.created(book(HELD))
    async with engine(world) as panels:
        market = await panels.market(MONDAY, 1, ["MSFT", "AAPL", "ZZZZ", CALL])
    prices = market.prices
    assert (prices.symbols, len(prices.sessions), prices.provider) == (
        ("AAPL", "MSFT"),
        40,
        "simulated",
    )
    assert (market.as_of, prices.panel_version) == (MONDAY, 1)
    assert prices.missing == {"ZZZZ": "not_loaded"}
    for column, symbol in enumerate(prices.symbols):
        history = world.market.history(symbol, prices.sessions[0], MONDAY)
        for name in BARS:
            assert getattr(prices, name)[:, column].tolist() == history[name].tolist(), name


async def test_where_a_security_did_not_trade_there_is_no_bar_and_nothing_happened(world):
    world.market.delisted = {"GONE": FRIDAY}
    await world.created(book(["AAPL", closed("GONE", on=MONDAY)]))
    async with engine(world) as panels:
        prices = (await panels.market(MONDAY, 1, ["AAPL", "GONE"])).prices
    gone = {name: getattr(prices, name)[-1, prices.columns["GONE"]] for name in BARS}
    for name in ("open", "high", "low", "close", "volume"):
        assert np.isnan(gone[name]), name
    assert (gone["split_ratio"], gone["dividend"]) == (1.0, 0.0)
    assert np.isfinite(prices.close[-2]).all()


async def test_snapshots_are_of_shares_and_contracts_and_an_option_has_no_column(world):
    await world.created(book(HELD))
    async with engine(world) as panels:
        market = await panels.market(MONDAY, 1, ["AAPL", PUT, CALL, EXPIRED])
    snapshots = market.snapshots
    assert snapshots.symbols == ("AAPL", CALL, PUT)
    assert market.prices.symbols == ("AAPL",)
    assert market.prices.missing == {EXPIRED: "not_loaded"}
    for symbol in snapshots.symbols:
        said = asdict(world.market.said(symbol, MONDAY))
        found = {name: getattr(snapshots, name)[snapshots.rows[symbol]] for name in SAID}
        assert found == pytest.approx(
            {name: np.nan if said[name] is None else said[name] for name in SAID},
            abs=0,
            nan_ok=True,
        )
    declared = world.market.said("AAPL", MONDAY).dividends
    assert len(declared) == 2
    assert snapshots.dividends == {
        "AAPL": tuple(Dividend(one.ex_date, one.amount) for one in declared)
    }


async def test_securities_say_who_shares_and_the_reference_are(world):
    await world.created(book(HELD))
    async with engine(world) as panels:
        market = await panels.market(MONDAY, 1, ["AAPL", CALL])
    assert set(market.securities) == {"AAPL", *REFERENCE}
    assert market.securities["AAPL"] == Security("AAPL Inc.", "stock", "Technology", "Chips")


async def test_the_cross_section_has_closes_over_the_sessions_of_the_prices(database, tmp_path):
    shares = frozenset({"BIG", "SMALL"})
    fake = FakeMarket({"AAPL"}, cross_section=shares)
    async with marketdata(database, tmp_path, fake, reference_sessions=60) as world:
        await world.created(book(["AAPL"]))
        async with engine(world) as panels:
            market = await panels.market(MONDAY, 1, ["AAPL", "BIG"])
    prices, shown = market.prices, market.cross_section
    assert shown is not None
    assert (shown.symbols, shown.sessions) == (("BIG", "SMALL"), prices.sessions)
    assert (shown.as_of, shown.panel_version, shown.open, shown.volume) == (MONDAY, 1, None, None)
    for name in ("close", "split_ratio", "dividend"):
        expected = getattr(prices, name)[:, prices.columns["BIG"]]
        assert (getattr(shown, name)[:, 0] == expected).all(), name
    assert set(market.securities) == {"AAPL", *shares, *REFERENCE}


async def test_a_panel_without_a_cross_section_gives_none(world):
    await world.created(book(HELD))
    async with engine(world) as panels:
        market = await panels.market(MONDAY, 1, ["AAPL"])
    assert market.cross_section is None


async def test_the_reference_has_more_sessions_that_end_with_those_of_the_prices(world):
    await world.created(book(HELD))
    async with engine(world) as panels:
        market = await panels.market(MONDAY, 1, ["AAPL", *REFERENCE])
    prices, reference = market.prices, market.reference
    assert reference.symbols == tuple(sorted(REFERENCE))
    assert (len(reference.sessions), reference.sessions[-40:]) == (60, prices.sessions)
    columns = [prices.columns[symbol] for symbol in reference.symbols]
    for name in BARS:
        assert (getattr(reference, name)[-40:] == getattr(prices, name)[:, columns]).all(), name
    assert (reference.as_of, reference.panel_version) == (MONDAY, 1)


async def test_rates_and_the_benchmark_are_those_of_the_provider(world):
    await world.created(book(HELD))
    async with engine(world) as panels:
        market = await panels.market(MONDAY, 1, ["AAPL"])
    curves = await world.market.curves(calendar.session_back(MONDAY, 2_599), MONDAY)
    assert market.rates.years.tolist() == list(TENORS.values())
    assert market.rates.sessions == tuple(curves["session"].tolist())
    assert (market.rates.zero == curves["rates"]).all()
    assert market.benchmark is not None
    assert (market.benchmark.name, market.benchmark.as_of) == ("SP500", MONDAY)
    assert market.benchmark.weights == {"Technology": 0.12, "Energy": 0.88}


async def test_a_market_is_the_same_whatever_was_asked_before(world):
    await world.created(book(HELD))
    await world.created(book(["NEW", *HELD]))
    asked = ["AAPL", "MSFT", CALL, PUT, "SPY", "ZZZZ"]
    async with engine(world) as fresh, engine(world) as used:
        for number, some in ((1, asked[:1]), (1, asked[1:3]), (2, [*asked[3:], "NEW"])):
            await used.market(MONDAY, number, some)
        for number in (1, 2):
            assert_same(
                await fresh.market(MONDAY, number, asked),
                await used.market(MONDAY, number, [*reversed(asked)]),
            )


async def test_contracts_are_asked_for_once_and_columns_only_if_they_are_new(world):
    requests: list[str] = []
    await world.created(book(HELD))
    async with engine(world, requests) as panels:
        await panels.market(MONDAY, 1, ["AAPL", CALL])
        requests.clear()
        await panels.market(MONDAY, 1, [CALL, "AAPL"])
        assert requests == []
        await world.created(book(["MSFT", "GONE"]))
        await panels.market(MONDAY, 2, ["AAPL", "GONE", CALL])
    assert requests == [
        f"{MONDAY}/2?symbols=AAPL+2029-01-19+C+100%2CGONE",
        f"{MONDAY}/2/reference",
        f"{MONDAY}/2/rates",
    ]


async def test_it_is_the_simulated_market_as_the_engines_know_it_from_their_tests(
    database, tmp_path
):
    symbols = ["AAPL", "F", "SPAXX", "VIX", "XLRE", "AAPL 2027-01-15 C 500", "VIX 2026-03-18 C 20"]
    held: list[BookPosition | str] = [
        *("AAPL", "F", "SPAXX"),
        option("A", "AAPL", strike_price=Decimal(500), expiration_date=date(2027, 1, 15)),
        option("V", "VIX", strike_price=Decimal(20), expiration_date=date(2026, 3, 18)),
    ]
    provider: Provider = SimulatedMarket()
    async with marketdata(
        database, tmp_path, provider, sessions=780, reference_sessions=2_600
    ) as world:
        await world.created(book(held))
        async with engine(world) as panels:
            market = await panels.market(MONDAY, 1, symbols)
    expected = await asyncio.to_thread(simulated_market, symbols, MONDAY)
    assert_same_prices(market.prices, expected.prices)
    assert_same_prices(market.reference, expected.reference)
    assert market.rates.sessions == expected.rates.sessions
    assert_same_numbers(market.rates.zero, expected.rates.zero)
    assert market.benchmark == expected.benchmark
    for symbol in symbols:
        for name in SAID:
            said, wanted = (
                getattr(one, name)[one.rows[symbol]] if symbol in one.rows else np.nan
                for one in (market.snapshots, expected.snapshots)
            )
            assert said == pytest.approx(wanted, abs=0, nan_ok=True), (symbol, name)
    assert {symbol: market.securities[symbol] for symbol in expected.securities} == (
        expected.securities
    )


def assert_same(one: Market, other: Market) -> None:
    """Two markets are equal in everything."""
    assert_same_prices(one.prices, other.prices)
    assert_same_prices(one.reference, other.reference)
    assert one.prices.missing == other.prices.missing
    assert one.snapshots.symbols == other.snapshots.symbols
    for name in SAID:
        assert_same_numbers(getattr(one.snapshots, name), getattr(other.snapshots, name))
    assert (one.securities, one.benchmark) == (other.securities, other.benchmark)
    assert one.rates.sessions == other.rates.sessions
    assert_same_numbers(one.rates.zero, other.rates.zero)


def assert_same_prices(one: Prices, other: Prices) -> None:
    """All bars of the other are the one's, which may have more symbols."""
    assert one.sessions == other.sessions
    columns = [one.columns[symbol] for symbol in other.symbols]
    for name in BARS:
        assert_same_numbers(getattr(one, name)[:, columns], getattr(other, name))


def assert_same_numbers(one: Any, other: Any) -> None:
    """Bit for bit, but for what NaN is made of."""
    np.testing.assert_array_equal(one, other, strict=True)
