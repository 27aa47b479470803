"""What the underlyings and option contracts of a chunk could do tomorrow, seen from their history,
and which holdings that moves.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from risk_engine.engine.frame import NO_CONTRACT, Frame
from risk_engine.engine.histories import factor_returns, lacks_factors, number_of
from risk_engine.engine.known_options import grid_of
from risk_engine.engine.underlyings import NO_UNDERLYING, VOLATILITY_INDEX
from risk_engine.quant.backtest import DAYS
from risk_engine.quant.filtered_simulation import (
    WINDOW,
    KeyArray,
    surprises,
)
from risk_engine.quant.gain_tables import damped_returns
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.returns import MIN_COVERAGE
from risk_engine.quant.revaluation import RevaluationGrid, profit_and_loss
from risk_engine.quant.volatility import EWMA_MINIMUM, ewma_volatility
from risk_engine.quant.volatility_surface import damping

NEGLIGIBLE: Final = 1e-9
"""Of the gross: this little is what rounding leaves of positions that cancel."""
_PARABOLA_REACH = 3.0
"""Tomorrow's volatilities of the underlying at which an option's parabola is its revaluation."""
_LEAST_REACH = 1e-3


@dataclass(frozen=True, eq=False)
class Series:
    """Returns and what filtering makes of them: (series, sessions), volatility a session longer.

    A series lies together in memory: books gather a few of thousands.
    """

    returns: FloatArray
    surprises: FloatArray
    volatility: FloatArray

    @classmethod
    def of(cls, returns: FloatArray) -> "Series":
        """Filter returns, (sessions, series), oldest first."""
        volatility = ewma_volatility(returns)
        measured = (returns, surprises(returns, volatility), volatility)
        return cls(*(np.ascontiguousarray(values.T) for values in measured))

    @property
    def sessions(self) -> int:
        """Return how many sessions have returns."""
        return len(self.returns.T)

    def plain(self, scenarios: int, rows: IntArray) -> FloatArray:
        """Return the last returns as they were, (rows, scenarios)."""
        return self.returns[rows, self.sessions - scenarios :]

    def filtered(self, scenarios: int, rows: IntArray) -> FloatArray:
        """Return the last returns in tomorrow's volatility, (rows, scenarios)."""
        last = self.surprises[rows, self.sessions - scenarios :]
        return np.maximum(last * self.volatility[rows, -1:], -1.0)


@dataclass(frozen=True, eq=False)
class OptionGains:
    """What contracts gain per share, NaN for those that nobody holds or that cannot be modelled.

    `plain` and `filtered` are (contracts, scenarios). `parabola` is (contracts, 3): constant, slope
    and curvature in the underlying's return, volatility as it is. `grid` revalues the contracts
    `known`, which are `on` those underlyings and whose `return_damping` is 1 but for options on a
    future.
    """

    plain: FloatArray
    filtered: FloatArray
    parabola: FloatArray
    grid: RevaluationGrid
    known: IntArray
    on: IntArray
    return_damping: FloatArray
    volatility_moves: bool


@dataclass(frozen=True, eq=False)
class Scenarios:
    """Tomorrow, `len(sessions)` times: one scenario for each of the last sessions.

    `underlyings` and `factors` are whole histories, completed from the factor model; a column with
    NaN is of something not `modelled`. `proxied` (underlyings,) has no history of its own, or rests
    on the factor model for more than a fifth of the scenarios; `expected` (underlyings,) rests on
    it in a scenario in which a factor is not known and counts as expected. `key` numbers the
    underlyings' names.
    """

    sessions: tuple[date, ...]
    underlyings: Series
    factors: Series
    modelled: BoolArray
    proxied: BoolArray
    expected: BoolArray
    key: KeyArray
    gains: OptionGains

    @property
    def count(self) -> int:
        """Return how many scenarios there are."""
        return len(self.sessions)


@dataclass(frozen=True, eq=False)
class Held:
    """Open holdings, (holdings,), in the order of their accounts; `row` is theirs in the frame.

    `units` is quantity times multiplier. `sensitivity` is dollars per unit of the underlying's
    return: the dollar delta, but for options on a future, which moves less than its underlying.
    Those not `modelled` are in no scenario.
    """

    row: IntArray
    account: IntArray
    underlying: IntArray
    contract: IntArray
    is_option: BoolArray
    units: FloatArray
    dollar_delta: FloatArray
    sensitivity: FloatArray
    modelled: BoolArray
    proxied: BoolArray

    def part(self, some: BoolArray | slice) -> "Held":
        """Return some of the holdings."""
        return Held(**{name: values[some] for name, values in vars(self).items()})


def scenarios_of(frame: Frame) -> Scenarios:
    """Filter the histories of a frame's underlyings and factors."""
    returns, dates = frame.return_histories.returns, frame.market.prices.sessions
    sessions = len(returns)
    count = max(0, min(WINDOW, sessions - EWMA_MINIMUM))
    needed = min(sessions, WINDOW + DAYS + EWMA_MINIMUM)
    modelled = np.asarray(np.isfinite(returns[sessions - needed :]).all(axis=0))
    is_own = ~np.isnan(frame.underlyings.returns[1:])
    is_own[:, frame.factor_model.is_cash] = True
    own_share = is_own[sessions - count :].sum(axis=0) / max(count, 1)
    proxied = frame.proxied | (own_share < MIN_COVERAGE)
    underlyings = Series.of(returns)
    lacking = lacks_factors(frame.factor_model)[sessions - count :]
    expected = (~is_own[sessions - count :] & lacking[:, None]).any(axis=0)
    return Scenarios(
        sessions=dates[len(dates) - count :],
        underlyings=underlyings,
        factors=Series.of(factor_returns(frame.factor_model)),
        modelled=modelled,
        proxied=np.asarray(proxied & modelled),
        expected=np.asarray(expected & modelled),
        key=np.array([number_of(key) for key in frame.underlyings.keys], dtype=np.uint64),
        gains=_option_gains(frame, underlyings, modelled, count),
    )


def held_in(frame: Frame, scenarios: Scenarios) -> Held:
    """Find the open holdings of all books, and which of them the scenarios move."""
    exposures = frame.exposures
    row = np.flatnonzero(exposures.is_open)
    underlying, contract = exposures.underlying[row], exposures.contract[row]
    is_option, dollar_delta = exposures.is_option[row], exposures.dollar_delta[row]
    units = exposures.quantity[row] * exposures.multiplier[row]
    named = underlying != NO_UNDERLYING
    modelled = named & np.isfinite(dollar_delta)
    modelled[named] &= scenarios.modelled[underlying[named]]
    # The last place is that of NO_CONTRACT.
    priced = np.append(np.isfinite(scenarios.gains.parabola).all(axis=1), False)
    modelled &= ~is_option | priced[contract]
    proxied = modelled.copy()
    proxied[modelled] = scenarios.proxied[underlying[modelled]]
    return Held(
        row=row,
        account=exposures.account[row],
        underlying=underlying,
        contract=contract,
        is_option=is_option,
        units=units,
        dollar_delta=dollar_delta,
        sensitivity=exposures.sensitivity[row],
        modelled=modelled,
        proxied=proxied,
    )


def position_gains(scenarios: Scenarios, held: Held, *, filtered: bool) -> FloatArray:
    """Return what modelled holdings gain in each scenario, (holdings, scenarios)."""
    series = scenarios.underlyings
    moved = series.filtered if filtered else series.plain
    gains = held.dollar_delta[:, None] * moved(scenarios.count, held.underlying)
    of_contracts = scenarios.gains.filtered if filtered else scenarios.gains.plain
    options = np.flatnonzero(held.is_option)
    gains[options] = held.units[options, None] * of_contracts[held.contract[options]]
    return np.asarray(gains)


def is_flat(gains: FloatArray) -> bool:
    """Tell whether no scenario moves the sum of holdings' gains, (holdings, scenarios)."""
    gross = np.abs(gains).sum(axis=0).max(initial=0.0)
    return bool(np.abs(gains.sum(axis=0)).max(initial=0.0) <= NEGLIGIBLE * gross)


def _option_gains(
    frame: Frame, underlyings: Series, modelled: BoolArray, count: int
) -> OptionGains:
    contracts = frame.contracts
    terms = contracts.terms
    inputs = (terms.spot, terms.strike, terms.volatility, terms.rate, terms.dividend_yield)
    expired = np.array([reason == "expired" for reason in contracts.reason], dtype=np.bool_)
    priced = np.isfinite(sum(inputs) + terms.years) & (contracts.underlying != NO_UNDERLYING)
    held = np.zeros(len(contracts), dtype=np.bool_)
    held[frame.exposures.contract[frame.exposures.contract != NO_CONTRACT]] = True
    known = np.flatnonzero(priced & held & ~expired)
    known = known[modelled[contracts.underlying[known]]]
    on, options = contracts.underlying[known], terms.part(known)
    damped = damping(options.years)
    of_returns = np.where(contracts.on_future[known], damped, 1.0)
    grid = grid_of(frame.memo, options, contracts.american[known])
    plain_change, filtered_change = _volatility_changes(frame, count)
    of_volatility = np.where(contracts.on_future[known], 0.0, damped)
    gains = np.full((2, len(contracts), count), np.nan)
    gains[:, expired] = 0.0
    for place, (moved, change) in enumerate(
        ((underlyings.plain, plain_change), (underlyings.filtered, filtered_change))
    ):
        returns = moved(count, on)
        if change is not None:
            # One move of the index for what is on it and for all other volatilities.
            returns[contracts.on_future[known]] = np.expm1(change)
        returns = damped_returns(returns, of_returns)
        changes = None if change is None else of_volatility[:, None] * change
        gains[place, known] = profit_and_loss(grid, returns, changes)
    parabola = np.full((len(contracts), 3), np.nan)
    parabola[expired] = 0.0
    parabola[known] = _parabola(grid, of_returns, underlyings.volatility[on, -1])
    return OptionGains(
        plain=gains[0],
        filtered=gains[1],
        parabola=parabola,
        grid=grid,
        known=known,
        on=on,
        return_damping=of_returns,
        volatility_moves=plain_change is not None,
    )


def _parabola(grid: RevaluationGrid, damped: FloatArray, volatility: FloatArray) -> FloatArray:
    reach = np.clip(_PARABOLA_REACH * volatility, _LEAST_REACH, 0.5)
    nodes = reach[:, None] * np.array([-1.0, 0.0, 1.0])
    fall, still, rise = profit_and_loss(grid, damped_returns(nodes, damped)).T
    slope, curvature = (rise - fall) / (2 * reach), (rise + fall - 2 * still) / (2 * reach**2)
    return np.stack((still, slope, curvature), axis=1)


def _volatility_changes(frame: Frame, count: int) -> tuple[FloatArray | None, FloatArray | None]:
    # Log changes of the index, (scenarios,) each; None where it has no history: volatility stands.
    reference = frame.market.reference
    column = reference.columns.get(VOLATILITY_INDEX)
    if column is None or not count:
        return None, None
    close = reference.close[-len(frame.market.prices.sessions) :, column]
    level = np.log(np.where(close > 0, close, np.nan))
    known = np.isfinite(level)
    if np.isfinite(np.diff(level)[-count:]).mean() < MIN_COVERAGE or len(level) <= count:
        return None, None
    # Over a gap it moved by what lies between the closes on either side: no change is lost.
    row = np.arange(len(level))
    index = Series.of(np.diff(np.interp(row, row[known], level[known]))[:, None])
    # Changes of a logarithm have no floor.
    return index.returns[0, -count:], index.surprises[0, -count:] * index.volatility[0, -1]
