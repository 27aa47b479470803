"""Let portfolios live through windows of the past again, all at once."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal

import numpy as np

from risk_engine.domain.scenarios import Window
from risk_engine.engine.stress_inputs import AXIS, StressInputs
from risk_engine.engine.stress_runs import expected_shocks, total
from risk_engine.engine.underlyings import VOLATILITY_INDEX
from risk_engine.quant.factors import FACTORS
from risk_engine.quant.panel import FloatArray
from risk_engine.quant.replay import window_moves, window_returns
from risk_engine.quant.stress import Moves, underlying_moves, volatility_shock
from risk_engine.quant.stress_attribution import known_share, position_profit
from risk_engine.quant.stressed_options import option_changes

MoveSource = Literal["history", "file", "expected", "unknown"]
ReplayedBy = Literal["own_history", "factors"]
ReplayReason = Literal["after_as_of", "before_history", "market_not_known", "simulated_history"]
SIMULATED: Final = "simulated"
"""What the simulator is called among providers of prices."""


@dataclass(frozen=True, eq=False)
class Replays:
    """What windows do to portfolios, (portfolios, windows), in money; NaN is "not known".

    `moves` of factors are (windows, factors), with where each is from in `sources`; `volatility` is
    the relative shock of 30-day implied volatility, (windows,). `profit` is NaN in windows with a
    `reason`; `listed` is without what stands in for something else.
    `own_share` is how much of the gross value moved as its own history says, `share` how much is in
    the profit. `replayed_by` says of each position, (positions, windows), how it moved: as it, or
    what it is on, did, or as the factors did; None where it is in no profit.
    """

    moves: FloatArray
    sources: tuple[tuple[MoveSource, ...], ...]
    volatility: FloatArray
    volatility_sources: tuple[MoveSource, ...]
    reasons: tuple[ReplayReason | None, ...]
    profit: FloatArray
    listed: FloatArray
    own_share: FloatArray
    share: FloatArray
    replayed_by: tuple[tuple[ReplayedBy | None, ...], ...]


@dataclass(frozen=True, eq=False)
class _Told:
    # What is said of one window: NaN where nothing is.
    moves: FloatArray
    sources: tuple[MoveSource, ...]
    volatility: float
    volatility_source: MoveSource
    own: FloatArray
    reason: ReplayReason | None


def run_replays(inputs: StressInputs, windows: Sequence[Window]) -> Replays:
    """Run windows over a chunk: by own history where it reaches back, else by the factors' moves.

    A factor of which nothing is known is expected given the others. Simulated sessions are never
    taken for what happened on their dates: a simulated market knows what the file says.
    """
    told = [_told(inputs, window) for window in windows]
    count, book, held = len(windows), inputs.book, inputs.book.positions
    known = np.array([one.moves for one in told]).reshape(count, len(FACTORS))
    moves = expected_shocks(inputs, known)
    volatility = volatility_shock(moves[:, AXIS.market], np.array([one.volatility for one in told]))
    by_factors = underlying_moves(book.underlyings, moves, volatility, AXIS, over_sessions=True)
    own = np.full(by_factors.returns.shape, np.nan)
    own[: len(inputs.frame.underlyings)] = (
        np.array([one.own for one in told]).reshape(count, len(inputs.frame.underlyings)).T
    )
    lived: Moves = replace(by_factors, returns=np.where(np.isnan(own), by_factors.returns, own))
    changes = option_changes(book.contracts, lived, volatility, moves[:, AXIS.rates], book.revalue)
    # Options are of the model throughout; what they are on moves as it did.
    profit = position_profit(held, lived.returns, changes)
    unknown = np.array([one.reason is not None for one in told], dtype=np.bool_)
    profit[:, unknown] = np.nan
    lived_itself = ~np.isnan(own[held.underlying])
    by_own = np.where(lived_itself, profit, np.nan)
    moves[unknown], volatility[unknown] = np.nan, np.nan
    return Replays(
        moves=moves,
        sources=tuple(
            tuple(
                "unknown" if source == "expected" and np.isnan(move) else source
                for source, move in zip(one.sources, row, strict=True)
            )
            for one, row in zip(told, moves.tolist(), strict=True)
        ),
        volatility=volatility,
        volatility_sources=tuple(one.volatility_source for one in told),
        reasons=tuple(one.reason for one in told),
        profit=total(inputs, profit),
        listed=total(inputs, profit, ~inputs.is_proxied),
        own_share=known_share(held, by_own, inputs.size, book.portfolios),
        share=known_share(held, profit, inputs.size, book.portfolios),
        replayed_by=tuple(
            tuple(
                None if unknown else "own_history" if own else "factors"
                for unknown, own in zip(*of_position, strict=True)
            )
            for of_position in zip(np.isnan(profit).tolist(), lived_itself.tolist(), strict=True)
        ),
    )


def is_simulated(inputs: StressInputs) -> bool:
    """Tell whether some of the market's past is the simulator's."""
    market = inputs.frame.market
    return SIMULATED in (market.prices.provider, market.reference.provider)


def _told(inputs: StressInputs, window: Window) -> _Told:
    model, simulated = inputs.frame.factor_model, is_simulated(inputs)
    history = None if simulated else _rows(model.sessions, window)
    lived = (
        np.full(len(FACTORS), np.nan)
        if history is None
        else window_moves(model.returns[history], AXIS)
    )
    filed = np.array([window.moves.get(name, np.nan) for name in FACTORS])
    moves = np.where(np.isnan(lived), filed, lived)
    sources = tuple(_source(*one) for one in zip(lived.tolist(), filed.tolist(), strict=True))
    index = np.nan if simulated else _index_move(inputs, window)
    volatility = index if np.isfinite(index) or window.volatility is None else window.volatility
    reason: ReplayReason | None = None
    if window.end > inputs.frame.as_of:
        reason = "after_as_of"
    elif np.isnan(moves[AXIS.market]) and simulated:
        reason = "simulated_history"
    elif np.isnan(moves[AXIS.market]):
        reason = "before_history" if history is None else "market_not_known"
    return _Told(
        moves=moves,
        sources=sources,
        volatility=float(volatility),
        volatility_source=_source(
            index, np.nan if window.volatility is None else window.volatility
        ),
        own=_own_returns(inputs, window),
        reason=reason,
    )


def _source(lived: float, filed: float) -> MoveSource:
    if np.isfinite(lived):
        return "history"
    return "file" if np.isfinite(filed) else "expected"


def _rows(sessions: Sequence[date], window: Window) -> slice | None:
    """Return the sessions after the window's start until its end; None where it is not covered."""
    if not sessions or window.start < sessions[0] or window.end > sessions[-1]:
        return None
    first = bisect_left(sessions, window.start) + 1
    end = bisect_left(sessions, window.end) + 1
    return slice(first, end) if end > first else None


def _own_returns(inputs: StressInputs, window: Window) -> FloatArray:
    """Return what underlyings returned over the window, (underlyings,), NaN where not known.

    By the panel where it reaches back, by the longer reference for the funds that are in that.
    """
    frame = inputs.frame
    own = np.full(len(frame.underlyings), np.nan)
    if is_simulated(inputs):
        return own
    rows = _rows(frame.market.prices.sessions, window)
    if rows is not None:
        own = window_returns(frame.underlyings.returns[rows])
    long_ago = _rows(frame.factor_model.sessions, window)
    if long_ago is not None:
        columns = frame.market.reference.columns
        lived = window_returns(frame.factor_model.panel.funds[long_ago])
        for row in np.flatnonzero(np.isnan(own)).tolist():
            key = frame.underlyings.keys[row]
            if key.subtype is None and key.symbol in columns:
                own[row] = lived[columns[key.symbol]]
    return own


def _index_move(inputs: StressInputs, window: Window) -> float:
    reference = inputs.frame.market.reference
    rows = _rows(reference.sessions, window)
    column = reference.columns.get(VOLATILITY_INDEX)
    if rows is None or column is None:
        return np.nan
    close = reference.close[:, column]
    return float(close[rows.stop - 1] / close[rows.start - 1] - 1)
