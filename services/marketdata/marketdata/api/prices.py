"""Marketdata over HTTP: panels for the risk engine, quotes and profiles for people."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from common import calendar
from common.errors import ServiceError
from common.http import Transaction
from common.identity import internal, principal
from common.refusals import may_refuse
from common.unit_of_work import Unit
from marketdata.domain import Code, Quote, Security, Source
from marketdata.repository import Panels, Reads
from marketdata.schemas import panel as wire
from marketdata.schemas.panel import Selection
from marketdata.schemas.prices import (
    CompanyProfile,
    CompanyProfiles,
    MissingQuote,
    ProfilesMeta,
    QuoteOut,
    Quotes,
    QuotesMetadata,
)

router = APIRouter()

MOST_SYMBOLS = 500
"""In one public query."""
NOT_LOADED = "no prices of it are loaded; they are loaded for what a portfolio holds"
FOR_GOOD = "private, max-age=31536000, immutable"


def source_of(request: Request) -> Source:
    """Return where this deployment's prices come from."""
    source: Source = request.app.state.source
    return source


CurrentSource = Annotated[Source, Depends(source_of)]
Version = Annotated[int, Path(ge=1, le=2**31 - 1)]
"""A panel's number, as far as the database counts."""


@may_refuse(Code.ERR_MARKET_002, Code.ERR_MARKET_003)
def symbols_in(
    symbols: Annotated[str, Query(description="Symbols, separated by commas")],
) -> list[str]:
    """Return a query's distinct symbols in capitals.

    ERR_MARKET_002 for none or too many, ERR_MARKET_003 for what cannot be one.
    """
    named = list(dict.fromkeys(_split(symbols.upper())))
    if not 1 <= len(named) <= MOST_SYMBOLS:
        raise ServiceError(
            Code.ERR_MARKET_002,
            f"The query names {len(named)} symbols; give one to {MOST_SYMBOLS}, "
            "separated by commas.",
        )
    return _printable(named)


AskedSymbols = Annotated[list[str], Depends(symbols_in)]


@router.get(
    "/internal/panel/{as_of}/{version}",
    dependencies=[Depends(internal)],
    include_in_schema=False,
)
async def read_panel(
    as_of: date, version: Version, unit: Transaction, request: Request, symbols: str | None = None
) -> Response:
    """Return a panel, or some of its symbols, as an Arrow IPC stream; it never changes."""
    asked = None if symbols is None else _printable(_split(symbols))
    etag = _etag(as_of, version, asked)
    if request.headers.get("if-none-match") == etag:
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
    return await _panel(unit, as_of, version, _printable(selection.symbols))


@router.get(
    "/api/v1/data/prices/quotes",
    tags=["prices"],
    dependencies=[Depends(principal)],
    summary="The newest prices of some symbols",
)
async def read_quotes(symbols: AskedSymbols, source: CurrentSource, unit: Transaction) -> Quotes:
    """Return the newest bar of each symbol; what is missing is named with its reason."""
    found = await Reads(unit, source).quotes(symbols)
    missing = [
        MissingQuote(symbol=symbol, reason=NOT_LOADED) for symbol in symbols if symbol not in found
    ]
    return Quotes(
        quotes=[_quote(found[symbol], source) for symbol in symbols if symbol in found],
        metadata=QuotesMetadata(
            requested_symbols=symbols,
            successful_quotes=len(found),
            failed_quotes=len(missing),
            missing=missing,
            provider=source.provider,
            timestamp=unit.now,
        ),
    )


@router.get(
    "/api/v1/data/company-profiles",
    tags=["prices"],
    dependencies=[Depends(principal)],
    summary="Who some securities are",
)
async def read_profiles(
    symbols: AskedSymbols, source: CurrentSource, unit: Transaction
) -> CompanyProfiles:
    """Return the profiles of the securities that are known; what no provider says is null."""
    found = await Reads(unit, source).securities(symbols)
    return CompanyProfiles(
        profiles=[_profile(found[symbol], source) for symbol in symbols if symbol in found],
        meta=ProfilesMeta(
            requested_symbols=symbols,
            returned_profiles=len(found),
            missing_profiles=[symbol for symbol in symbols if symbol not in found],
            as_of=unit.now,
        ),
    )


async def _panel(unit: Unit, as_of: date, version: int, symbols: Sequence[str] | None) -> Response:
    panels = Panels(unit)
    edition = await panels.edition(as_of, version)
    if edition is None:
        raise ServiceError(
            Code.ERR_MARKET_001, f"No panel of {as_of} was published as version {version}."
        )
    versions = await panels.versions(edition, version)
    columns = await panels.columns(edition, version, symbols)
    content = await asyncio.to_thread(wire.encode, edition, version, versions, columns, symbols)
    return Response(content, media_type=wire.MEDIA_TYPE)


def _split(symbols: str) -> list[str]:
    return [name for part in symbols.split(",") if (name := part.strip())]


def _printable(symbols: list[str]) -> list[str]:
    # Postgres takes no NUL in a text, and nobody reads a symbol with an invisible character.
    for symbol in symbols:
        if not symbol.isprintable():
            raise ServiceError(
                Code.ERR_MARKET_003,
                f"The symbol {symbol!a} has a character that cannot be printed.",
            )
    return symbols


def _etag(as_of: date, version: int, symbols: Sequence[str] | None) -> str:
    which = "all" if symbols is None else ",".join(sorted(set(symbols)))
    digest = hashlib.blake2b(which.encode(), digest_size=8).hexdigest()
    return f'"{as_of}.{version}.{digest}"'


def _quote(quote: Quote, source: Source) -> QuoteOut:
    return QuoteOut(
        symbol=quote.symbol,
        last_price=quote.close,
        volume=quote.volume,
        day_change=_rounded(quote.day_change, 2),
        day_change_percent=_rounded(quote.day_change_percent, 4),
        day_high=quote.high,
        day_low=quote.low,
        as_of=quote.session,
        timestamp=calendar.close_of(quote.session),
        provider=source.provider,
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _profile(security: Security, source: Source) -> CompanyProfile:
    profile = security.profile
    return CompanyProfile(
        symbol=profile.symbol,
        company_name=profile.name,
        sector=profile.sector,
        industry=profile.industry,
        exchange=profile.exchange,
        country=profile.country,
        is_etf=profile.kind == "etf",
        is_fund=profile.kind in {"mutual_fund", "money_market"},
        data_source=source.provider,
        last_updated=security.asked_at,
        created_at=security.asked_at,
        updated_at=security.asked_at,
    )
