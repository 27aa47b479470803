"""Add up what accounts are exposed to: long, short, gross and net, of one underlying only once.

Axes: what is given of a holding is (holdings,), of a pair of an account and one of its underlyings
(pairs,), of an account (accounts,). Units: money in one currency, whatever the amount measures (a
market value, dollars per 1 % of the underlying, dollars per volatility point). Signs: short is
negative; gross is not. A NaN amount is left out of a sum and makes it NaN only when nothing else is
known: the caller counts what was left out (`known_share`).

Definitions, with q quantity, m multiplier, S price of the underlying (Hull, Options, Futures and
Other Derivatives, ch. 19, times the position):
    dollar delta  q m delta S                   dollar gamma  q m gamma S^2 / 100, for 1 % of S
    delta-adjusted exposure: the dollar deltas netted per underlying, then added up
"""

from dataclasses import dataclass

import numpy as np

from risk_engine.quant.factor_risk import netted
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray, sum_by


@dataclass(frozen=True, eq=False)
class Pairs:
    """The distinct (account, underlying) of some holdings, ascending; `of_holding` is (holdings,).

    Arrays are (pairs,) otherwise. Nothing about a pair depends on the order of the holdings or on
    what other accounts hold.
    """

    account: IntArray
    underlying: IntArray
    of_holding: IntArray
    accounts: int

    def __len__(self) -> int:
        return len(self.account)


@dataclass(frozen=True, eq=False)
class LongShort:
    """Sums of signed amounts, (accounts,): short is zero or below, gross = long - short."""

    long: FloatArray
    short: FloatArray
    gross: FloatArray
    net: FloatArray


def pair_up(account: IntArray, underlying: IntArray, accounts: int) -> Pairs:
    """Find out which underlyings each account holds; both arguments are (holdings,), from 0."""
    width = int(underlying.max(initial=0)) + 1
    key, of_holding = np.unique(account * width + underlying, return_inverse=True)
    return Pairs(key // width, key % width, of_holding.astype(np.int64), accounts)


def span_of(account: IntArray, one: int) -> slice:
    """Return where one account's rows stand in an ascending column of accounts."""
    first, last = np.searchsorted(account, [one, one + 1]).tolist()
    return slice(first, last)


def net_by_pair(pairs: Pairs, amount: FloatArray) -> FloatArray:
    """Net what an account holds of one underlying, (holdings,) to (pairs,).

    NaN amounts are left out; NaN where a pair has no other. Exactly 0 where amounts cancel but for
    rounding: the sum of n doubles is within n 2^-53 of their gross, 1e-12 for ten thousand lots,
    and below `factor_risk.FLAT` (1e-9 of the gross) there is no net position to speak of: a dollar
    in a billion.
    """
    known = ~np.isnan(amount)
    net = netted(pairs.of_holding[known], amount[known], len(pairs))
    nothing_known = np.bincount(pairs.of_holding[known], minlength=len(pairs)) == 0
    return np.where(nothing_known, np.nan, net)


def known_sum(owner: IntArray, amount: FloatArray, owners: int) -> FloatArray:
    """Add known amounts up by owner, (owners,); 0 for an owner of nothing, NaN of NaN alone."""
    known = ~np.isnan(amount)
    total = sum_by(owner[known], amount[known], owners)
    nothing_known = np.bincount(owner[known], minlength=owners) == 0
    owns = np.bincount(owner, minlength=owners) > 0
    return np.where(owns & nothing_known, np.nan, total)


def long_short(account: IntArray, amount: FloatArray, accounts: int) -> LongShort:
    """Split signed amounts by their sign and add them up by account."""
    # The amounts that are zero stay in both sums, so that a NaN alone is told from nothing held.
    long = known_sum(account, np.maximum(amount, 0.0), accounts)
    short = known_sum(account, np.minimum(amount, 0.0), accounts)
    return LongShort(long, short, long - short, long + short)


def beta_adjusted(pairs: Pairs, sensitivity: FloatArray, beta: FloatArray) -> FloatArray:
    """Return the exposure to the market, (accounts,): the sum of sensitivities times betas.

    `sensitivity`, dollars per return of the underlying, is (pairs,), `beta` (underlyings,), to the
    market's return. A pair is left out where either is NaN.
    """
    return known_sum(pairs.account, sensitivity * beta[pairs.underlying], pairs.accounts)


def notional(units: FloatArray, spot: FloatArray) -> FloatArray:
    """Return |q m| S, (holdings,): what an option would move if it were exercised, never below 0.

    `units` are signed quantities times multiplier, `spot` the underlying's price.
    """
    return np.asarray(np.abs(units) * spot)


def share_of(amount: FloatArray, whole: FloatArray) -> FloatArray:
    """Return amount / whole as a fraction, (accounts,); NaN where the whole is not above zero."""
    share = np.divide(amount, whole, out=np.full(amount.shape, np.nan), where=whole > 0)
    return np.asarray(share)


def known_share(
    account: IntArray, value: FloatArray, marked: BoolArray, accounts: int
) -> FloatArray:
    """Return the part of an account's gross value that is marked, (accounts,), a fraction.

    `value` is each holding's signed market or carried value without NaN; NaN where all are 0.
    """
    gross = sum_by(account, np.abs(value), accounts)
    return share_of(sum_by(account[marked], np.abs(value[marked]), accounts), gross)
