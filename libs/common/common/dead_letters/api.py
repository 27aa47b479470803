"""What every service answers about the letters of its own work table, to other services only."""

from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from pydantic import BaseModel, ValidationError

from common.dead_letters.letters import Page, Selection, WholeLetter
from common.dead_letters.work import WorkLetters
from common.errors import CommonCode, ServiceError
from common.identity import internal
from common.unit_of_work import UnitOfWork

PATH = "/internal/dead-letters"
BODY_LIMIT = 256 * 1024

router = APIRouter(prefix=PATH, dependencies=[Depends(internal)], include_in_schema=False)


class Count(BaseModel, frozen=True):
    """How many letters were redriven or discarded."""

    moved: int


def own_letters(request: Request) -> WorkLetters:
    """Return the letters of the service that is asked."""
    letters: WorkLetters = request.app.state.work_letters
    return letters


OwnLetters = Annotated[WorkLetters, Depends(own_letters)]


async def selection(request: Request) -> Selection:
    """Return which letters the body names; ERR_VALIDATION when it cannot be read.

    Read here and not by the framework, which would read the body of a stranger before it is known
    that he is one: these addresses are at the gateway's port too.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_LIMIT:
            raise ServiceError(CommonCode.ERR_TOO_LARGE)
    try:
        return Selection.model_validate_json(bytes(body))
    except ValidationError as error:
        raise ServiceError(CommonCode.ERR_VALIDATION) from error


Selected = Annotated[Selection, Depends(selection)]


@router.get("")
async def look(
    letters: OwnLetters,
    group: str | None = None,
    limit: Annotated[int, Query(ge=0, le=1_000)] = 100,
) -> Page:
    """Return causes and letters, of one cause or of all."""
    return await letters.look(group=group, limit=limit)


@router.get("/{within}")
async def find(letters: OwnLetters, within: str) -> WholeLetter:
    """Return one letter; ERR_NOT_FOUND when there is none of this id."""
    found = await letters.find(within)
    if found is None:
        raise ServiceError(CommonCode.ERR_NOT_FOUND)
    return found


@router.post("/redrive")
async def redrive(letters: OwnLetters, which: Selected) -> Count:
    """Let rows be worked on again as new."""
    return Count(moved=await letters.redrive(which))


@router.post("/discard")
async def discard(letters: OwnLetters, which: Selected) -> Count:
    """Delete rows."""
    return Count(moved=await letters.discard(which))


def install(app: FastAPI, service: str, unit_of_work: UnitOfWork, internal_token: str) -> None:
    """Give a service's application these addresses."""
    app.state.internal_token = internal_token
    app.state.work_letters = WorkLetters(unit_of_work, service)
    app.include_router(router)
