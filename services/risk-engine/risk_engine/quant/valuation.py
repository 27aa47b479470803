"""Value holdings and the accounts that own them, all accounts of a chunk at once.

Axes: the panel is (sessions, symbols); everything about a holding is (holdings,), about an account
(accounts,). Dates are day numbers, ascending; a row is an index into sessions, -1 before the first.
Units: money in one currency, quantities in shares or contracts. Signs: short is negative, profit is
positive. NaN is "not known" on input and output; no sum takes it for zero without a count beside.

The identities, with K(a, b] the product of the split ratios after row a up to and including row b:
    market value    q K m P                cost basis      q m p
    opening cash    equity - sum of values at the opening
    NAV             equity + (values now - values at the opening) + proceeds - purchases + dividends
which gives NAV = equity on the opening session to the last bit, as both sums are then the same.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from risk_engine.quant.panel import (
    NO_COLUMN,
    Actions,
    BoolArray,
    FloatArray,
    IntArray,
    Marks,
    Panel,
    actions,
    dividends_per_share,
    first_mark,
    last_mark,
    last_row,
    restated_close,
    restated_known_close,
    split_factor,
    sum_by,
)


@dataclass(frozen=True, eq=False)
class Holdings:
    """Positions of all accounts, (holdings,), without NaN but in `exit_price`.

    `account` is the row of the owner; `column` the column of its price, NO_COLUMN if it has none.
    `expects_price` marks what a market quotes (counted in coverage). An option has no column, but
    a `series` of marks, NO_SERIES if it has none; `split_column` has the splits that change the
    quantity, of an option those of its underlying. Quantity and entry price are per share as of the
    later of entry and the account's opening. `exit_day` is beyond every session while the holding
    is open; so is `expiry_day` of what does not expire.
    """

    account: IntArray
    column: IntArray
    split_column: IntArray
    series: IntArray
    expects_price: BoolArray
    quantity: FloatArray
    multiplier: FloatArray
    entry_price: FloatArray
    exit_price: FloatArray
    entry_day: IntArray
    exit_day: IntArray
    expiry_day: IntArray


@dataclass(frozen=True, eq=False)
class Accounts:
    """Owners of the holdings, (accounts,).

    `equity` is net liquidation value at the close of `opening_day`. `stored_opening_cash` is NaN
    unless that session precedes the panel; then it stands in for what can no longer be computed.
    """

    equity: FloatArray
    opening_day: IntArray
    stored_opening_cash: FloatArray


@dataclass(frozen=True, eq=False)
class HoldingValues:
    """What each holding is worth, (holdings,); NaN where not known or not applicable.

    `price` is per share as of the valuation date; `price_row` its session, -1 if none.
    `value` is the market value of an open holding, 0 when it is not open; when `carried`, it is the
    last mark's or close's (`price_row` then is its session) or, `at_cost`, the cost basis.
    `opening_priced` tells whether a holding open at the opening had a price there, however old.
    """

    pending: BoolArray
    closed: BoolArray
    carried: BoolArray
    at_cost: BoolArray
    open_at_opening: BoolArray
    opening_priced: BoolArray
    split_factor: FloatArray
    price: FloatArray
    price_row: IntArray
    market_value: FloatArray
    cost_basis: FloatArray
    unrealized_pnl: FloatArray
    realized_pnl: FloatArray
    dividend_income: FloatArray
    value: FloatArray
    opening_value: FloatArray
    trade_flow: FloatArray


@dataclass(frozen=True, eq=False)
class AccountValues:
    """What each account is worth, (accounts,); see `value_accounts`."""

    net_asset_value: FloatArray
    equity_balance: FloatArray
    change_since_opening: FloatArray
    cash: FloatArray
    opening_cash: FloatArray
    long_market_value: FloatArray
    short_market_value: FloatArray
    gross_market_value: FloatArray
    net_market_value: FloatArray
    carried_value: FloatArray
    cost_basis: FloatArray
    unrealized_pnl: FloatArray
    realized_pnl: FloatArray
    dividend_income: FloatArray
    total_pnl: FloatArray
    priced_share: FloatArray


def value_holdings(
    panel: Panel, marks: Marks, holdings: Holdings, accounts: Accounts, as_of: int | IntArray
) -> HoldingValues:
    """Value each holding at the close of a day, and again at its account's opening.

    `as_of` is the day, or one for each account. An older close is restated in shares of that day.
    An open holding without a price is carried: an option at its last mark until it expires, a share
    at its last close however old, and at cost what never had either. The same holds at the opening,
    but that an option counts there at its first mark from then to its exit. Realized P&L is exit
    minus entry, in full, whenever it was closed; proceeds and purchases after the opening are
    `trade_flow`, in cash.
    """
    column, quantity = holdings.column, holdings.quantity * holdings.multiplier
    opening_day = accounts.opening_day[holdings.account]
    as_of_day = np.broadcast_to(as_of, accounts.opening_day.shape)[holdings.account]
    pending = holdings.entry_day > as_of_day
    closed = ~pending & (holdings.exit_day <= as_of_day)
    is_open = ~pending & ~closed
    open_at_opening = (holdings.entry_day <= opening_day) & (holdings.exit_day > opening_day)

    splits = actions(panel.split_ratio, idle=1.0)
    since = last_row(panel.day, np.maximum(opening_day, holdings.entry_day))
    until = last_row(panel.day, np.minimum(as_of_day, holdings.exit_day))
    factor = split_factor(splits, holdings.split_column, since, until)
    per_share = dividends_per_share(actions(panel.dividend, idle=0.0), splits, column, since, until)

    as_of_row, opening_row = last_row(panel.day, as_of_day), last_row(panel.day, opening_day)
    price, price_row = restated_close(panel, splits, column, as_of_row)
    mark, mark_row = _last_mark(marks, splits, holdings, as_of_row)
    is_marked_now = (mark_row >= 0) & (mark_row == as_of_row)
    price = np.where(is_open, np.where(is_marked_now, mark, price), np.nan)
    carried = is_open & np.isnan(price)
    last, last_known_row = _last_close(panel, splits, column, as_of_row, carried)
    price_row = np.where(is_open, np.maximum(np.maximum(mark_row, price_row), last_known_row), -1)
    opening_price, _ = restated_close(panel, splits, column, opening_row)
    before, _ = _last_close(
        panel, splits, column, opening_row, open_at_opening & np.isnan(opening_price)
    )
    opening_price = np.where(np.isnan(opening_price), before, opening_price)
    held_until = last_row(panel.day, np.minimum(as_of_day, holdings.exit_day - 1))
    first = _first_mark(marks, splits, holdings, opening_row, held_until)
    opening_price = np.where(np.isnan(first), opening_price, first)
    stand_in = np.where(
        as_of_day < holdings.expiry_day, np.where(np.isnan(mark), last, mark), np.nan
    )

    cost = quantity * holdings.entry_price
    market_value = quantity * factor * price
    carried_value = np.where(np.isnan(stand_in), cost, quantity * factor * stand_in)
    opening_market_value = quantity * opening_price
    proceeds = quantity * factor * holdings.exit_price
    sold = closed & (holdings.exit_day > opening_day)
    bought = ~pending & (holdings.entry_day > opening_day)
    return HoldingValues(
        pending=pending,
        closed=closed,
        carried=carried,
        at_cost=carried & np.isnan(stand_in),
        open_at_opening=open_at_opening,
        opening_priced=open_at_opening & ~np.isnan(opening_market_value),
        split_factor=factor,
        price=price,
        price_row=price_row,
        market_value=market_value,
        cost_basis=cost,
        unrealized_pnl=market_value - cost,
        realized_pnl=np.where(closed, proceeds - cost, np.nan),
        dividend_income=quantity * per_share,
        value=_value(market_value, carried_value, is_open),
        opening_value=_value(opening_market_value, cost, open_at_opening),
        trade_flow=np.where(sold, proceeds, 0.0) - np.where(bought, cost, 0.0),
    )


def value_accounts(holdings: Holdings, values: HoldingValues, accounts: Accounts) -> AccountValues:
    """Add the holdings up by account.

    Long, short, gross and net market value and unrealized P&L are of priced holdings; NaN where
    holdings of that kind expect a price and none has one. Total P&L = unrealized + realized +
    dividends. `priced_share` is |market value| over the gross value of open holdings, carried ones
    at what they are carried at; NaN where that is 0.
    """
    count = accounts.equity.size

    def total(amount: npt.NDArray[np.floating]) -> FloatArray:
        return sum_by(holdings.account, amount, count)

    def priced_total(amount: FloatArray, kind: BoolArray) -> FloatArray:
        expected = is_open & holdings.expects_price & kind
        unknown = (total(1.0 * expected) > 0) & (total(1.0 * (expected & priced)) == 0)
        return np.where(unknown, np.nan, total(np.where(priced & kind, amount, 0.0)))

    is_open = ~values.pending & ~values.closed
    priced = is_open & ~values.carried
    everything = np.ones_like(priced)
    is_short = holdings.quantity * holdings.multiplier < 0

    opening_value, value = total(values.opening_value), total(values.value)
    dividends = total(values.dividend_income)
    flow = total(values.trade_flow) + dividends
    stored = accounts.stored_opening_cash
    is_stored = ~np.isnan(stored)
    opening_cash = np.where(is_stored, stored, accounts.equity - opening_value)
    # Not cash + value: the two large sums cancel before the equity is added (module docstring).
    net_asset_value = np.where(
        is_stored, stored + value + flow, accounts.equity + (value - opening_value) + flow
    )

    unrealized = priced_total(values.unrealized_pnl, everything)
    realized = total(np.where(values.closed, values.realized_pnl, 0.0))
    gross_value = total(np.abs(values.value))
    priced_gross = total(np.where(priced, np.abs(values.value), 0.0))
    return AccountValues(
        net_asset_value=net_asset_value,
        equity_balance=accounts.equity,
        change_since_opening=net_asset_value - accounts.equity,
        cash=opening_cash + flow,
        opening_cash=opening_cash,
        long_market_value=priced_total(values.market_value, ~is_short),
        short_market_value=priced_total(values.market_value, is_short),
        gross_market_value=priced_total(np.abs(values.market_value), everything),
        net_market_value=priced_total(values.market_value, everything),
        carried_value=total(np.where(values.carried, values.value, 0.0)),
        cost_basis=total(np.where(is_open, values.cost_basis, 0.0)),
        unrealized_pnl=unrealized,
        realized_pnl=realized,
        dividend_income=dividends,
        total_pnl=unrealized + realized + dividends,
        priced_share=np.divide(
            priced_gross, gross_value, out=np.full(count, np.nan), where=gross_value > 0
        ),
    )


def _value(market_value: FloatArray, otherwise: FloatArray, held: BoolArray) -> FloatArray:
    return np.where(held, np.where(np.isnan(market_value), otherwise, market_value), 0.0)


def _last_close(
    panel: Panel, splits: Actions, column: IntArray, row: IntArray, wanted: BoolArray
) -> tuple[FloatArray, IntArray]:
    # Only of the few that have no price.
    return restated_known_close(panel, splits, np.where(wanted, column, NO_COLUMN), row)


def _last_mark(
    marks: Marks, splits: Actions, holdings: Holdings, row: IntArray
) -> tuple[FloatArray, IntArray]:
    mark, mark_row = last_mark(marks, holdings.series, row)
    since = np.where(mark_row < 0, row, mark_row)
    return mark / split_factor(splits, holdings.split_column, since, row), mark_row


def _first_mark(
    marks: Marks, splits: Actions, holdings: Holdings, row: IntArray, until: IntArray
) -> FloatArray:
    # In shares of the opening: a mark made after a split is worth more of them.
    mark, mark_row = first_mark(marks, holdings.series, row, until)
    after = np.where(mark_row < 0, row, mark_row)
    return mark * split_factor(splits, holdings.split_column, row, after)
