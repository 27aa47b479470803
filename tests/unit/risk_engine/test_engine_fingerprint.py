"""The input hash changes with everything the numbers depend on, and with nothing else."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest

from risk_engine.engine import input_hash
from tests.unit.risk_engine.books import (
    AS_OF,
    NAN,
    OPENING,
    SESSIONS,
    book,
    market,
    option,
    position,
    private,
)

CLOSES = {"AAA": (58.0, 59.0, 59.5, 60.0, 61.0, 62.0, 64.0, 66.0), "BBB": (70.0,) * 8}
BOOK = book((position(1, "AAA", "100", "50"), option(2, "1", "3"), private(3, "FUND", "900")))
HASH = input_hash(BOOK, market(CLOSES), AS_OF)


def moved(symbol, session, value):
    closes = {name: list(column) for name, column in CLOSES.items()}
    closes[symbol][SESSIONS.index(session)] = value
    return market(closes)


def test_the_hash_is_hex_and_the_same_every_time():
    assert len(HASH) == 64
    assert int(HASH, 16) > 0
    assert input_hash(BOOK, market(CLOSES), AS_OF) == HASH


@pytest.mark.parametrize(
    "changed",
    [
        replace(BOOK, revision=4),
        replace(BOOK, equity_balance=Decimal("100000.01")),
        replace(BOOK, opening_session=date(2026, 1, 6)),
        replace(BOOK, positions=BOOK.positions[:2]),
        replace(BOOK, positions=(position(1, "AAA", "101", "50"), *BOOK.positions[1:])),
        replace(BOOK, portfolio_id=UUID(int=2)),
    ],
)
def test_another_book_has_another_hash(changed):
    assert input_hash(changed, market(CLOSES), AS_OF) != HASH


@pytest.mark.parametrize(
    "prices",
    [
        moved("AAA", AS_OF, 66.5),
        moved("AAA", OPENING, NAN),
        moved("AAA", SESSIONS[0], 57.0),  # a stale close may be read at the opening
        market(CLOSES, splits={("AAA", AS_OF): 2.0}),
        market(CLOSES, splits={("AAA", AS_OF): NAN}),
        market(CLOSES, dividends={("AAA", date(2026, 1, 7)): 0.1}),
        market({"BBB": CLOSES["BBB"]}),
        market(CLOSES, missing={"AAA": "stale"}),
        replace(market(CLOSES), provider="polygon"),
    ],
)
def test_other_prices_of_what_is_held_have_another_hash(prices):
    assert input_hash(BOOK, prices, AS_OF) != HASH


@pytest.mark.parametrize(
    "prices",
    [
        moved("BBB", AS_OF, 71.0),
        replace(market(CLOSES), panel_version=8),
        market(dict(reversed(CLOSES.items()))),
        market(CLOSES, splits={("BBB", AS_OF): 2.0}),
    ],
)
def test_what_the_book_does_not_depend_on_leaves_the_hash_alone(prices):
    assert input_hash(BOOK, prices, AS_OF) == HASH


def test_an_old_close_counts_while_the_share_is_carried_at_it():
    opened_today = replace(BOOK, opening_session=AS_OF)

    def hashed(*closes):
        halted = market({**CLOSES, "AAA": (*closes, *[NAN] * 6)})
        return input_hash(opened_today, halted, AS_OF)

    assert hashed(58.0, 59.0) != hashed(58.0, 57.0)
    assert hashed(58.0, 59.0) != hashed(59.0, NAN)
    assert hashed(58.0, 59.0) == hashed(57.0, 59.0)


def test_neither_the_order_nor_the_spelling_of_amounts_matters():
    spelled = replace(BOOK.positions[0], entry_price=Decimal("50.00"))
    shuffled = replace(BOOK, positions=(*BOOK.positions[1:], spelled))
    assert input_hash(shuffled, market(CLOSES), AS_OF) == HASH


def test_every_nan_is_the_same_nan():
    odd = np.frombuffer(np.uint64(0x7FF8000000000BAD).tobytes(), dtype=np.float64)[0]
    hashes = {
        input_hash(BOOK, market(CLOSES, splits={("AAA", AS_OF): nan}), AS_OF)
        for nan in (NAN, float(odd))
    }
    assert len(hashes) == 1


def test_the_stored_opening_cash_counts_only_when_it_is_used():
    assert input_hash(BOOK, market(CLOSES), AS_OF, Decimal(5)) == HASH
    older = replace(BOOK, opening_session=date(2019, 1, 2))
    hashes = {
        input_hash(older, market(CLOSES), AS_OF, cash) for cash in (None, Decimal(5), Decimal(6))
    }
    assert len(hashes) == 3
