"""What an account is worth by its owner's word, said again."""

from fastapi import APIRouter

from common.errors import CommonCode, ServiceError
from common.events.onboarding import Book, PortfolioChanged
from common.http import Transaction
from common.identity import Caller, OwnedPortfolio
from common.refusals import may_refuse
from onboarding.api.refusals import refused
from onboarding.domain.books import announced, restated
from onboarding.domain.codes import Code
from onboarding.domain.portfolio import equity_faults
from onboarding.repository import Store
from onboarding.schemas import Restated, StatedEquity

router = APIRouter()


@router.put(
    "/api/v1/analytics/portfolio/{portfolio_id}/equity",
    tags=["portfolios"],
    summary="Correct a portfolio's equity balance",
)
@may_refuse(
    Code.ERR_PORT_004, Code.ERR_PORT_005, Code.ERR_PORT_006, Code.ERR_PORT_010, Code.ERR_PORT_011
)
async def restate_equity(
    portfolio_id: OwnedPortfolio, body: StatedEquity, caller: Caller, unit: Transaction
) -> Restated:
    """Correct what the account was worth at the close of its opening session, in dollars.

    The book gets a new revision and is calculated again: the opening cash follows, and with it the
    net asset value of every session since. `risk.calculated` of that revision says that this is
    done. The same balance again changes nothing.
    """
    faults = equity_faults(body.equity_balance)
    if faults:
        raise refused(faults)
    store = Store(unit)
    held = await store.hold(portfolio_id)
    if held is None:
        raise ServiceError(CommonCode.ERR_PORTFOLIO_404)
    book = restated(held, body.equity_balance)
    if book is not held:
        await store.revise(book, "equity", unit.now)
        unit.publish(PortfolioChanged(book=announced(book)), user_id=caller.user_id)
    return _answer(book, changed=book is not held)


def _answer(book: Book, *, changed: bool) -> Restated:
    what = "is now" if changed else "is already"
    then = "; it is being calculated again." if changed else "."
    return Restated(
        portfolio_id=book.portfolio_id,
        equity_balance=book.equity_balance,
        opening_session=book.opening_session,
        revision=book.revision,
        changed=changed,
        message=(
            f"The equity balance of '{book.name}' {what} {book.equity_balance:,} {book.currency} "
            f"at the close of {book.opening_session}{then}"
        ),
        events=f"/api/v1/portfolio/{book.portfolio_id}/events",
    )
