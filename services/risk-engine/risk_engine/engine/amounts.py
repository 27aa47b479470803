"""How much of an account has a history, and what it would have earned with what it holds now.

Axes: (sessions, accounts), the sessions being those of `engine.histories`. Profits are US dollars
per session of what is held now, options at their dollar delta. NaN is not known.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from risk_engine.engine.frame import Frame
from risk_engine.engine.histories import OWN, PROXIED, UNMODELLED, Histories
from risk_engine.engine.underlyings import NO_UNDERLYING
from risk_engine.engine.valuation import LEAST_AMOUNT
from risk_engine.quant.panel import BoolArray, FloatArray, sum_by
from risk_engine.quant.rolling import column_sum


@dataclass(frozen=True, eq=False)
class Amounts:
    """How much of an account a result rests on, (accounts,): sums of |value| in dollars.

    Each open holding is in one of them, the same in every engine. `modelled` has a history of its
    own and a close of the session, or is cash; `stale` has such a history, but its last close is
    of an earlier session; `proxied` is told from factors. `unmodelled` has neither, is an option
    without Greeks, or is nothing that the engine at hand has a number for.
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


def profits(
    frame: Frame, histories: Histories, amounts: Amounts, *, proxied: bool = True
) -> FloatArray:
    """Return what each account would have earned with what it holds now, (sessions, accounts).

    The sum of sensitivities times returns, of underlyings with a history of their own and, if
    wanted, the proxied ones. NaN where a return of one that is held is, and throughout for an
    account that holds something and nothing of it can be told of.
    """
    used = histories.source <= (PROXIED if proxied else OWN)
    told = amounts.told + (amounts.proxied if proxied else 0.0)
    series = np.zeros((len(histories.returns), len(frame.books)))
    series[:, (told == 0) & (amounts.proxied + amounts.unmodelled > 0)] = np.nan
    for account, amounts_held in enumerate(frame.sensitivities):
        held = np.flatnonzero((amounts_held != 0) & used)
        if held.size:
            # Added up in the order of the account's own underlyings, whatever else the chunk has.
            series[:, account] = column_sum((histories.returns[:, held] * amounts_held[held]).T)
    return series


def amounts_of(frame: Frame, histories: Histories, *, usable: BoolArray | None = None) -> Amounts:
    """Say how much of each account has a history.

    `usable`, (holdings,), marks what the engine at hand has a number for; None is everything.
    """
    exposures = frame.exposures
    known = ~np.isnan(exposures.dollar_delta) & (exposures.underlying != NO_UNDERLYING)
    if usable is not None:
        known &= usable
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
