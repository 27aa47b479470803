"""Run all scenarios over a chunk: every portfolio in every one, isolated and correlated."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from risk_engine.domain.scenarios import FUNDS, LEGS, MARKET, RATES, Scenario
from risk_engine.engine.asset_classes import fund_durations
from risk_engine.engine.stress_inputs import AXIS, StressInputs
from risk_engine.quant.conditional import (
    Plausibility,
    conditional_shocks,
    isolated_shocks,
    plausibility,
    spread_shocks,
)
from risk_engine.quant.factors import FACTORS, market_slope
from risk_engine.quant.margin import maintenance_margin
from risk_engine.quant.panel import BoolArray, FloatArray
from risk_engine.quant.stress import Moves, underlying_moves, volatility_shock
from risk_engine.quant.stress_attribution import (
    NO_CONTRACT,
    known_share,
    portfolio_profit,
    position_profit,
    profit_by_factor,
    profit_by_greek,
    residual_deviation,
)
from risk_engine.quant.stressed_options import OptionMoves, option_changes, option_moves

SLOPE_SESSIONS: Final = 252
"""Over which the market's part of a spread is estimated, as the factors' own definition does."""
CAUSES: Final = (*FACTORS, "VOLATILITY", "SPECIFIC")
_MARKET_FUND: Final = "SPY"


@dataclass(frozen=True, eq=False)
class ScenarioRuns:
    """What scenarios do to portfolios, (portfolios, scenarios), in money; NaN is "not known".

    `stated`, `isolated` and `correlated` are the shocks, (scenarios, factors), `..._volatility` the
    relative shocks of 30-day implied volatility, (scenarios,).
    Profits: `direct` under the isolated shocks, the others under the correlated ones, of which
    `without_volatility` and `double_volatility` are with none and twice of the volatility shock,
    `..._listed` without what stands in for something else. `by_cause` are (portfolios, scenarios,
    CAUSES), `by_greek` likewise, `positions_direct` and `positions_correlated` (positions,
    scenarios). `specific_deviation` is of specific risk over the horizon, `margin` what a broker
    would want after the correlated shocks, `share` how much of the gross value is in the profits.
    """

    stated: FloatArray
    isolated: FloatArray
    correlated: FloatArray
    isolated_volatility: FloatArray
    correlated_volatility: FloatArray
    plausibility: Plausibility
    direct: FloatArray
    correlated_profit: FloatArray
    direct_listed: FloatArray
    correlated_listed: FloatArray
    without_volatility: FloatArray
    double_volatility: FloatArray
    by_cause: FloatArray
    by_greek: FloatArray
    positions_direct: FloatArray
    positions_correlated: FloatArray
    specific_deviation: FloatArray
    margin: FloatArray
    share: FloatArray


def run_scenarios(inputs: StressInputs, scenarios: Sequence[Scenario]) -> ScenarioRuns:
    """Run scenarios over a chunk."""
    book, held = inputs.book, inputs.book.positions
    stated = stated_shocks(inputs, scenarios)
    isolated = _of_known(isolated_shocks(stated), stated, inputs)
    correlated = expected_shocks(inputs, stated)
    rule = np.array([np.nan if one.volatility is None else one.volatility for one in scenarios])
    at_once = _Run(inputs, isolated, rule)
    full = _Run(inputs, correlated, rule)
    options = full.option_moves()
    direct = position_profit(held, at_once.moves.returns, at_once.option_changes())
    profit = position_profit(held, full.moves.returns, options.change)
    everything = np.ones(len(inputs.is_own), dtype=np.bool_)
    specific = _specific_deviation(inputs, scenarios, everything)
    multiple = np.array([one.residual_multiple for one in scenarios])
    lost = specific * multiple
    lost_of_listed = _specific_deviation(inputs, scenarios, inputs.is_own) * multiple
    by_greek = profit_by_greek(held, full.moves, options, book.portfolios)
    by_greek[..., -1] -= lost
    by_factor = profit_by_factor(held, full.moves, options, AXIS.rates, book.portfolios)
    volatility = [
        total(inputs, position_profit(held, full.returns_at(times), change)) - lost
        for times, change in ((0, options.without_volatility), (2, options.double_volatility))
    ]
    missing = np.isnan(total(inputs, profit))[..., None]
    return ScenarioRuns(
        stated=stated,
        isolated=isolated,
        correlated=correlated,
        isolated_volatility=at_once.volatility,
        correlated_volatility=full.volatility,
        plausibility=plausibility(
            stated, inputs.covariance, np.array([float(one.horizon) for one in scenarios])
        ),
        direct=total(inputs, direct) - lost,
        correlated_profit=total(inputs, profit) - lost,
        direct_listed=total(inputs, direct, ~inputs.is_proxied) - lost_of_listed,
        correlated_listed=total(inputs, profit, ~inputs.is_proxied) - lost_of_listed,
        without_volatility=volatility[0],
        double_volatility=volatility[1],
        by_cause=np.where(missing, np.nan, np.concatenate((by_factor, -lost[..., None]), axis=-1)),
        by_greek=np.where(missing, np.nan, by_greek),
        positions_direct=direct,
        positions_correlated=profit,
        specific_deviation=specific,
        margin=np.where(missing[..., 0], np.nan, _margin(inputs, full.moves, profit)),
        share=known_share(held, profit, inputs.size, book.portfolios),
    )


def total(inputs: StressInputs, profit: FloatArray, counted: BoolArray | None = None) -> FloatArray:
    """Add profits up by portfolio, (portfolios, scenarios); NaN where none of several is known.

    With `counted`, (positions,), only those marks say are added up or known.
    """
    held, portfolios = inputs.book.positions, inputs.book.portfolios
    used = profit if counted is None else np.where(counted[:, None], profit, np.nan)
    none_known = known_share(held, used, np.ones(len(held)), portfolios) == 0
    return np.where(none_known, np.nan, portfolio_profit(held, used, portfolios))


def expected_shocks(inputs: StressInputs, stated: FloatArray) -> FloatArray:
    """Return what is expected of all factors given the stated ones, (scenarios, factors).

    A free factor of which the covariance says nothing stays where it is.
    """
    expected = conditional_shocks(stated, inputs.covariance)
    unsaid = np.isnan(np.diag(inputs.covariance)) & np.isnan(stated)
    usable = np.isfinite(inputs.covariance[AXIS.market, AXIS.market])
    return _of_known(np.where(unsaid & usable, 0.0, expected), stated, inputs)


def stated_shocks(inputs: StressInputs, scenarios: Sequence[Scenario]) -> FloatArray:
    """Return what scenarios say of each residual factor, (scenarios, factors), NaN for nothing."""
    shocks = np.array(
        [[one.shocks.get(name, np.nan) for name in FACTORS] for one in scenarios]
    ).reshape(len(scenarios), len(FACTORS))
    by_funds = [row for row, one in enumerate(scenarios) if set(FUNDS) & _funds_of(one)]
    if by_funds:
        names = (_MARKET_FUND, *FUNDS, RATES)
        stated = np.array(
            [
                [
                    scenarios[row].shocks.get(MARKET if name == _MARKET_FUND else name, np.nan)
                    for name in names
                ]
                for row in by_funds
            ]
        )
        legs = _legs()
        shocks[by_funds] = spread_shocks(stated, legs, _market_slopes(inputs, legs), AXIS.market)
    return shocks


def _funds_of(scenario: Scenario) -> set[str]:
    # QUAL is a factor and a fund: the basis says which is meant.
    return set(scenario.shocks) if scenario.basis == "total" else set()


def _of_known(shocks: FloatArray, stated: FloatArray, inputs: StressInputs) -> FloatArray:
    # A scenario about a factor that the model does not have says nothing.
    unknown = (np.isfinite(stated) & (stated != 0) & ~inputs.known).any(axis=1)
    return np.where(unknown[:, None], np.nan, shocks)


def _legs() -> FloatArray:
    """Return the funds of each factor, (factors, market fund, FUNDS and the yield)."""
    durations = fund_durations()
    hedge = durations["HYG"].duration / durations["IEF"].duration
    weights = {
        "SIZE": (1.0, -1.0),
        "VALUE": (1.0, -1.0),
        "MOM": (1.0, -1.0),
        "QUAL": (1.0, -1.0),
        "LOWVOL": (1.0,),
        "CREDIT": (1.0, -hedge),
    }
    names = (_MARKET_FUND, *FUNDS, RATES)
    legs = np.zeros((len(FACTORS), len(names)))
    legs[AXIS.market, 0] = legs[AXIS.rates, -1] = 1.0
    for factor, funds in LEGS.items():
        pairs = (*funds, _MARKET_FUND) if len(weights[factor]) > len(funds) else funds
        for fund, weight in zip(pairs, weights[factor], strict=True):
            legs[FACTORS.index(factor), names.index(fund)] = weight
    return legs


def _market_slopes(inputs: StressInputs, legs: FloatArray) -> FloatArray:
    columns = inputs.frame.market.reference.columns
    recent = inputs.frame.factor_model.panel.funds[-SLOPE_SESSIONS:]
    unknown = np.full(len(recent), np.nan)
    funds = np.column_stack(
        [
            recent[:, columns[name]] if name in columns else unknown
            for name in (_MARKET_FUND, *FUNDS)
        ]
    )
    market, spreads = funds[:, 0], _spreads(funds, legs[:, :-1])
    # Each factor's slope over the sessions that both are known of, as its own definition has it.
    slopes = np.array([market_slope(spread, market) for spread in spreads.T])
    slopes[[AXIS.market, AXIS.rates]] = 0.0
    return slopes


def _spreads(funds: FloatArray, legs: FloatArray) -> FloatArray:
    # A fund that is no leg may be unknown.
    return np.column_stack([funds[:, weights != 0] @ weights[weights != 0] for weights in legs])


class _Run:
    # One set of shocks, and what it does to underlyings and contracts.

    def __init__(self, inputs: StressInputs, shocks: FloatArray, rule: FloatArray) -> None:
        self._book = inputs.book
        self._yield_move = shocks[:, AXIS.rates]
        self.volatility = volatility_shock(shocks[:, AXIS.market], rule)
        self.moves: Moves = underlying_moves(inputs.book.underlyings, shocks, self.volatility, AXIS)

    def option_changes(self) -> FloatArray:
        book = self._book
        return option_changes(
            book.contracts, self.moves, self.volatility, self._yield_move, book.revalue
        )

    def option_moves(self) -> OptionMoves:
        book = self._book
        return option_moves(
            book.contracts, self.moves, self.volatility, self._yield_move, book.revalue
        )

    def returns_at(self, times: float) -> FloatArray:
        """Return the underlyings' returns at a multiple of the volatility shock."""
        moves = self.moves
        return np.where(moves.from_volatility, times * moves.returns, moves.returns)


def _specific_deviation(
    inputs: StressInputs, scenarios: Sequence[Scenario], counted: BoolArray
) -> FloatArray:
    # Of the underlyings that count, (underlyings,).
    deltas = np.where(counted, inputs.frame.sensitivities, 0.0)
    variance = inputs.frame.factor_model.specific_variance
    owner, row = np.nonzero(deltas)
    horizon = np.array([float(one.horizon) for one in scenarios])
    return residual_deviation(
        owner, deltas[owner, row], variance[row], horizon, inputs.book.portfolios
    )


def _margin(inputs: StressInputs, moves: Moves, profit: FloatArray) -> FloatArray:
    book, held = inputs.book, inputs.book.positions
    value = inputs.frame.exposures.value[inputs.holding][:, None] + profit
    is_listed = held.contract != NO_CONTRACT
    notional = np.zeros(profit.shape)
    spot = book.contracts.spot[held.contract[is_listed]][:, None]
    returns = moves.returns[held.underlying[is_listed]]
    units = np.abs(held.units[is_listed])
    notional[is_listed] = units[:, None] * spot * (1 + returns)
    listed = inputs.frame.exposures.contract[inputs.holding[is_listed]]
    terms = inputs.frame.contracts.terms
    at_strike, is_call = np.zeros(len(held)), np.zeros(len(held), dtype=np.bool_)
    at_strike[is_listed], is_call[is_listed] = units * terms.strike[listed], terms.is_call[listed]
    return maintenance_margin(
        held.portfolio,
        value,
        notional,
        at_strike,
        is_call=is_call,
        is_short=held.units < 0,
        is_option=inputs.is_option,
        is_private=inputs.is_private,
        is_cash=inputs.is_cash,
        portfolios=book.portfolios,
    )
