"""How far prices move with interest rates: as fund companies say, else as returns tell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from risk_engine.engine.asset_classes import fund_durations
from risk_engine.engine.factor_panel import FactorPanel
from risk_engine.engine.securities import MARKET, RATES, Securities
from risk_engine.engine.underlyings import Key
from risk_engine.quant.blocks import blocks, filled
from risk_engine.quant.factors import RATES_DEVIATION
from risk_engine.quant.fixed_income import empirical_durations
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.shrinkage import vasicek


@dataclass(frozen=True, eq=False)
class Durations:
    """Rate sensitivities, (underlyings,), in years: a rise by 1 (100 %) costs `duration` of it.

    `published` says which are fund companies' own, with their convexity (years squared) and no
    error; the others are what returns tell, shrunk to zero, with NaN as convexity.
    """

    duration: FloatArray
    error: FloatArray
    convexity: FloatArray
    published: BoolArray
    observations: IntArray


def durations_of(keys: Sequence[Key], found: Securities, panel: FactorPanel) -> Durations:
    """Find the duration of each security; NaN for private assets and short histories."""
    count = len(keys)
    duration, error = np.full(count, np.nan), np.full(count, np.nan)
    observations = np.zeros(count, dtype=np.int64)
    for columns in blocks(np.flatnonzero(found.regressed)):
        told = empirical_durations(
            filled(found.excess[:, columns]),
            panel.returns[:, MARKET],
            panel.returns[:, RATES],
            panel.slope_change,
        )
        duration[columns] = told.duration[: columns.size]
        error[columns] = told.error[: columns.size]
        observations[columns] = told.observations[: columns.size]
    known = np.isfinite(duration) & np.isfinite(error)
    shrunk, uncertain = vasicek(duration, error, np.zeros(count), np.full(count, RATES_DEVIATION))
    duration, error = np.where(known, shrunk, np.nan), np.where(known, uncertain, np.nan)
    convexity, published = np.full(count, np.nan), found.are("bond")
    cash = found.are("cash")
    duration[cash], error[cash], convexity[cash] = 0.0, 0.0, 0.0
    table = fund_durations()
    for row in np.flatnonzero(published).tolist():
        fund = table[keys[row].symbol]
        duration[row], error[row], convexity[row] = fund.duration, np.nan, fund.convexity
    return Durations(duration, error, convexity, published, observations)
