"""An administrator looks at what was given up, wherever it was, and has it tried again or deleted.

Letters hold people's positions: they go to administrators only, and never into a log.
"""

from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends, Query, Request

from common.dead_letters import (
    Kind,
    Moved,
    Overview,
    Selection,
    ServiceName,
    UnknownPlace,
    WholeLetter,
    Workbench,
)
from common.errors import ServiceError
from common.identity import Administrator, Principal
from common.refusals import may_refuse
from scheduler.domain import Code

log = structlog.get_logger()

router = APIRouter(prefix="/api/v1/admin/dead-letters", tags=["administration"])


def workbench_of(request: Request) -> Workbench:
    """Return all places where letters are."""
    workbench: Workbench = request.app.state.workbench
    return workbench


Bench = Annotated[Workbench, Depends(workbench_of)]


@router.get("", summary="Dead letters by cause")
async def list_letters(
    _administrator: Administrator,
    bench: Bench,
    service: Annotated[ServiceName | None, Query(description="Only this service's.")] = None,
    kind: Annotated[
        Kind | None, Query(description="Only messages of queues, or only rows of work tables.")
    ] = None,
    group: Annotated[str | None, Query(description="Only those of this cause.")] = None,
    limit: Annotated[int, Query(ge=0, le=1_000, description="How many single letters.")] = 100,
) -> Overview:
    """List what was given up, by cause, and the newest letters without their contents.

    A place that does not answer is named in `unreachable`; its letters are not in the answer.
    """
    return await bench.look(service=service, kind=kind, group=group, limit=limit)


@router.get("/{letter_id:path}", summary="A dead letter whole")
@may_refuse(Code.ERR_LETTER_001)
async def show_letter(_administrator: Administrator, bench: Bench, letter_id: str) -> WholeLetter:
    """Show one letter whole: event or work, reason, stack. ERR_LETTER_001 (404) without one."""
    try:
        letter = await bench.find(letter_id)
    except UnknownPlace as error:
        raise ServiceError(Code.ERR_LETTER_001, f"{error}.") from error
    if letter is None:
        raise ServiceError(Code.ERR_LETTER_001, f"There is no dead letter {letter_id}.")
    return letter


@router.post("/redrive", summary="Have dead letters tried again")
async def redrive(administrator: Administrator, bench: Bench, selection: Selection) -> Moved:
    """Have letters tried again as new: some by id, those of a cause, or `{"all": true}`.

    Harmless when repeated: what has been moved is not there to be moved again.
    """
    moved = await bench.redrive(selection)
    _note("redriven", administrator, selection, moved)
    return moved


@router.post("/discard", summary="Delete dead letters")
async def discard(administrator: Administrator, bench: Bench, selection: Selection) -> Moved:
    """Delete letters for good: some by id, those of a cause, or `{"all": true}`."""
    moved = await bench.discard(selection)
    _note("discarded", administrator, selection, moved)
    return moved


def _note(
    what: Literal["redriven", "discarded"],
    administrator: Principal,
    selection: Selection,
    moved: Moved,
) -> None:
    # A warning, so that no level that people run with leaves out who did it.
    log.warning(
        "dead_letters_moved",
        what=what,
        by=str(administrator.user_id),
        asked_for=selection.model_dump(mode="json", exclude_none=True),
        moved=moved.places,
        unreachable=[one.place for one in moved.unreachable],
    )
