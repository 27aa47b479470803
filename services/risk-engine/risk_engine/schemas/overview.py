"""A portfolio at a glance, under the names existing clients know."""

from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from risk_engine.engine.valuation import LEAST_AMOUNT
from risk_engine.repository import Known
from risk_engine.schemas.base import Answer
from risk_engine.schemas.exposure import ExposureOut, Sides
from risk_engine.schemas.summary import Summary, read, summary, valuation_of
from risk_engine.schemas.valuation import PositionOut, Totals, ValuationOut

LEVERAGE_OF = "gross market value / net asset value"
PERCENTAGES_OF = "net asset value"


class Exposures(Answer):
    """Market values of priced positions, multiplier included; shorts are negative.

    Percentages are of net asset value, 12.5 meaning 12.5 %; `short_percentage` is positive.
    """

    long_exposure: float | None
    short_exposure: float | None
    gross_exposure: float | None
    net_exposure: float | None
    long_percentage: float | None
    short_percentage: float | None
    gross_percentage: float | None
    net_percentage: float | None
    percentages_of: str = PERCENTAGES_OF


class ProfitAndLoss(Answer):
    """Since entry; `total_pnl` includes dividends since the opening.

    The daily ones are since the session before, `daily_return` of its net asset value as a decimal.
    """

    total_pnl: float | None
    unrealized_pnl: float | None
    realized_pnl: float | None
    dividend_income: float | None
    daily_pnl: float | None
    daily_return: float | None


class PositionCount(Answer):
    """Open positions: long and short ones that are no options, and options."""

    total_positions: int
    long_count: int
    short_count: int
    option_count: int


class Overview(Summary):
    """A portfolio at a glance."""

    portfolio_id: UUID
    equity_balance: float | None = Field(None, description="As its owner stated it")
    total_value: float | None = Field(
        None,
        description="Net asset value: cash_balance + exposures.net_exposure + carried_value",
    )
    cash_balance: float | None = None
    carried_value: float | None = Field(
        None,
        description="Of positions without a market price: private assets as stated, others at "
        "their entry or last price; in total_value, and in no exposure of market values",
    )
    leverage: float | None = Field(
        None,
        description="To 2 decimals, as clients know it: /exposure has all of them. Null when net "
        "asset value is not positive",
    )
    leverage_of: str = Field(LEVERAGE_OF, description="What of what `leverage` is")
    exposures: Exposures | None = None
    delta_adjusted: Sides | None = Field(
        None, description="Options by their dollar deltas, each underlying netted once"
    )
    pnl: ProfitAndLoss | None = None
    position_count: PositionCount | None = None
    target_returns: None = Field(None, description="Target prices are not known here yet")
    last_updated: datetime | None = None


def overview(portfolio_id: UUID, known: Known | None) -> Overview:
    """Read the newest valuation as an overview; None is a portfolio not heard of."""
    valuation = valuation_of(known)
    fields = summary(known, valuation)
    if valuation is None:
        return Overview(**fields, portfolio_id=portfolio_id)
    totals = valuation.totals
    exposure = None if known is None else read("exposure", known, ExposureOut)
    return Overview(
        **fields,
        portfolio_id=portfolio_id,
        equity_balance=totals.equity_balance,
        total_value=totals.net_asset_value,
        cash_balance=totals.cash,
        carried_value=totals.carried_value,
        **_leverage(exposure, totals),
        exposures=_exposures(totals),
        delta_adjusted=None if exposure is None else exposure.delta_adjusted,
        pnl=ProfitAndLoss(
            total_pnl=totals.total_pnl,
            unrealized_pnl=totals.unrealized_pnl,
            realized_pnl=totals.realized_pnl,
            dividend_income=totals.dividend_income,
            daily_pnl=valuation.daily.pnl,
            daily_return=valuation.daily.daily_return,
        ),
        position_count=_count(valuation),
        last_updated=fields["calculated_at"],
    )


def _leverage(exposure: ExposureOut | None, totals: Totals) -> dict[str, Any]:
    if exposure is None:
        # The engine broke on this book: its market values are known all the same.
        return {"leverage": _share(totals.gross_market_value, totals, decimals=2)}
    leverage = exposure.leverage
    return {
        "leverage": None if leverage is None else round(leverage, 2),
        "leverage_of": exposure.leverage_of,
    }


def _exposures(totals: Totals) -> Exposures:
    short = totals.short_market_value
    return Exposures(
        long_exposure=totals.long_market_value,
        short_exposure=short,
        gross_exposure=totals.gross_market_value,
        net_exposure=totals.net_market_value,
        long_percentage=_share(totals.long_market_value, totals, times=100, decimals=1),
        short_percentage=_share(
            None if short is None else abs(short), totals, times=100, decimals=1
        ),
        gross_percentage=_share(totals.gross_market_value, totals, times=100, decimals=1),
        net_percentage=_share(totals.net_market_value, totals, times=100, decimals=1),
    )


def _share(
    amount: float | None, totals: Totals, *, times: float = 1.0, decimals: int
) -> float | None:
    if amount is None or totals.net_asset_value < LEAST_AMOUNT:
        return None
    # Adding zero turns -0.0 into 0.0.
    return round(times * amount / totals.net_asset_value, decimals) + 0.0


def _count(valuation: ValuationOut) -> PositionCount:
    held = Counter(_kind(one) for one in valuation.positions if one.state == "open")
    return PositionCount(
        total_positions=held.total(),
        long_count=held["LONG"],
        short_count=held["SHORT"],
        option_count=held["OPTION"],
    )


def _kind(position: PositionOut) -> str:
    return position.position_type if position.position_type in {"LONG", "SHORT"} else "OPTION"
