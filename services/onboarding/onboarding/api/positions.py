"""Positions as their owners read them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from common.errors import CommonCode, ServiceError
from common.events.onboarding import BookPosition
from common.http import rendered
from common.identity import Caller, owned_portfolio
from common.refusals import may_refuse
from onboarding.api.context import Units, Valuations
from onboarding.api.portfolios import state_of
from onboarding.clients import Mark, Valuation
from onboarding.domain.books import Portfolio, cost_basis
from onboarding.repository import Store
from onboarding.schemas import PositionDetail, Positions, PositionsSummary

router = APIRouter(prefix="/api/v1/data/positions", tags=["positions"])


@may_refuse(CommonCode.ERR_PORTFOLIO_404)
async def chosen_portfolio(
    request: Request,
    caller: Caller,
    units: Units,
    portfolio_id: Annotated[UUID | None, Query(description="The caller's own if absent")] = None,
) -> UUID:
    """Return the portfolio asked for, or the caller's own; ERR_PORTFOLIO_404 without one."""
    if portfolio_id is not None:
        return await owned_portfolio(portfolio_id, request, caller)
    async with units.begin() as unit:
        ever = await Store(unit).portfolios_ever(caller.user_id)
    own = next((one for one, exists in ever.items() if exists), None)
    if own is None:
        raise ServiceError(CommonCode.ERR_PORTFOLIO_404, "You have no portfolio yet.")
    return own


ChosenPortfolio = Annotated[UUID, Depends(chosen_portfolio)]


def chosen_positions(
    position_ids: Annotated[str | None, Query(description="Ids, separated by commas")] = None,
) -> frozenset[UUID] | None:
    """Return the positions asked for, None for all; ERR_VALIDATION if an id is none."""
    if position_ids is None:
        return None
    try:
        return frozenset(UUID(one.strip()) for one in position_ids.split(","))
    except ValueError as error:
        raise ServiceError(
            CommonCode.ERR_VALIDATION, "position_ids must be UUIDs, separated by commas."
        ) from error


ChosenPositions = Annotated[frozenset[UUID] | None, Depends(chosen_positions)]


@router.get("/details", response_model=Positions, summary="Positions and what they are worth")
async def position_details(
    portfolio_id: ChosenPortfolio,
    only: ChosenPositions,
    units: Units,
    risk_engine: Valuations,
    include_closed: bool = False,
) -> Response:
    """Return positions with what they are worth; ids that are not the portfolio's are left out."""
    async with units.begin() as unit:
        store = Store(unit)
        portfolio = await store.portfolio(portfolio_id)
        found = await store.positions(portfolio_id, include_closed=include_closed)
    if portfolio is None:
        raise ServiceError(CommonCode.ERR_PORTFOLIO_404)
    known = await risk_engine.valuations([portfolio_id], positions=True)
    valuation = known[portfolio_id].of_revision(portfolio.revision)
    chosen = [one for one in found if only is None or one.position_id in only]
    return await rendered(lambda: _positions(portfolio, chosen, valuation))


def _positions(
    portfolio: Portfolio, chosen: Sequence[BookPosition], valuation: Valuation
) -> Positions:
    details = tuple(
        _detail(portfolio, position, valuation.mark(position.position_id)) for position in chosen
    )
    return Positions(
        positions=details,
        summary=_summary(details, portfolio.currency),
        valuation=state_of(valuation),
    )


def _detail(portfolio: Portfolio, position: BookPosition, mark: Mark) -> PositionDetail:
    reason = mark.reason if mark.market_value is None else None
    if position.exit_date is not None:
        reason = "closed"
    if position.currency != portfolio.currency:
        # Whatever becomes of it: nothing in the portfolio's currency is known of it.
        mark, reason = Mark(), "unsupported_currency"
    return PositionDetail(
        id=position.position_id,
        portfolio_id=portfolio.id,
        **position.model_dump(exclude={"position_id"}),
        cost_basis=cost_basis(position),
        current_price=mark.market_price,
        market_value=mark.market_value,
        unrealized_pnl=mark.unrealized_pnl,
        unrealized_pnl_percent=mark.unrealized_pnl_percent,
        realized_pnl=mark.realized_pnl,
        reason=reason,
    )


def _summary(details: Sequence[PositionDetail], currency: str) -> PositionsSummary:
    counted = [detail for detail in details if detail.currency == currency]
    held = [detail for detail in counted if detail.exit_date is None]
    values = [one.market_value for one in held if one.market_value is not None]
    profits = [one.unrealized_pnl for one in held if one.unrealized_pnl is not None]
    # A private asset has no market price to miss: a book of them alone is worth 0 on the market.
    is_known = bool(values) or all(one.investment_class == "PRIVATE" for one in held)
    return PositionsSummary(
        total_positions=len(details),
        unsupported_currency_positions=len(details) - len(counted),
        priced_positions=len(values),
        total_market_value=sum(values) if is_known else None,
        total_unrealized_pnl=sum(profits) if is_known else None,
        total_cost_basis=sum((abs(one.cost_basis) for one in held), Decimal(0)),
    )
