"""From a CSV file to a portfolio, and the template to start from."""

import asyncio
import hashlib
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, File, Form, Response, UploadFile

from common.calendar import last_closed_session
from common.errors import ServiceError
from common.events.onboarding import Book, PortfolioCreated
from common.identity import Caller
from common.refusals import may_refuse
from common.telemetry import about
from onboarding.api.context import CurrentPolicy, Units
from onboarding.api.refusals import listed, refused
from onboarding.domain.books import (
    ImportRecord,
    announced,
    first_book,
    in_other_currencies,
    today_in_new_york,
)
from onboarding.domain.codes import Code
from onboarding.domain.csv_file import MAX_FILE_BYTES
from onboarding.domain.faults import Rejection, shown
from onboarding.domain.imports import read_positions
from onboarding.domain.portfolio import PortfolioDetails, check_portfolio, portfolio_id
from onboarding.domain.positions import ACCOUNT_CURRENCY
from onboarding.domain.template import FILENAME, TEMPLATE
from onboarding.repository import Store
from onboarding.schemas import Created, NextStep, PlainNumber

router = APIRouter(prefix="/api/v1/onboarding", tags=["onboarding"])


@router.get(
    "/csv-template",
    response_class=Response,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    summary="The CSV file to start from",
)
async def csv_template() -> Response:
    """Return the CSV file to start from; uploaded untouched it is accepted."""
    return Response(
        TEMPLATE,
        media_type="text/csv",
        headers={
            "Content-Disposition": f"attachment; filename={FILENAME}",
            "Cache-Control": "public, max-age=3600",
        },
    )


@may_refuse(Code.ERR_PORT_001)
async def without_portfolio(caller: Caller, units: Units) -> frozenset[UUID]:
    """Refuse a caller who has a portfolio; return the ids of those they deleted."""
    async with units.begin() as unit:
        ever = await Store(unit).portfolios_ever(caller.user_id)
    if any(ever.values()):
        raise _taken(caller.user_id)
    return frozenset(ever)


FormerIds = Annotated[frozenset[UUID], Depends(without_portfolio)]


@router.post("/create-portfolio", status_code=201, summary="Import a portfolio")
@may_refuse(*(code for code in Code if code.name.startswith("ERR_PORT_")))
async def create_portfolio(
    *,
    caller: Caller,
    former_ids: FormerIds,
    units: Units,
    policy: CurrentPolicy,
    portfolio_name: Annotated[str, Form()],
    equity_balance: Annotated[PlainNumber, Form()],
    description: Annotated[str | None, Form()] = None,
    csv_file: Annotated[UploadFile | None, File()] = None,
) -> Created:
    """Import a book from a CSV file and set its calculation going.

    Everything is imported, or nothing: then every fault is listed by the row of the file.
    """
    details = check_portfolio(portfolio_name, description, equity_balance)
    if isinstance(details, tuple):
        raise refused(details)
    if csv_file is None:
        raise ServiceError(Code.ERR_PORT_007)
    new_id = portfolio_id(caller.user_id, details.name, deterministic=policy.deterministic_ids)
    if new_id in former_ids:
        # Everywhere its tombstone stands, and what was said of it: it is not used again.
        new_id = uuid4()
    imported = await asyncio.to_thread(
        _read_book,
        # One byte more than is taken tells that there is more; the rest stays where it is.
        await csv_file.read(MAX_FILE_BYTES + 1),
        csv_file.filename,
        details,
        ids=(new_id, caller.user_id),
        now=units.clock(),
        deterministic=policy.deterministic_ids,
    )
    if isinstance(imported, Rejection):
        raise _rejected(imported)
    book, record = imported
    about(run_id=record.run_id)
    async with units.begin() as unit:
        if not await Store(unit).add(book, details.description, record):
            raise _taken(caller.user_id)
        unit.publish(
            PortfolioCreated(book=announced(book)), user_id=caller.user_id, run_id=record.run_id
        )
    return _created(book, record)


def _read_book(
    content: bytes,
    filename: str | None,
    details: PortfolioDetails,
    *,
    ids: tuple[UUID, UUID],
    now: datetime,
    deterministic: bool,
) -> tuple[Book, ImportRecord] | Rejection:
    report = read_positions(content, filename, today_in_new_york(now))
    if isinstance(report, Rejection):
        return report
    portfolio, user = ids
    book = first_book(
        portfolio,
        user,
        details,
        report.positions,
        opening_session=last_closed_session(now),
        created_at=now,
        deterministic=deterministic,
    )
    record = ImportRecord(
        run_id=uuid4(),
        filename=shown(filename or ""),
        sha256=hashlib.sha256(content).hexdigest(),
        positions=len(report.positions),
        ignored_columns=report.ignored_columns,
        created_at=now,
    )
    return book, record


def _created(book: Book, record: ImportRecord) -> Created:
    address = f"/api/v1/portfolio/{book.portfolio_id}"
    count, foreign = record.positions, len(in_other_currencies(book))
    return Created(
        portfolio_id=book.portfolio_id,
        portfolio_name=book.name,
        equity_balance=book.equity_balance,
        positions_imported=count,
        unsupported_currency_positions=foreign,
        total_positions=count,
        ignored_columns=record.ignored_columns,
        run_id=record.run_id,
        message=f"Imported {_positions(count)} into '{book.name}'." + _left_out(foreign),
        events=f"{address}/events",
        next_step=NextStep(
            action="calculate",
            endpoint=f"{address}/calculate",
            description="The import is being calculated already; POST there to calculate again.",
        ),
    )


def _positions(count: int) -> str:
    return f"{count:,} position{'' if count == 1 else 's'}"


def _left_out(foreign: int) -> str:
    if not foreign:
        return ""
    said = f"{_positions(foreign)} in another currency than {ACCOUNT_CURRENCY}"
    return f" {said} will be listed, but count in no total."


def _taken(user_id: UUID) -> ServiceError:
    return ServiceError(Code.ERR_PORT_001, details={"user_id": str(user_id)})


def _rejected(rejection: Rejection) -> ServiceError:
    first, total = rejection.faults[0], rejection.total
    where = "" if first.row is None else f"row {first.row}: "
    number = "a fault" if total == 1 else f"{total:,} faults, first"
    sentence = f"Nothing was imported: the CSV file has {number}: {where}{first.message}"
    return ServiceError(
        Code.ERR_PORT_008,
        sentence,
        details={**listed(rejection.faults), "total_errors": total},
    )
