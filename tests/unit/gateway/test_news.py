"""What of an event people are shown."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from common.events.auth import UserRegistered
from common.events.catalogue import EVENTS
from common.events.marketdata import (
    MissingSymbol,
    PricedItem,
    PricesIncomplete,
    PricesReady,
    SecuritiesEnriched,
)
from common.events.onboarding import Book, BookPosition, PortfolioChanged, PortfolioCreated
from common.events.risk_engine import RiskCalculated
from common.events.scheduler import RequestedItem, RunCompleted, RunRequested
from common.events.topology import TOPOLOGY
from gateway.domain.news import Logged, news_of
from gateway.handlers import SUBSCRIPTIONS

MINE, THEIRS = UUID(int=1), UUID(int=2)
SESSION = date(2026, 1, 5)


def book(positions=()):
    return Book(
        portfolio_id=MINE,
        revision=3,
        user_id=uuid4(),
        name="Retirement",
        equity_balance=Decimal(1_000_000),
        opening_session=SESSION,
        created_at=datetime(2026, 1, 5, tzinfo=UTC),
        positions=positions,
    )


POSITION = BookPosition(
    position_id=uuid4(),
    symbol="SECRETCO",
    position_type="LONG",
    investment_class="PUBLIC",
    quantity=Decimal(777),
    entry_price=Decimal("12.34"),
    entry_date=SESSION,
)


@pytest.mark.parametrize("contract", [PortfolioCreated, PortfolioChanged])
def test_a_book_is_shown_by_its_size_never_by_its_positions(contract):
    (news,) = news_of(contract(book=book((POSITION,))))
    assert news.portfolio_id == MINE
    assert news.payload == {
        "revision": 3,
        "portfolio_name": "Retirement",
        "currency": "USD",
        "position_count": 1,
    }


def test_a_book_too_large_for_its_event_has_no_known_size():
    (news,) = news_of(PortfolioChanged(book=book(None)))
    assert news.payload["position_count"] is None


def test_enriched_securities_are_counted_and_only_unknown_ones_named():
    (news,) = news_of(
        SecuritiesEnriched(symbols=("SECRETCO", "AAPL"), unknown=("XX",), provider="simulated")
    )
    assert news.portfolio_id is None
    assert news.payload == {"security_count": 2, "unknown": ["XX"], "provider": "simulated"}


@pytest.mark.parametrize("contract", [PricesReady, PricesIncomplete])
def test_prices_of_many_portfolios_become_news_of_each_about_itself_alone(contract):
    event = contract(
        as_of=SESSION,
        panel_version=2,
        provider="simulated",
        items=(
            PricedItem(
                portfolio_id=MINE,
                revision=1,
                coverage=0.5,
                symbols=2,
                missing=(MissingSymbol(symbol="XX", reason="unknown", message="Nobody knows it."),),
            ),
            PricedItem(portfolio_id=THEIRS, revision=9, coverage=1.0, symbols=40),
        ),
    )
    mine, theirs = news_of(event)
    assert (mine.portfolio_id, theirs.portfolio_id) == (MINE, THEIRS)
    assert mine.payload == {
        "as_of": "2026-01-05",
        "panel_version": 2,
        "provider": "simulated",
        "revision": 1,
        "coverage": 0.5,
        "symbol_count": 2,
        "missing": [{"symbol": "XX", "reason": "unknown", "message": "Nobody knows it."}],
    }
    assert theirs.payload["missing"] == []


def test_a_requested_run_tells_each_portfolio_its_own_part():
    items = tuple(RequestedItem(portfolio_id=each, revision=1) for each in (MINE, THEIRS))
    mine, theirs = news_of(RunRequested(job="nightly", as_of=SESSION, items=items))
    assert str(THEIRS) not in mine.model_dump_json()
    assert theirs.portfolio_id == THEIRS


def completed(*portfolio_ids):
    return RunCompleted(
        job="nightly",
        as_of=SESSION,
        status="completed_with_failures",
        portfolio_ids=portfolio_ids,
        calculated=len(portfolio_ids) - 1,
        failed=1,
        superseded=0,
    )


def test_a_run_of_one_portfolio_shows_how_it_ended():
    (news,) = news_of(completed(MINE))
    assert news.payload["status"] == "completed_with_failures"
    assert news.payload["failed"] == 1
    assert "portfolio_ids" not in news.payload


def test_a_run_of_many_says_nothing_of_how_the_others_fared():
    for news in news_of(completed(MINE, THEIRS)):
        assert news.payload == {"job": "nightly", "as_of": "2026-01-05"}


def test_an_event_the_gateway_does_not_show_is_refused():
    with pytest.raises(TypeError):
        news_of(UserRegistered(user_id=uuid4(), email="a@b.c", full_name="A"))


def test_a_payload_never_hides_what_every_shown_event_says():
    (news,) = news_of(
        RiskCalculated(
            portfolio_id=MINE,
            revision=1,
            as_of=SESSION,
            panel_version=1,
            status="ok",
            engines={"valuation": "ok"},
        )
    )
    shown = Logged(
        seq=1,
        run_id=None,
        trace_id="ab",
        occurred_at=datetime(2026, 1, 5, tzinfo=UTC),
        **news.model_dump(),
    ).shown()
    assert shown["name"] == "risk.calculated"
    assert shown["portfolio_id"] == MINE
    assert shown["status"] == "ok"
    json.dumps(shown, default=str)


def test_the_handlers_are_exactly_what_the_queue_hears():
    queue = TOPOLOGY.queue("gateway")
    heard = {event for event in EVENTS if queue.wants(event.routing_key())}
    assert {contract for contract, _ in SUBSCRIPTIONS} == heard
