"""Panels for the risk engine: what was published under a number stays as it is."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from common.errors import ServiceError
from common.http import Transaction
from common.identity import internal
from common.unit_of_work import Unit
from marketdata.api.asked import printable, split
from marketdata.domain import Code, Edition
from marketdata.repository import Panels
from marketdata.schemas import panel as wire
from marketdata.schemas import rates
from marketdata.schemas.panel import Selection

router = APIRouter()

Version = Annotated[int, Path(ge=1, le=2**31 - 1)]
"""A panel's number, as far as the database counts."""
FOR_GOOD = "private, max-age=31536000, immutable"


@router.get(
    "/internal/panel/{as_of}/{version}",
    dependencies=[Depends(internal)],
    include_in_schema=False,
)
async def read_panel(
    as_of: date, version: Version, unit: Transaction, request: Request, symbols: str | None = None
) -> Response:
    """Return a panel, or some of its symbols, as an Arrow IPC stream; it never changes."""
    asked = None if symbols is None else printable(split(symbols))
    etag = _etag(as_of, version, asked)
    if request.headers.get("if-none-match") == etag:
        await _edition(Panels(unit), as_of, version)
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": FOR_GOOD})
    answer = await _panel(unit, as_of, version, asked)
    answer.headers.update({"ETag": etag, "Cache-Control": FOR_GOOD})
    return answer


@router.post(
    "/internal/panel/{as_of}/{version}",
    dependencies=[Depends(internal)],
    include_in_schema=False,
)
async def select_from_panel(
    as_of: date, version: Version, selection: Selection, unit: Transaction
) -> Response:
    """Return the panel of more symbols than an address can name."""
    return await _panel(unit, as_of, version, printable(selection.symbols))


@router.get(
    "/internal/panel/{as_of}/{version}/rates",
    dependencies=[Depends(internal)],
    include_in_schema=False,
)
async def read_rates_of_panel(
    as_of: date, version: Version, unit: Transaction, request: Request
) -> Response:
    """Return the Treasury's curves that a panel shows, as an Arrow IPC stream."""
    panels = Panels(unit)
    edition = await _edition(panels, as_of, version)
    etag = _etag(as_of, version, ["rates of it"])
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": FOR_GOOD})
    curves = await panels.curves(edition, version)
    return Response(
        rates.encode(edition, version, curves),
        media_type=wire.MEDIA_TYPE,
        headers={"ETag": etag, "Cache-Control": FOR_GOOD},
    )


async def _panel(unit: Unit, as_of: date, version: int, symbols: Sequence[str] | None) -> Response:
    panels = Panels(unit)
    edition = await _edition(panels, as_of, version)
    versions = await panels.versions(edition, version)
    columns = await panels.columns(edition, version, symbols)
    content = await asyncio.to_thread(wire.encode, edition, version, versions, columns, symbols)
    return Response(content, media_type=wire.MEDIA_TYPE)


async def _edition(panels: Panels, as_of: date, version: int) -> Edition:
    edition = await panels.edition(as_of, version)
    if edition is None:
        raise ServiceError(
            Code.ERR_MARKET_001, f"No panel of {as_of} was published as version {version}."
        )
    return edition


def _etag(as_of: date, version: int, symbols: Sequence[str] | None) -> str:
    which = "all" if symbols is None else ",".join(sorted(set(symbols)))
    digest = hashlib.blake2b(which.encode(), digest_size=8).hexdigest()
    return f'"{as_of}.{version}.{digest}"'
