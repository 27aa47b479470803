"""Lay a frame out for stress: what moves with what, and what options are worth at any market."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from risk_engine.domain import Position
from risk_engine.domain.scenarios import MARKET, RATES
from risk_engine.engine.asset_classes import daily_multiples
from risk_engine.engine.digests import digest_of
from risk_engine.engine.frame import NO_CONTRACT, Frame
from risk_engine.engine.known_options import stressed_prices_of
from risk_engine.engine.underlyings import NO_UNDERLYING
from risk_engine.quant.conditional import stress_covariance
from risk_engine.quant.factors import FACTORS
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.reverse_stress import Book
from risk_engine.quant.stress import FactorAxis, Underlyings
from risk_engine.quant.stress_attribution import Positions
from risk_engine.quant.stressed_options import Contracts
from risk_engine.quant.stressed_prices import StressedPrices

AXIS: Final = FactorAxis(market=FACTORS.index(MARKET), rates=FACTORS.index(RATES))


@dataclass(frozen=True, eq=False)
class StressInputs:
    """A chunk ready to be stressed.

    `holding` are the open holdings that are stressed, (positions,), rows of the frame's; `size` is
    their market value without its sign, and the marks are (positions,) too; `is_own`,
    (underlyings,), marks what moves by a history of its own. `known` tells of each factor whether
    the model has it, `covariance` is (factors, factors), NaN where not known.
    """

    frame: Frame
    book: Book
    holding: IntArray
    size: FloatArray
    is_option: BoolArray
    is_private: BoolArray
    is_cash: BoolArray
    is_proxied: BoolArray
    is_stale: BoolArray
    is_own: BoolArray
    known: BoolArray
    covariance: FloatArray

    @cached_property
    def lines(self) -> Sequence[Position]:
        """Return the position behind each holding of the frame."""
        lines = self.frame.valued.ledger.lines
        return [line.position for mine in lines for line in mine if line.row is not None]


def stress_inputs(frame: Frame) -> StressInputs:
    """Lay out all open holdings of a frame."""
    exposures, model = frame.exposures, frame.factor_model
    holding = np.flatnonzero(exposures.is_open)
    known = model.available
    row, listed = exposures.underlying[holding], exposures.contract[holding]
    # Contracts that only told of a neighbour's volatility are not held.
    used = np.unique(listed[listed != NO_CONTRACT])
    contract = np.where(listed == NO_CONTRACT, NO_CONTRACT, np.searchsorted(used, listed))
    contracts, prices = _contracts(frame, used)
    underlyings = _underlyings(frame, known, contracts)
    is_option = exposures.is_option[holding]
    last = len(frame.market.ledger.sessions) - 1
    price_row = frame.valued.values.price_row[holding]
    units = exposures.quantity * exposures.multiplier
    return StressInputs(
        frame=frame,
        book=Book(
            positions=Positions(
                portfolio=exposures.account[holding],
                underlying=_moved_by(
                    np.where(is_option, NO_UNDERLYING, row),
                    contract,
                    contracts,
                    len(underlyings) - 1,
                ),
                contract=contract,
                units=np.where(is_option, units[holding], exposures.value[holding]),
            ),
            underlyings=underlyings,
            contracts=contracts,
            revalue=prices,
            axis=AXIS,
            portfolios=len(frame.books),
        ),
        holding=holding,
        size=np.abs(exposures.value[holding]),
        is_option=is_option,
        is_private=_marked(row, [kind == "private" for kind in frame.underlyings.kinds]),
        # An option on a fund of bills is an option.
        is_cash=_marked(row, frame.factor_model.is_cash.tolist()) & ~is_option,
        is_proxied=_marked(row, frame.proxied.tolist()),
        is_stale=(price_row >= 0) & (price_row < last),
        is_own=~frame.proxied,
        known=known,
        covariance=frame.memo.once(
            "stress covariance",
            digest_of(model.returns),
            lambda: stress_covariance(model.returns, AXIS.market),
        ),
    )


def _moved_by(row: IntArray, contract: IntArray, contracts: Contracts, nothing: int) -> IntArray:
    """Return the row of `Underlyings` each position moves with; `nothing` is of what has none.

    An option moves with its contract's; one whose terms are not complete has none.
    """
    moved = np.where(row == NO_UNDERLYING, nothing, row)
    listed = contract != NO_CONTRACT
    moved[listed] = contracts.underlying[contract[listed]]
    return moved


def _marked(row: IntArray, marks: Sequence[bool]) -> BoolArray:
    # Row -1, of what has no underlying, is the last one.
    return np.array([*marks, False], dtype=np.bool_)[row]


def _underlyings(frame: Frame, known: BoolArray, contracts: Contracts) -> Underlyings:
    """Return the frame's underlyings, the future of each option on one, and one not known."""
    durations = frame.factor_model.durations
    future_years = contracts.years[contracts.keeps_volatility]
    others = np.full(len(future_years) + 1, np.nan)

    def published(measure: FloatArray) -> FloatArray:
        return np.concatenate((np.where(durations.published, measure, np.nan), others))

    # A factor that the model does not have moves nothing, rather than making all unknown.
    loadings = np.where(known, frame.factor_model.loadings, 0.0)
    unloaded = np.zeros((len(others), loadings.shape[1]))
    unloaded[-1] = np.nan
    return Underlyings(
        betas=np.concatenate((loadings, unloaded)),
        duration=published(durations.duration),
        convexity=published(durations.convexity),
        future_years=np.concatenate(
            (np.full(len(frame.underlyings), np.nan), future_years, [np.nan])
        ),
        multiple=np.concatenate((_multiples(frame), np.ones(len(others)))),
    )


def _multiples(frame: Frame) -> FloatArray:
    known = daily_multiples()
    return np.array(
        [1.0 if key.subtype else known.get(key.symbol, 1.0) for key in frame.underlyings.keys],
        dtype=np.float64,
    )


def _contracts(frame: Frame, used: IntArray) -> tuple[Contracts, StressedPrices]:
    """Return some of the frame's contracts, each option on a future moving with its own."""
    listed = frame.contracts
    terms, on_future = listed.terms.part(used), listed.on_future[used]
    prices = stressed_prices_of(frame.memo, terms, listed.american[used], on_future)
    rows = np.arange(len(used), dtype=np.int64)
    now = (terms.spot[:, None], terms.volatility[:, None], np.zeros((len(rows), 1)))
    own = len(frame.underlyings)
    nothing = own + int(on_future.sum())
    underlying = listed.underlying[used]
    greeks = listed.greeks
    contracts = Contracts(
        underlying=np.where(
            on_future,
            own + np.cumsum(on_future) - 1,
            np.where(underlying == NO_UNDERLYING, nothing, underlying),
        ),
        spot=terms.spot,
        volatility=terms.volatility,
        years=terms.years,
        # The model's own price, by the same method: what is wrong with it cancels.
        price=prices(rows, *now)[:, 0],
        delta=greeks.delta[used],
        gamma=greeks.gamma[used],
        vega=greeks.vega[used],
        rho=greeks.rho[used],
        keeps_volatility=on_future,
    )
    return contracts, prices
