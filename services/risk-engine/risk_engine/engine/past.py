"""What accounts were worth on the sessions that lack it, in one pass, and what each changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

from risk_engine.engine.acceptance import MAX_AMOUNT
from risk_engine.engine.ledger import Ledger
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray, sum_by
from risk_engine.quant.pnl import DailyPnl, daily_pnl
from risk_engine.quant.sessions import AccountDays, on_days
from risk_engine.quant.valuation import (
    Accounts,
    AccountValues,
    Holdings,
    HoldingValues,
    value_accounts,
    value_holdings,
)

Columns = TypeVar("Columns", AccountValues, "Counts", DailyPnl)

# Holdings on sessions valued at once: some hundred megabytes.
ROWS_AT_ONCE = 400_000


@dataclass(frozen=True, eq=False)
class Counts:
    """Holdings of accounts on their days, (days,): what a status is judged by."""

    market: IntArray
    priced: IntArray
    stale: IntArray
    invalid: IntArray
    changed_basis: IntArray


@dataclass(frozen=True, eq=False)
class Past:
    """Accounts on days of theirs, (days,), sorted by account and day.

    `row` is the session. `changes` are since the session before, added up by account; they and
    `daily_return` (pnl / NAV before, a decimal) are NaN where that session is not among the days,
    the return also where the account was worth nothing. `holding_pnl` is of holdings on the last
    day, (holdings,). `before` is the net asset value of the session before, NaN with the changes.
    """

    account: IntArray
    row: IntArray
    values: AccountValues
    counts: Counts
    changes: DailyPnl
    before: FloatArray
    daily_return: FloatArray
    holding_pnl: FloatArray


def past_of(ledger: Ledger, rows: Sequence[Sequence[int]]) -> Past:
    """Value each account on the sessions at these rows of the panel, ascending."""
    parts = [_part(ledger, rows, accounts) for accounts in _blocks(ledger, rows)]
    holding_pnl = np.full(ledger.holdings.account.size, np.nan)
    for part in parts:
        holding_pnl = np.where(np.isnan(part.holding_pnl), holding_pnl, part.holding_pnl)
    return Past(
        account=np.concatenate([part.account for part in parts]),
        row=np.concatenate([part.row for part in parts]),
        values=_joined([part.values for part in parts]),
        counts=_joined([part.counts for part in parts]),
        changes=_joined([part.changes for part in parts]),
        before=np.concatenate([part.before for part in parts]),
        daily_return=np.concatenate([part.daily_return for part in parts]),
        holding_pnl=holding_pnl,
    )


def too_large(values: HoldingValues) -> BoolArray:
    """Tell which holdings are worth more than is kept to the cent, (holdings,).

    The book's own amounts were judged when it was laid out; these are the market's.
    """
    amounts = np.array(
        [values.value, values.opening_value, values.trade_flow, values.dividend_income]
    )
    return np.asarray((np.abs(amounts) > MAX_AMOUNT).any(axis=0), dtype=np.bool_)


def changed_basis(holdings: Holdings, values: HoldingValues, accounts: Accounts) -> BoolArray:
    """Tell which holdings count at cost at the opening and have a price since, or the reverse.

    Of an opening that precedes the panel it is not known, and none are told.

    Priced by now: by the market, or by the sale, unless it is carried at cost. Of private assets
    nothing but the stated value is expected until they are sold.
    """
    is_stored = ~np.isnan(accounts.stored_opening_cash)[holdings.account]
    changed = values.open_at_opening & (values.opening_priced == values.at_cost) & ~is_stored
    return np.asarray(changed & holdings.expects_price, dtype=np.bool_)


def _blocks(ledger: Ledger, rows: Sequence[Sequence[int]]) -> Iterator[Sequence[int]]:
    held = np.bincount(ledger.holdings.account, minlength=len(rows)).tolist()
    block: list[int] = []
    size = 0
    for account, (count, days) in enumerate(zip(held, rows, strict=True)):
        if block and size + count * len(days) > ROWS_AT_ONCE:
            yield block
            block, size = [], 0
        block.append(account)
        size += count * len(days)
    yield block


def _part(ledger: Ledger, rows: Sequence[Sequence[int]], accounts: Sequence[int]) -> Past:
    account = np.array([one for one in accounts for _ in rows[one]], dtype=np.int64)
    row = np.array([one for account in accounts for one in rows[account]], dtype=np.int64)
    days = on_days(ledger.holdings, ledger.accounts, account, ledger.panel.day[row])
    holdings, values, is_known = _valued(ledger, days)
    totals = value_accounts(holdings, values, days.accounts)
    follows = np.zeros(account.size, dtype=np.bool_)
    follows[1:] = (account[1:] == account[:-1]) & (row[1:] == row[:-1] + 1)
    # Stored opening cash stands in for the values at the opening, which then change nothing.
    is_stored = ~np.isnan(days.accounts.stored_opening_cash[holdings.account])
    attributed = replace(values, opening_value=np.where(is_stored, 0.0, values.opening_value))
    pnl = daily_pnl(attributed, days.holdings.expects_price, is_known, days.before, days.after)
    changes = _by_day(pnl, days.step, follows)
    nav = totals.net_asset_value
    before = np.where(follows, np.append(np.nan, nav[:-1])[: nav.size], np.nan)
    last = np.append(account[1:] != account[:-1], True)[: account.size]
    on_last = (last & follows)[days.step] & is_known[days.after]
    holding_pnl = np.full(ledger.holdings.account.size, np.nan)
    holding_pnl[days.holding[days.after[on_last]]] = pnl.pnl[on_last]
    return Past(
        account=account,
        row=row,
        values=totals,
        counts=_counts(ledger, days, row, values, is_known),
        changes=changes,
        before=before,
        daily_return=changes.pnl / np.where(before > 0, before, np.nan),
        holding_pnl=holding_pnl,
    )


def _valued(ledger: Ledger, days: AccountDays) -> tuple[Holdings, HoldingValues, BoolArray]:
    # What cannot be valued is none of, which adds nothing to any sum: not even to its last bit.
    is_known = ledger.faulty_from[days.holding] > days.day[days.holdings.account]
    while True:
        holdings = replace(
            days.holdings,
            quantity=np.where(is_known, days.holdings.quantity, 0.0),
            exit_price=np.where(is_known, days.holdings.exit_price, 0.0),
            expects_price=days.holdings.expects_price & is_known,
        )
        values = value_holdings(ledger.panel, ledger.marks, holdings, days.accounts, days.day)
        large = too_large(values)
        if not large.any():
            return holdings, values, is_known
        is_known &= ~large


def _counts(
    ledger: Ledger, days: AccountDays, row: IntArray, values: HoldingValues, is_known: BoolArray
) -> Counts:
    day = days.holdings.account

    def count(some: BoolArray) -> IntArray:
        return sum_by(day, 1.0 * (some & is_known), row.size).astype(np.int64)

    is_open = ~values.pending & ~values.closed
    priced = is_open & ~values.carried
    refused = np.array([sum(one.row is None for one in lines) for lines in ledger.lines])
    return Counts(
        market=count(is_open & days.holdings.expects_price),
        priced=count(priced),
        stale=count(priced & (values.price_row < row[day])),
        invalid=refused[days.account] + sum_by(day, 1.0 * ~is_known, row.size).astype(np.int64),
        changed_basis=count(changed_basis(days.holdings, values, days.accounts)),
    )


def _by_day(pnl: DailyPnl, step: IntArray, follows: BoolArray) -> DailyPnl:
    return DailyPnl(
        *(
            np.where(follows, sum_by(step, getattr(pnl, one.name), follows.size), np.nan)
            for one in fields(DailyPnl)
        )
    )


def _joined(parts: Sequence[Columns]) -> Columns:
    return type(parts[0])(
        *(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(parts[0]))
    )
