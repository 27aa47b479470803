"""The universe as arrays: one row per security, in the universe's order."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from simulator import draws, weather
from simulator.draws import BLOCK, Floats
from simulator.factors import SESSIONS_PER_YEAR
from simulator.universe import load_universe

QUARTER = BLOCK // 2


@dataclass(frozen=True, eq=False)
class Roster:
    """What the paths of all securities are made of. Axis 0: securities."""

    symbols: tuple[str, ...]
    row: dict[str, int]
    """Where each symbol is."""
    price: Floats
    volume: NDArray[np.int64]
    loadings: Floats
    """(securities, factors)."""
    own_volatility: Floats
    """Per year, root mean square."""
    group_variance: Floats
    """Mean variance per session that comes from each group of factors, (securities, groups)."""
    drift: Floats
    """Log return per session that makes up for half the variance."""
    payout: Floats
    """Fraction of the price at the start of a half-year that is paid out each time."""
    payments: NDArray[np.int64]
    """Each half-year: 0, 1, 2 or 6."""
    offset: NDArray[np.int64]
    """Weekdays into a payment period, and into a quarter: when it pays, and when it reports."""
    is_stock: NDArray[np.bool_]
    may_split: NDArray[np.bool_]
    """Made-up stocks: of real names people upload the shares of around the anchor session."""
    at_one_dollar: NDArray[np.bool_]
    """Money-market funds: what they earn is paid out."""
    single_price: NDArray[np.bool_]
    on_exchange: NDArray[np.bool_]
    listed_from: NDArray[np.int64]
    listed_through: NDArray[np.int64]
    """Weekdays since the epoch, both included."""

    def own_volatility_per_session(self, rows: NDArray[np.intp]) -> Floats:
        """Return the root mean square of what is a security's own, (rows, 1)."""
        return np.asarray(self.own_volatility[rows, None] / np.sqrt(SESSIONS_PER_YEAR))


@cache
def load_roster() -> Roster:
    """Return the packaged universe as arrays."""
    universe = load_universe()
    known = tuple(universe.securities.values())
    kinds = np.array([security.profile.kind for security in known])
    loadings = np.stack([universe.loadings(security) for security in known])
    parts = [loadings * member for member in universe.membership]
    by_group = np.stack(
        [np.einsum("sf,fg,sg->s", part, universe.covariance, part) for part in parts], axis=1
    )
    own = np.array([security.own_volatility for security in known])
    symbols = tuple(universe.securities)
    payments = np.array([security.payments for security in known])
    periods = BLOCK // np.maximum(payments, 1)
    streams = draws.Streams(0)
    chances = np.array([streams.at(f"offset/{symbol}").random() for symbol in symbols])
    return Roster(
        symbols=symbols,
        row={symbol: row for row, symbol in enumerate(symbols)},
        price=np.array([security.price for security in known]),
        volume=np.array([security.volume for security in known], np.int64),
        loadings=loadings,
        own_volatility=own,
        group_variance=by_group / SESSIONS_PER_YEAR,
        drift=-0.5 * (by_group.sum(axis=1) + own**2) / SESSIONS_PER_YEAR,
        payout=np.array([s.dividend_yield / max(2 * s.payments, 1) for s in known]),
        payments=payments,
        # Money-market funds pay at the end of each period: nothing that was earned is left over.
        offset=np.where(
            kinds == "money_market",
            periods,
            np.floor(chances * np.minimum(periods, QUARTER)).astype(np.int64),
        ),
        is_stock=kinds == "stock",
        may_split=(kinds == "stock") & ~np.isin(symbols, universe.known),
        at_one_dollar=kinds == "money_market",
        single_price=np.isin(kinds, ("mutual_fund", "money_market")),
        on_exchange=np.isin(kinds, ("stock", "etf")),
        listed_from=np.array([security.listed_from for security in known]),
        listed_through=np.array(
            [draws.HORIZON if s.listed_through is None else s.listed_through for s in known]
        ),
    )


def knots(seed: int, symbols: tuple[str, ...]) -> Floats:
    """Return the shocks of each symbol's own weather, (symbols, knots)."""
    streams = draws.Streams(seed)
    rows = [streams.at(f"weather/{s}").standard_normal(weather.KNOTS) for s in symbols]
    return np.array(rows).reshape(len(symbols), weather.KNOTS)
