"""Repeat accounts on several sessions, so that the past is valued as the present is.

Axes: days are (days,), each of one account; sorted by account and then by day. Their holdings are
repeated in that order, (rows,).
"""

from dataclasses import dataclass, fields

import numpy as np

from risk_engine.quant.panel import IntArray
from risk_engine.quant.valuation import Accounts, Holdings


@dataclass(frozen=True, eq=False)
class AccountDays:
    """Accounts on days of theirs: to the arithmetic each is an account of its own.

    So what is calculated of the past is, to the last bit, what was or would have been calculated
    then. `holding` is the one repeated in each row, (rows,). `before` and `after` are pairs of
    rows, of one holding, of days that follow each other in the list; `step` is the day of the
    latter, a place among the days.
    """

    account: IntArray
    day: IntArray
    holdings: Holdings
    accounts: Accounts
    holding: IntArray
    before: IntArray
    after: IntArray
    step: IntArray


def on_days(
    holdings: Holdings, accounts: Accounts, account: IntArray, day: IntArray
) -> AccountDays:
    """Repeat the holdings of each account on each of its days."""
    count = np.bincount(holdings.account, minlength=accounts.equity.size)
    # Holdings are in the order of their accounts' lines, and are taken in that order every day.
    order = np.argsort(holdings.account, kind="stable")
    first = np.cumsum(count) - count
    size = count[account]
    place = np.repeat(np.arange(account.size), size)
    start = np.cumsum(size) - size
    within = np.arange(place.size) - start[place]
    holding = order[first[account[place]] + within]
    follows = np.append(False, account[1:] == account[:-1])[: account.size]
    after = np.flatnonzero(follows[place])
    rows = {one.name: getattr(holdings, one.name)[holding] for one in fields(Holdings)}
    return AccountDays(
        account=account,
        day=day,
        holdings=Holdings(**(rows | {"account": place})),
        accounts=Accounts(*(getattr(accounts, one.name)[account] for one in fields(Accounts))),
        holding=holding,
        before=after - size[place[after]],
        after=after,
        step=place[after],
    )
