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
from marketdata.api.asked import printable, split
from marketdata.domain import Code, Edition
from marketdata.repository import Panels
from marketdata.schemas import panel as wire
from marketdata.schemas import rates
from marketdata.schemas.panel import Earlier, Selection

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
    """Return a panel, or some of its symbols, as Arrow IPC streams; it never changes."""
    asked = None if symbols is None else printable(split(symbols))
    panels = Panels(unit)
    edition = await _edition(panels, as_of, version)
    which = "all" if asked is None else ",".join(sorted(set(asked)))
    etag = _etag(f"{as_of}.{version}", which)
    if _has(request, etag):
        return _unchanged(etag)
    return _for_good(await _panel(panels, edition, version, asked), etag)


@router.post(
    "/internal/panel/{as_of}/{version}",
    dependencies=[Depends(internal)],
    include_in_schema=False,
)
async def select_from_panel(
    as_of: date, version: Version, selection: Selection, unit: Transaction
) -> Response:
    """Return the panel of more symbols than an address can name."""
    asked = printable(selection.symbols)
    panels = Panels(unit)
    edition = await _edition(panels, as_of, version)
    content = await _panel(panels, edition, version, asked)
    return Response(content, media_type=wire.MEDIA_TYPE)


@router.post(
    "/internal/panel/{as_of}/{version}/earlier",
    dependencies=[Depends(internal)],
    include_in_schema=False,
)
async def read_what_came_before_panel(
    as_of: date, version: Version, wanted: Earlier, unit: Transaction
) -> Response:
    """Return splits and dividends of before a panel, as an Arrow IPC stream."""
    panels = Panels(unit)
    edition = await _edition(panels, as_of, version)
    columns = await panels.earlier(
        edition, version, printable(wanted.symbols), wanted.since, wanted.sessions
    )
    content = await asyncio.to_thread(wire.encode_earlier, edition, columns)
    return Response(content, media_type=wire.MEDIA_TYPE)


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
    shown = await panels.curves_shown(edition, version)
    # Weak: rates are the same in every panel that shows them, though each names its own version.
    etag = "W/" + _etag(f"{as_of}.rates", f"{edition.source} of {shown}")
    if _has(request, etag):
        return _unchanged(etag)
    curves = await panels.curves(edition, shown)
    return _for_good(rates.encode(edition, version, curves), etag)


@router.get(
    "/internal/panel/{as_of}/{version}/reference",
    dependencies=[Depends(internal)],
    include_in_schema=False,
)
async def read_reference_of_panel(
    as_of: date, version: Version, unit: Transaction, request: Request
) -> Response:
    """Return a panel's reference with its benchmark, and its cross-section, as Arrow IPC streams.

    The one is empty and the other left out where the panel was published before there were any.
    """
    panels = Panels(unit)
    edition = await _edition(panels, as_of, version)
    versions = await panels.reference_versions(edition, version)
    first = edition.reference and edition.reference.span.first
    etag = _etag(f"{as_of}.reference", f"{edition.source} from {first}: {sorted(versions.items())}")
    if _has(request, etag):
        return _unchanged(etag)
    columns = await panels.reference(edition, version)
    benchmark = await panels.benchmark(edition)
    shares = await panels.cross_section(edition, version)
    content = await asyncio.to_thread(wire.encode_reference, edition, columns, benchmark, shares)
    return _for_good(content, etag)


async def _panel(
    panels: Panels, edition: Edition, version: int, symbols: Sequence[str] | None
) -> bytes:
    versions = await panels.versions(edition, version)
    columns = await panels.columns(edition, version, symbols)
    return await asyncio.to_thread(wire.encode, edition, version, versions, columns, symbols)


async def _edition(panels: Panels, as_of: date, version: int) -> Edition:
    edition = await panels.edition(as_of, version)
    if edition is None:
        raise ServiceError(
            Code.ERR_MARKET_001, f"No panel of {as_of} was published as version {version}."
        )
    return edition


def _etag(name: str, which: str) -> str:
    digest = hashlib.blake2b(which.encode(), digest_size=8).hexdigest()
    return f'"{name}.{digest}"'


def _has(request: Request, etag: str) -> bool:
    return request.headers.get("if-none-match") == etag


def _unchanged(etag: str) -> Response:
    return Response(status_code=304, headers={"ETag": etag, "Cache-Control": FOR_GOOD})


def _for_good(content: bytes, etag: str) -> Response:
    headers = {"ETag": etag, "Cache-Control": FOR_GOOD}
    return Response(content, media_type=wire.MEDIA_TYPE, headers=headers)
