"""What the books of a chunk would have earned: returns of their underlyings, gaps filled, and sums.

Axes: (sessions, underlyings) and (sessions, accounts), the sessions being those of `market.prices`
but the first, which has none before it. Returns are simple, as decimals; profits are US dollars per
session of what is held now, options at their dollar delta. NaN is not known.
"""

from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import Any, Final

import numpy as np

from risk_engine.engine.frame import Frame
from risk_engine.engine.underlyings import NO_UNDERLYING, Key
from risk_engine.engine.valuation import LEAST_AMOUNT
from risk_engine.quant.filtered_simulation import drawn_residuals, fill_from_factors
from risk_engine.quant.panel import NO_COLUMN, BoolArray, FloatArray, IntArray, sum_by
from risk_engine.quant.returns import MIN_COVERAGE, coverage
from risk_engine.quant.rolling import column_sum

WINDOW: Final = 252
MINIMUM: Final = 60

CASH: Final = frozenset({"cash", "money_market"})
"""Kinds of what varies by nothing where it has no price."""
OWN, PROXIED, UNMODELLED = range(3)
SOURCES: Final = ("own", "proxied", "unmodelled")


@dataclass(frozen=True, eq=False)
class Histories:
    """Returns of underlyings, (sessions, underlyings), and what they are worth, (underlyings,).

    `source` is OWN where the last WINDOW sessions have MINIMUM returns or more and four of five
    since the first close; PROXIED where the factor model speaks for a private asset or one with a
    shorter history; UNMODELLED where nothing does. Returns of an OWN one are filled from factors
    where it has none. `observations` are its own returns in the window; a `stale` one is OWN and
    has had no close for more than three sessions.
    """

    returns: FloatArray
    source: IntArray
    observations: IntArray
    stale: BoolArray


@dataclass(frozen=True, eq=False)
class Amounts:
    """How much of an account a result rests on, (accounts,): sums of |value| in dollars.

    Each open holding is in one of them: `unmodelled` has no history and no proxy, or is an option
    without Greeks; `stale` has a history of its own that ended more than three sessions ago.
    """

    modelled: FloatArray
    proxied: FloatArray
    stale: FloatArray
    unmodelled: FloatArray

    @property
    def told(self) -> FloatArray:
        """Return what has a history of its own, however old."""
        return self.modelled + self.stale

    def quality(self, account: int, net_asset_value: float) -> dict[str, Any]:
        """Return each as a fraction of NAV and of gross value; NaN where that is not positive."""
        found = {one.name: float(getattr(self, one.name)[account]) for one in fields(self)}
        wholes = {"of_net_asset_value": net_asset_value, "of_gross_value": sum(found.values())}
        return {
            name: {part: share_of(amount, whole) for part, amount in found.items()}
            for name, whole in wholes.items()
        }


def share_of(amount: float, whole: float) -> float:
    """Return a fraction; NaN of a whole that is not positive, or less than half a cent."""
    return amount / whole if whole >= LEAST_AMOUNT else float("nan")


def histories_of(frame: Frame) -> Histories:
    """Complete the histories of a frame's underlyings."""
    underlyings = frame.underlyings
    cash = np.array([kind in CASH for kind in underlyings.kinds], dtype=np.bool_)
    returns = underlyings.returns[1:]
    filled = _filled(frame, np.where(cash & np.isnan(returns), 0.0, returns))
    found = coverage(_closes(frame), underlyings.returns, WINDOW)
    with np.errstate(invalid="ignore"):
        own = (found.observations >= MINIMUM) & (found.share >= MIN_COVERAGE)
    proxied = np.isfinite(filled[-WINDOW:]).mean(axis=0) >= MIN_COVERAGE
    source = np.where(own | cash, OWN, np.where(proxied, PROXIED, UNMODELLED))
    return Histories(
        returns=filled,
        source=source.astype(np.int64),
        observations=found.observations,
        stale=own & found.stale,
    )


def profits(
    frame: Frame, histories: Histories, amounts: Amounts, *, proxied: bool = True
) -> FloatArray:
    """Return what each account would have earned with what it holds now, (sessions, accounts).

    The sum of dollar deltas times returns, of underlyings with a history of their own and, if
    wanted, the proxied ones. NaN where a return of one that is held is, and throughout for an
    account that holds something and nothing of it can be told of.
    """
    used = histories.source <= (PROXIED if proxied else OWN)
    told = amounts.told + (amounts.proxied if proxied else 0.0)
    series = np.zeros((len(histories.returns), len(frame.books)))
    series[:, (told == 0) & (amounts.proxied + amounts.unmodelled > 0)] = np.nan
    for account, deltas in enumerate(frame.dollar_deltas):
        held = np.flatnonzero((deltas != 0) & used)
        if held.size:
            # Added up in the order of the account's own underlyings, whatever else the chunk has.
            series[:, account] = column_sum((histories.returns[:, held] * deltas[held]).T)
    return series


def amounts_of(frame: Frame, histories: Histories) -> Amounts:
    """Say how much of each account has a history."""
    exposures = frame.exposures
    known = ~np.isnan(exposures.dollar_delta) & (exposures.underlying != NO_UNDERLYING)
    source = np.full(known.shape, UNMODELLED)
    source[known] = histories.source[exposures.underlying[known]]
    stale = np.zeros(known.shape, dtype=np.bool_)
    stale[known] = histories.stale[exposures.underlying[known]]

    def total(which: BoolArray) -> FloatArray:
        return sum_by(exposures.account[which], np.abs(exposures.value[which]), len(frame.books))

    held = exposures.is_open & ~np.isnan(exposures.value)
    own = held & (source == OWN)
    return Amounts(
        modelled=total(own & ~stale),
        proxied=total(held & (source == PROXIED)),
        stale=total(own & stale),
        unmodelled=total(held & (source == UNMODELLED)),
    )


def factor_returns(frame: Frame) -> FloatArray:
    """Return the factors' returns in the sessions of a frame's histories, (sessions, factors)."""
    return frame.factor_model.recent[1:]


def _filled(frame: Frame, returns: FloatArray) -> FloatArray:
    model = frame.factor_model
    if not model.available[model.factors.index("MKT")]:
        # The other factors are what is left of funds without the market: nothing by themselves.
        return returns
    return fill_from_factors(
        returns,
        factor_returns(frame)[:, model.available],
        model.loadings[:, model.available],
        _residuals(frame, returns),
    )


def _residuals(frame: Frame, returns: FloatArray) -> FloatArray:
    # Only where a return is not known: the rest is never looked at.
    gaps = np.flatnonzero(np.isnan(returns).any(axis=0))
    sessions = frame.market.prices.sessions[1:]
    day = np.array([one.toordinal() for one in sessions], dtype=np.int64)
    key = np.array([number_of(frame.underlyings.keys[one]) for one in gaps], dtype=np.uint64)
    drawn = np.zeros_like(returns)
    drawn[:, gaps] = drawn_residuals(key, day, np.sqrt(frame.factor_model.specific_variance[gaps]))
    return drawn


def number_of(key: Key) -> int:
    """Number an underlying, the same in every chunk and on every machine: what its draws are by."""
    return int.from_bytes(blake2b(repr(tuple(key)).encode(), digest_size=8).digest())


def _closes(frame: Frame) -> FloatArray:
    column = frame.underlyings.column
    closes = np.full(frame.underlyings.returns.shape, np.nan)
    priced = column != NO_COLUMN
    closes[:, priced] = frame.market.prices.close[:, column[priced]]
    return closes
