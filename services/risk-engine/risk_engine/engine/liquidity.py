"""How long each book takes to sell, instrument by instrument: shares and contracts on their own
volume.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from risk_engine.engine.frame import NO_CONTRACT, Frame
from risk_engine.engine.results import table
from risk_engine.engine.underlyings import NO_UNDERLYING
from risk_engine.quant.exposure import Pairs, net_by_pair, pair_up, span_of
from risk_engine.quant.liquidity import (
    PARTICIPATION,
    average_daily_volume,
    days_to_liquidate,
    liquidation_scale,
    sold_within,
)
from risk_engine.quant.panel import NO_COLUMN, FloatArray, IntArray

Basis = Literal["average_volume", "session_volume", "redemption", "cash", "none"]
REDEMPTION_DAYS: Final = 1.0
"""A fund that is not listed pays out at its next net asset value, whatever its size."""
UNKNOWN_INSTRUMENT: Final = -1
HORIZONS: Final = (1, 5, 20)
"""Sessions after which it is said how much of a book is sold."""


@dataclass(frozen=True, eq=False)
class Liquidity:
    """What an account holds of each instrument, (pairs,), and how long it takes to sell.

    `instrument` of a pair is a row of the underlyings or, from `len(underlyings)`, of the
    contracts. `holding` are the open holdings that make up the pairs. `days` are sessions, NaN
    where not known; `scale` is `quant.liquidity.liquidation_scale` of them.
    """

    pairs: Pairs
    holding: IntArray
    quantity: FloatArray
    value: FloatArray
    daily_volume: FloatArray
    days: FloatArray
    scale: FloatArray
    basis: tuple[Basis, ...]

    def of_holdings(self, pair_values: FloatArray, holdings: int) -> FloatArray:
        """Return what is known of its pair for each holding, (holdings,); NaN for the others."""
        spread = np.full(holdings, np.nan)
        spread[self.holding] = pair_values[self.pairs.of_holding]
        return spread


def liquidity_of(frame: Frame) -> Liquidity:
    """Find out how long every account takes to sell what it holds of each instrument."""
    exposures = frame.exposures
    instrument = instruments(frame)
    holding = np.flatnonzero(exposures.is_open & (instrument != UNKNOWN_INSTRUMENT))
    pairs = pair_up(exposures.account[holding], instrument[holding], len(frame.books))
    volume, basis = _daily_volumes(frame)
    held = [basis[place] for place in pairs.underlying.tolist()]
    quantity = net_by_pair(pairs, exposures.quantity[holding])
    traded = volume[pairs.underlying]
    days = days_to_liquidate(quantity, traded)
    days = np.where([one == "redemption" for one in held], REDEMPTION_DAYS, days)
    days = np.where([one == "cash" for one in held], 0.0, days)
    return Liquidity(
        pairs=pairs,
        holding=holding,
        quantity=quantity,
        value=net_by_pair(pairs, exposures.value[holding]),
        daily_volume=traded,
        days=days,
        scale=liquidation_scale(days),
        basis=tuple(held),
    )


def instruments(frame: Frame) -> IntArray:
    """Number what each holding is of, (holdings,): underlyings first, then contracts."""
    exposures = frame.exposures
    listed = np.where(
        exposures.contract == NO_CONTRACT,
        UNKNOWN_INSTRUMENT,
        len(frame.underlyings) + exposures.contract,
    )
    owned = np.where(
        exposures.underlying == NO_UNDERLYING, UNKNOWN_INSTRUMENT, exposures.underlying
    )
    return np.where(exposures.is_option, listed, owned)


def liquidity_payload(frame: Frame, liquidity: Liquidity, account: int) -> dict[str, Any]:
    """Say how long one book takes to sell, and each of its instruments."""
    some = span_of(liquidity.pairs.account, account)
    rows = liquidity.pairs.underlying[some].tolist()
    value, days = liquidity.value[some], liquidity.days[some]
    mine = np.zeros(len(rows), dtype=np.int64)
    known = np.isfinite(days)
    gross = np.abs(value).sum() or np.nan
    return {
        "participation": PARTICIPATION,
        "sold": table(
            sessions=list(HORIZONS),
            share=[sold_within(mine, value, days, most, 1)[0] for most in HORIZONS],
        ),
        "sold_of": "gross value of the instruments whose volume is known",
        "known_share": np.abs(value[known]).sum() / gross,
        "longest": days[known].max() if known.any() else np.nan,
        "instruments": table(
            symbol=[_name(frame, row) for row in rows],
            quantity=liquidity.quantity[some],
            value=value,
            daily_volume=liquidity.daily_volume[some],
            days=days,
            scale=liquidity.scale[some],
            basis=list(liquidity.basis[some]),
        ),
    }


def _name(frame: Frame, instrument: int) -> str:
    count = len(frame.underlyings)
    if instrument < count:
        return frame.underlyings.keys[instrument].symbol
    return frame.contracts.contracts[instrument - count].symbol


def _daily_volumes(frame: Frame) -> tuple[FloatArray, list[Basis]]:
    # (underlyings + contracts,): shares or contracts a session.
    prices, underlyings = frame.market.prices, frame.underlyings
    volume = np.full(len(underlyings), np.nan)
    priced = underlyings.column != NO_COLUMN
    if prices.volume is not None:
        average = average_daily_volume(prices.volume, prices.split_ratio)
        volume[priced] = average[underlyings.column[priced]]
    basis: list[Basis] = [
        "cash" if cash else _basis(kind, traded)
        for cash, kind, traded in zip(
            frame.factor_model.is_cash.tolist(), underlyings.kinds, volume.tolist(), strict=True
        )
    ]
    said = frame.market.snapshots
    rows = [said.rows.get(contract.symbol) for contract in frame.contracts.contracts]
    contracts = np.array([np.nan if row is None else said.volume[row] for row in rows])
    basis += ["session_volume" if traded > 0 else "none" for traded in contracts.tolist()]
    return np.concatenate([volume, contracts]), basis


def _basis(kind: str, traded: float) -> Basis:
    if kind == "mutual_fund":
        return "redemption"
    return "average_volume" if traded > 0 else "none"
