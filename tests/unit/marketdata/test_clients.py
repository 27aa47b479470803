"""Onboarding's books and the simulated market, as marketdata sees them."""

import asyncio
from dataclasses import asdict
from datetime import date
from types import SimpleNamespace
from uuid import UUID

import httpx
import numpy as np
import pytest

from common import calendar
from common.client import ServiceClient
from common.errors import Refused, Unavailable
from marketdata.clients.onboarding import Onboarding
from marketdata.clients.simulator import SimulatedMarket
from marketdata.domain import BAR, CURVE, Snapshot
from tests.support.market import MONDAY, book

PORTFOLIO = UUID(int=7)


def onboarding(answers):
    def answer(request):
        return answers[request.url.path]

    client = ServiceClient("http://onboarding", "token", transport=httpx.MockTransport(answer))
    return Onboarding(client)


def path(revision):
    return f"/internal/books/{PORTFOLIO}/{revision}"


def gone(revision):
    details = {"revision": revision}
    return httpx.Response(410, json={"detail": "gone", "error": {"details": details}})


async def test_a_book_is_fetched_at_its_revision():
    held = book(["AAPL"], portfolio_id=PORTFOLIO, revision=3)
    books = onboarding({path(3): httpx.Response(200, content=held.model_dump_json())})
    assert await books.book(PORTFOLIO, 3) == held


async def test_a_revision_that_is_gone_leads_to_the_newer_one():
    held = book(["AAPL"], portfolio_id=PORTFOLIO, revision=5)
    newer = httpx.Response(200, content=held.model_dump_json())
    assert await onboarding({path(3): gone(5), path(5): newer}).book(PORTFOLIO, 3) == held


async def test_a_portfolio_that_is_gone_has_no_book():
    assert await onboarding({path(3): httpx.Response(404)}).book(PORTFOLIO, 3) is None


@pytest.mark.parametrize(
    "answer", [*(httpx.Response(status) for status in (401, 403, 429, 503)), gone(3)]
)
async def test_an_answer_of_no_use_is_no_answer(answer):
    with pytest.raises(Unavailable):
        await onboarding({path(3): answer}).book(PORTFOLIO, 3)


@pytest.mark.parametrize("status", [400, 405, 422])
async def test_a_refusal_that_stays_one_is_not_waited_out(status):
    with pytest.raises(Refused, match=f"onboarding answered {status} about a book"):
        await onboarding({path(3): httpx.Response(status)}).book(PORTFOLIO, 3)


async def test_the_simulated_market_gives_profiles_of_what_it_lists():
    found = await SimulatedMarket().profiles(["AAPL", "VIX", "ZZZZ"])
    assert {symbol: profile.kind for symbol, profile in found.items()} == {
        "AAPL": "stock",
        "VIX": "index",
    }


async def test_the_simulated_market_gives_a_bar_per_session():
    found = await SimulatedMarket().bars(["SPY", "ZZZZ"], date(2026, 1, 5), MONDAY)
    assert set(found) == {"SPY"}
    assert found["SPY"].dtype == BAR
    sessions = np.array(calendar.sessions(date(2026, 1, 5), MONDAY), "datetime64[D]")
    assert (found["SPY"]["session"] == sessions).all()
    assert (found["SPY"]["low"] <= found["SPY"]["close"]).all()
    assert (found["SPY"]["volume"] > 0).all()
    assert (found["SPY"]["split_ratio"] == 1).all()


async def test_sessions_without_a_trade_have_no_bar_and_events_have_theirs():
    """Of stocks that were listed late, halted, split or paid out, over four years."""
    symbols = [f"{prefix}{n:04d}" for n in range(120) for prefix in ("TEC", "HLT", "FIN", "IND")]
    found = await SimulatedMarket().bars(symbols, date(2022, 1, 3), MONDAY)
    sessions = len(calendar.sessions(date(2022, 1, 3), MONDAY))
    lengths = {len(history) for history in found.values()}
    assert sessions in lengths
    assert min(lengths) < sessions
    bars = np.concatenate(list(found.values()))
    assert np.isfinite(bars["close"]).all()
    assert (bars["split_ratio"] != 1).any()
    assert (bars["dividend"] > 0).any()


def test_another_seed_is_another_source():
    assert SimulatedMarket(1).source.provider == "simulated"
    assert SimulatedMarket(1).source != SimulatedMarket(2).source


async def test_contracts_are_known_where_options_are_listed():
    asked = ["SPY 2026-03-20 C 700", "SPAXX 2026-03-20 C 1", "ZZZZ 2026-03-20 P 5", "SPY 2026"]
    found = await SimulatedMarket().profiles(asked)
    assert {symbol: profile.kind for symbol, profile in found.items()} == {asked[0]: "option"}
    assert found[asked[0]].name == "SPY 2026-03-20 700 call"


async def test_the_simulated_market_says_what_is_quoted_and_what_companies_are_worth():
    market = SimulatedMarket()
    asked = ["AAPL", "SPAXX", "VIX", "ZZZZ", "AAPL 2026-03-20 C 500", "AAPL 2026-01-12 P 500"]
    found = await market.snapshots(asked, MONDAY)
    said = {symbol: SimpleNamespace(**asdict(snapshot)) for symbol, snapshot in found.items()}
    [bar] = (await market.bars(["AAPL"], MONDAY, MONDAY))["AAPL"]
    share, call = said["AAPL"], said["AAPL 2026-03-20 C 500"]
    assert share.bid <= bar["close"] <= share.ask
    assert 1e11 < share.market_cap < 2e13
    assert (share.beta, share.open_interest) == (1.2, None)
    assert 0 < share.dividend_yield < 0.02
    assert call.underlying_price == bar["close"]
    assert 0 <= call.bid < call.ask < bar["close"]
    assert (call.market_cap, call.beta) == (None, None)
    assert (said["SPAXX"].bid, said["SPAXX"].market_cap > 0) == (None, True)
    assert found["VIX"] == Snapshot()
    # A stranger, and a contract that has expired by the close.
    assert set(asked) - set(said) == {"ZZZZ", "AAPL 2026-01-12 P 500"}


async def test_nothing_is_said_on_a_day_without_a_session():
    assert await SimulatedMarket().snapshots(["AAPL"], date(2012, 1, 3)) == {}


async def test_a_chain_has_calls_and_puts_of_every_strike_as_they_are_quoted_one_by_one():
    market = SimulatedMarket()
    chain = await market.chain("AAPL", MONDAY)
    calls, puts = (
        {(one.expiry, one.strike) for one in chain if one.right == right}
        for right in ("call", "put")
    )
    assert calls == puts
    assert len({expiry for expiry, _ in calls}) > 8
    some = list(chain)[::37]
    one_by_one = await market.snapshots([contract.symbol for contract in some], MONDAY)
    assert one_by_one == {contract.symbol: chain[contract] for contract in some}
    assert await market.chain("SPAXX", MONDAY) == {}


async def test_options_on_the_volatility_index_are_quoted_against_its_futures():
    chain = await SimulatedMarket().chain("VIX", MONDAY)
    futures = {
        contract.expiry: float(said.underlying_price or 0) for contract, said in chain.items()
    }
    assert len(set(futures.values())) > 5
    assert all(8 < price < 60 for price in futures.values())


async def test_curves_are_those_of_the_sessions_between_two_days():
    curves = await SimulatedMarket().curves(date(2025, 12, 30), MONDAY)
    assert curves.dtype == CURVE
    sessions = np.array(calendar.sessions(date(2025, 12, 30), MONDAY), "datetime64[D]")
    assert (curves["session"] == sessions).all()
    assert (np.abs(curves["rates"]) < 0.2).all()
    assert len(await SimulatedMarket().curves(date(2012, 1, 3), date(2012, 2, 3))) == 0


async def test_the_benchmark_is_weighed_once_a_quarter_whoever_asks_at_once():
    market = SimulatedMarket()
    found, *others = await asyncio.gather(*(market.benchmark(MONDAY) for _ in range(5)))
    assert found is not None
    assert all(other is found for other in others)
    assert (found.name, found.as_of) == ("SP500", date(2025, 12, 31))
    assert sum(found.weights.values()) == pytest.approx(1, abs=1e-9)
    assert "Technology" in found.weights
    assert await market.benchmark(date(2026, 3, 30)) is found
    before = await market.benchmark(date(2025, 12, 30))
    assert before is not None
    assert before.as_of == date(2025, 9, 30)
    assert before.weights != found.weights


@pytest.mark.parametrize("day", [date(2012, 1, 5), date(2015, 1, 5), date(2026, 1, 11)])
async def test_nothing_is_weighed_before_a_quarter_of_the_market_has_ended(day):
    """Nor on a Sunday."""
    assert await SimulatedMarket().benchmark(day) is None


@pytest.mark.parametrize("expiry", ["2027-01-16", "2026-11-26", "2061-01-21", "9999-12-31"])
async def test_a_contract_that_cannot_be_listed_costs_no_other_its_quote(expiry):
    """Of a Saturday, a holiday, and days beyond the exchange's calendar."""
    asked = ["AAPL", f"AAPL {expiry} C 500", f"VIX {expiry} C 20", "AAPL 2026-03-20 C 500"]
    assert set(await SimulatedMarket().snapshots(asked, MONDAY)) == {asked[0], asked[-1]}


@pytest.mark.parametrize("underlying", ["VIX", "SPX", "AAPL"])
async def test_there_are_no_options_before_there_is_a_market(underlying):
    assert await SimulatedMarket().chain(underlying, date(2012, 1, 5)) == {}
