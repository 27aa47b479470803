"""Onboarding's books and the simulated market, as marketdata sees them."""

from datetime import date
from uuid import UUID

import httpx
import numpy as np
import pytest

from common import calendar
from common.client import ServiceClient
from common.errors import Refused, Unavailable
from marketdata.clients.onboarding import Onboarding
from marketdata.clients.simulator import SimulatedMarket
from marketdata.domain import BAR
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
