"""What each account and each of its holdings is worth at a session's close, as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

import numpy as np

from risk_engine.domain import Book, History, Prices
from risk_engine.engine.ledger import TOO_LARGE, Ledger, lay_out, without
from risk_engine.engine.marks import OptionPrices
from risk_engine.engine.options import Contracts
from risk_engine.engine.past import Past, past_of, too_large
from risk_engine.quant.panel import FloatArray
from risk_engine.quant.valuation import (
    AccountValues,
    HoldingValues,
    value_accounts,
    value_holdings,
)

MODEL_VERSION: Final = "valuation-6"
# Less than half a cent is nothing: no fraction of it is stated.
LEAST_AMOUNT = 0.005


@dataclass(frozen=True, eq=False)
class Valued:
    """Books as arrays, what their holdings and accounts are worth, and the sessions before.

    `past` are the sessions of each account that are not in its history, with the ones before them;
    `daily_pnl` is what each holding earned since the session before, (holdings,), NaN if not known.
    """

    ledger: Ledger
    values: HoldingValues
    accounts: AccountValues
    past: Past
    daily_pnl: FloatArray


def value(
    books: Sequence[Book],
    prices: Prices,
    as_of: date,
    opening_cash: Mapping[UUID, Decimal],
    *,
    contracts: Contracts | None = None,
    histories: Sequence[History] | None = None,
) -> Valued:
    """Value books that `refusal` lets pass, as arrays.

    Without `contracts` no option has a price; without `histories` every session is calculated since
    the opening.
    """
    known = histories or [History.none()] * len(books)
    rows = [_rows(book, one, prices, as_of) for book, one in zip(books, known, strict=True)]
    since = prices.sessions[min((wanted[0] for wanted in rows), default=0)]
    ledger = lay_out(
        books,
        prices,
        opening_cash,
        OptionPrices(contracts, known, [book.portfolio_id for book in books]),
        (since, as_of),
    )
    past = past_of(ledger, rows)
    day = as_of.toordinal()
    unsound = ledger.faulty_from <= day
    today, pnl = without(ledger, unsound), past.holding_pnl[~unsound]
    values = value_holdings(today.panel, today.marks, today.holdings, today.accounts, day)
    large = too_large(values)
    if large.any():
        today, pnl = without(today, large, TOO_LARGE), pnl[~large]
        values = value_holdings(today.panel, today.marks, today.holdings, today.accounts, day)
    return Valued(
        ledger=today,
        values=values,
        accounts=value_accounts(today.holdings, values, today.accounts),
        past=past,
        daily_pnl=np.where(values.pending, np.nan, pnl),
    )


def _rows(book: Book, history: History, prices: Prices, as_of: date) -> Sequence[int]:
    # The sessions since the opening that are not known, each with the one it is compared with.
    end = prices.rows[as_of]
    start = max(prices.rows.get(book.opening_session, 0), prices.early)
    stored = (prices.rows.get(session, -1) for session in history.sessions)
    known = {row for row in stored if row >= prices.early}
    missing = {row for row in range(start, end) if row not in known} | {end}
    return sorted(missing | {row - 1 for row in missing if row > start})
