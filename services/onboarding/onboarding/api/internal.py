"""What other services ask: whose a portfolio is, and its book at a revision."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response

from common.errors import CommonCode, ServiceError
from common.http import Transaction
from common.identity import internal
from onboarding.repository import Store
from onboarding.schemas import Ownership

router = APIRouter(prefix="/internal", dependencies=[Depends(internal)], include_in_schema=False)

Revision = Annotated[int, Path(ge=1, le=2**31 - 1)]
"""As far as the database counts."""


@router.get("/portfolios/{portfolio_id}")
async def ownership(portfolio_id: UUID, unit: Transaction) -> Ownership:
    """Return whose portfolio it is; this 404 is the last word on it."""
    found = await Store(unit).portfolio(portfolio_id)
    if found is None:
        raise _absent(f"There is no portfolio {portfolio_id}.")
    return Ownership(
        portfolio_id=found.id, user_id=found.user_id, revision=found.revision, name=found.name
    )


@router.get("/books/{portfolio_id}/{revision}")
async def book(portfolio_id: UUID, revision: Revision, unit: Transaction) -> Response:
    """Return the whole book (`common.events.onboarding.Book`) at this revision, past ones too."""
    found = await Store(unit).book(portfolio_id, revision)
    if found is None:
        raise _absent(f"There is no revision {revision} of a portfolio {portfolio_id}.")
    return Response(found.model_dump_json(), media_type="application/json")


def _absent(message: str) -> ServiceError:
    return ServiceError(CommonCode.ERR_PORTFOLIO_404, message)
