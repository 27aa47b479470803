"""The sentences an exposure carries beside its numbers, by code, and its status."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from risk_engine.domain import Note, Status
from risk_engine.engine.exposure_measures import Measures
from risk_engine.engine.frame import Frame
from risk_engine.engine.liquidity import Liquidity
from risk_engine.engine.valuation import LEAST_AMOUNT
from risk_engine.quant.exposure import span_of
from risk_engine.quant.panel import BoolArray
from risk_engine.quant.sectors import LEAST_NET

FUND_KINDS: Final = frozenset({"etf", "mutual_fund"})

NoteCode = Literal[
    "net_asset_value_not_positive",
    "options_not_modelled",
    "positions_excluded",
    "private_assets_proxied",
    "stale_prices",
    "positions_without_price",
    "betas_not_known",
    "sector_weights_not_stated",
    "funds_not_looked_through",
    "volume_not_known",
    "gamma_limit_exceeded",
    "vega_limit_exceeded",
]
SENTENCES: Final[Mapping[NoteCode, str]] = {
    "net_asset_value_not_positive": (
        "Net asset value is not positive, so nothing is stated as a share of it."
    ),
    "options_not_modelled": (
        "{count} option position(s) have no Greeks and are in no delta-adjusted number."
    ),
    "positions_excluded": "{count} position(s) cannot be valued and are left out of every total.",
    "private_assets_proxied": (
        "{count} underlying(s) are private assets for which a listed one stands in; the numbers "
        "without them are beside."
    ),
    "stale_prices": "The last close of some positions is of an earlier session.",
    "positions_without_price": (
        "{count} position(s) have no market price and count with the value they are carried at."
    ),
    "betas_not_known": (
        "{count} underlying(s) have no known beta and are in no beta-adjusted exposure."
    ),
    "sector_weights_not_stated": (
        f"Net equity exposure is not above {LEAST_NET:.0%} of net asset value: sector weights are "
        "not compared with the benchmark."
    ),
    "funds_not_looked_through": "{count} fund(s) have no known sector weights.",
    "volume_not_known": (
        "{count} instrument(s) have no known volume, so how long they take to sell is not known."
    ),
    "gamma_limit_exceeded": "Gross dollar gamma is above its limit.",
    "vega_limit_exceeded": "Gross vega is above its limit.",
}


def notes_of(
    frame: Frame,
    measures: Measures,
    liquidity: Liquidity,
    account: int,
    payload: Mapping[str, Any],
) -> Sequence[Note]:
    """Return what a reader of a book's payload must know."""
    counts, some = payload["counts"], span_of(measures.netted.pairs.account, account)
    rows = measures.netted.pairs.underlying[some].tolist()
    kinds, basis = measures.classification.kinds, measures.classification.basis
    opaque = sum(kinds[row] in FUND_KINDS and basis[row] == "none" for row in rows)
    unweighted = len(rows) > 0 and bool(np.isnan(measures.weights[account]).all())
    days = liquidity.days[span_of(liquidity.pairs.account, account)]
    found: dict[NoteCode, int] = {
        "net_asset_value_not_positive": int(payload["net_asset_value"] < LEAST_AMOUNT),
        "options_not_modelled": counts["unmodelled_positions"],
        "positions_excluded": counts["invalid_positions"],
        "private_assets_proxied": int(frame.factor_model.proxied[rows].sum()),
        "stale_prices": int(measures.amounts.stale[account] > 0),
        "positions_without_price": int(_unpriced(frame, account).sum()),
        "betas_not_known": int(np.isnan(measures.netted.beta[some]).sum()),
        "sector_weights_not_stated": int(unweighted),
        "funds_not_looked_through": opaque,
        "volume_not_known": int(np.isnan(days).sum()),
        "gamma_limit_exceeded": int(payload["dollar_gamma"]["exceeded"] is True),
        "vega_limit_exceeded": int(payload["vega"]["exceeded"] is True),
    }
    return [
        Note(code, sentence.format(count=found[code]))
        for code, sentence in SENTENCES.items()
        if found[code] > 0
    ]


def status_of(frame: Frame, measures: Measures, account: int) -> Status:
    """Return how complete a book's exposures are.

    Private assets have proxies by design and leave a result as good as it is.
    """
    some = span_of(frame.exposures.account, account)
    is_open = frame.exposures.is_open[some]
    known = ~np.isnan(frame.exposures.dollar_delta[some][is_open])
    if known.size and not known.any():
        return "insufficient"
    unpriced = _unpriced(frame, account)
    beta = measures.netted.beta[span_of(measures.netted.pairs.account, account)]
    invalid = frame.valuations[account].coverage.invalid_positions
    if not known.all() or unpriced.any() or invalid or np.isnan(beta).any():
        return "partial"
    return "stale" if measures.amounts.stale[account] > 0 else "ok"


def _unpriced(frame: Frame, account: int) -> BoolArray:
    # Open holdings of an account that should have a market price and have none.
    some = span_of(frame.exposures.account, account)
    expected = frame.valued.ledger.holdings.expects_price[some]
    return frame.exposures.is_open[some] & expected & frame.valued.values.carried[some]
