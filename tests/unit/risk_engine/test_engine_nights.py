"""A book with options through nights of the simulated market: quoted, missed, expired."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from common import calendar
from risk_engine.domain import History
from risk_engine.engine.fingerprint import Fingerprints
from risk_engine.engine.frame import lay_out_chunk
from risk_engine.engine.snapshots import SnapshotRow, snapshots_of
from tests.support.simulated import simulated_market
from tests.unit.risk_engine.books import NAN, book, option, position

NIGHTS = calendar.sessions(date(2025, 11, 18), date(2025, 11, 24))
MISSED, EXPIRY = NIGHTS[1], NIGHTS[3]
LONG = option(3, "2", "20", expiration=date(2026, 3, 20))
EXPIRING = option(4, "-1", "5", expiration=EXPIRY)
BOOK = book(
    (position(1, "AAPL", "100", "150"), position(2, "XOM", "-50", "110"), LONG, EXPIRING),
    "250000",
    opening_session=NIGHTS[0],
)
SYMBOLS = ("AAPL", "XOM", "SPY", "SPY 2026-03-20 C 700", f"SPY {EXPIRY} C 700")


def stored(rows):
    return History(
        tuple(one.session for one in rows),
        np.array([one.net_asset_value for one in rows]),
        np.array([NAN if one.daily_return is None else one.daily_return for one in rows]),
        {one.session: json.loads(one.option_prices) for one in rows if one.option_prices},
        {
            one.session: json.loads(one.option_volatilities)
            for one in rows
            if one.option_volatilities
        },
    )


@pytest.fixture(scope="module")
def nights():
    """What is said of every night that ran, and the rows that are stored in the end."""
    rows: list[SnapshotRow] = []
    said = {}
    for session in NIGHTS:
        if session != MISSED:
            market = simulated_market(SYMBOLS, session)
            frame = lay_out_chunk([BOOK], market, {}, [stored(rows)])
            rows += snapshots_of(frame)[0]
            (said[session],) = frame.valuations
    return said, rows


def test_options_are_priced_by_the_market(nights):
    said, _ = nights
    for session in (NIGHTS[0], NIGHTS[2]):
        options = [one for one in said[session].positions if one.investment_class == "OPTIONS"]
        assert [one.price_source for one in options] == ["quote", "quote"]
        assert said[session].status == "ok"


def test_every_night_changes_net_asset_value_by_its_profit(nights):
    _, rows = nights
    assert [one.session for one in rows] == list(NIGHTS)
    assert rows[0].net_asset_value == 250_000
    for before, after in pairwise(rows):
        change = after.net_asset_value - before.net_asset_value
        assert after.daily_pnl == pytest.approx(change, abs=1e-8)


def test_the_missed_night_has_shares_at_their_closes_and_options_at_the_last_price(nights):
    _, rows = nights
    market = simulated_market(SYMBOLS, NIGHTS[2])
    closes = {name: market.prices.close[:, market.prices.columns[name]] for name in SYMBOLS[:2]}
    shares = 100 * np.diff(closes["AAPL"])[-2] - 50 * np.diff(closes["XOM"])[-2]
    assert (rows[1].session, rows[1].status) == (MISSED, "partial")
    assert rows[1].daily_pnl == pytest.approx(shares)


def test_the_option_that_expires_pays_what_it_is_worth(nights):
    said, rows = nights
    market = simulated_market(SYMBOLS, EXPIRY)
    close = market.prices.close[-1, market.prices.columns["SPY"]]
    (expired,) = [one for one in said[EXPIRY].positions if one.position_id == EXPIRING.id]
    assert (expired.state, expired.reason) == ("closed", "expired")
    paid = max(close - float(Decimal(700)), 0.0)
    assert expired.realized_pnl == pytest.approx(-100 * (paid - 5))
    assert said[NIGHTS[4]].totals.realized_pnl == expired.realized_pnl
    assert all(one.status == "ok" for one in rows if one.session != MISSED)


def test_a_night_without_quotes_takes_the_volatility_that_the_last_ones_implied():
    """And the nights after it: what the model said is not kept as if a quote had implied it."""
    held = book((LONG,), "250000", opening_session=NIGHTS[0])
    rows: list[SnapshotRow] = []
    told = []
    for session in calendar.sessions(NIGHTS[0], date(2025, 11, 25)):
        market = simulated_market(SYMBOLS, session)
        if session != NIGHTS[0]:
            said = market.snapshots
            silent = np.full(len(said.symbols), NAN)
            market = replace(market, snapshots=replace(said, bid=silent, ask=silent))
        frame = lay_out_chunk([held], market, {}, [stored(rows)])
        rows += snapshots_of(frame)[0]
        told.append((frame.contracts.volatility_source[0], frame.contracts.terms.volatility[0]))
    sources = [source for source, _ in told]
    assert sources == ["quote", "last_quote", "last_quote", "last_quote", "estimated", "estimated"]
    assert len({volatility for _, volatility in told[:4]}) == 1
    assert json.loads(rows[0].option_volatilities or "{}") == {SYMBOLS[3]: told[0][1]}
    assert [one.option_volatilities for one in rows[1:]] == [None] * 5
    assert all(one.option_prices for one in rows)


def test_another_volatility_of_before_is_another_input():
    market = simulated_market(SYMBOLS, NIGHTS[1])

    def named(volatility):
        history = History((), np.empty(0), np.empty(0), {}, {NIGHTS[0]: {SYMBOLS[3]: volatility}})
        return Fingerprints(lay_out_chunk([BOOK], market, {}, [history]), {}).of(0, "m-1")

    assert named(0.2) == named(0.2) != named(0.21)
