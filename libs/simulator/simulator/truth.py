"""What is true of the simulated market: for tests, and for whoever wants to know it."""

from collections.abc import Sequence
from datetime import date

import numpy as np

from simulator.draws import Floats
from simulator.factors import SESSIONS_PER_YEAR
from simulator.halfyear import own_clustering
from simulator.market import Market
from simulator.roster import knots
from simulator.universe import load_universe


class Truth:
    """The parameters behind a market's prices. Variances are those of log returns, per year.

    Symbols that are not listed raise LookupError, days without a session ValueError. Splits and
    dividends are in the market's bars. The volatility index has no part in this: its level is what
    index options imply, and what is asked of it is zero.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._universe = load_universe()
        self.factors = tuple(factor.name for factor in self._universe.factors)
        self.factor_covariance = self._universe.covariance
        """Mean over all times, (factors, factors)."""

    def loadings(self, symbols: Sequence[str]) -> Floats:
        """Return what multiplies each factor's log return, (symbols, factors)."""
        return self._market.roster.loadings[self._rows(symbols)]

    def beta(self, symbols: Sequence[str]) -> Floats:
        """Return the slope of each log return on the market's, (symbols,)."""
        market = self.factors.index("market")
        covariance = self.loadings(symbols) @ self.factor_covariance[:, market]
        return np.asarray(covariance / self.factor_covariance[market, market])

    def covariance(self, symbols: Sequence[str], session: date | None = None) -> Floats:
        """Return the covariance of log returns, (symbols, symbols).

        Of a session: as it was when the session began, but for companies' reports. Without one: the
        mean over all times.
        """
        loadings = self.loadings(symbols)
        own = self._market.roster.own_volatility[self._rows(symbols)] ** 2
        if session is None:
            return np.asarray(loadings @ self.factor_covariance @ loadings.T + np.diag(own))
        scene = self._market.scene(session)
        at = scene.place(session)
        heat = np.sqrt(self._universe.membership.T @ scene.ratios[:, at])
        factors = self.factor_covariance * np.outer(heat, heat)
        own = own * self.own_variance_ratio(symbols, session)
        return np.asarray(loadings @ factors @ loadings.T + np.diag(own))

    def volatility(self, symbols: Sequence[str], session: date | None = None) -> Floats:
        """Return the volatility of log returns, (symbols,): see `covariance`."""
        return np.asarray(np.sqrt(np.diag(self.covariance(symbols, session))))

    def correlation(self, symbols: Sequence[str], session: date | None = None) -> Floats:
        """Return the correlation of log returns, (symbols, symbols): see `covariance`.

        NaN with what does not vary, as a money-market fund.
        """
        covariance = self.covariance(symbols, session)
        deviation = np.sqrt(np.diag(covariance))
        with np.errstate(invalid="ignore"):
            return np.asarray(covariance / np.outer(deviation, deviation))

    def own_variance_ratio(
        self, symbols: Sequence[str], session: date, *, at_close: bool = False
    ) -> Floats:
        """Return own variance over its mean, reports apart, (symbols,): see `variance_ratios`."""
        scene = self._market.scene(session)
        at = scene.place(session)
        self._rows(symbols)
        own_knots = knots(self._market.seed, tuple(symbols))
        clustering = own_clustering(
            scene, slice(at, at + 1), own_knots, self._market.dial, at_close=at_close
        )
        return np.asarray(clustering[:, 0] ** 2)

    def variance_ratios(self, session: date, *, at_close: bool = False) -> Floats:
        """Return each group of factors' variance over its mean, (groups,).

        As it was when the session began, or at its close: what the next one begins with, and what
        options are priced with.
        """
        scene = self._market.scene(session)
        return (scene.closing_ratios if at_close else scene.ratios)[:, scene.place(session)]

    def group_variance(self, symbols: Sequence[str]) -> Floats:
        """Return the mean variance that comes from each group of factors, (symbols, groups)."""
        roster = self._market.roster
        return roster.group_variance[self._rows(symbols)] * SESSIONS_PER_YEAR

    def own_variance(self, symbols: Sequence[str]) -> Floats:
        """Return the mean variance of what is a security's own, (symbols,)."""
        return self._market.roster.own_volatility[self._rows(symbols)] ** 2

    def _rows(self, symbols: Sequence[str]) -> list[int]:
        for symbol in symbols:
            self._market.profile(symbol)
        return [self._market.roster.row[symbol] for symbol in symbols]
