"""Quotes and profiles for people."""

from fastapi import APIRouter, Depends

from common import calendar
from common.http import Transaction
from common.identity import principal
from common.options import Contract
from marketdata.api.asked import AskedSymbols, CurrentSource
from marketdata.domain import Quote, Security, Source
from marketdata.repository import Reads
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

NOT_LOADED = "no prices of it are loaded; they are loaded for what a portfolio holds"
OPTION = "it is an option: ask for the chain of what it is on"


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
        MissingQuote(symbol=symbol, reason=OPTION if Contract.parse(symbol) else NOT_LOADED)
        for symbol in symbols
        if symbol not in found
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


def _quote(quote: Quote, source: Source) -> QuoteOut:
    return QuoteOut(
        symbol=quote.symbol,
        last_price=quote.close,
        bid=quote.bid,
        ask=quote.ask,
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
    profile, said = security.profile, security.snapshot
    return CompanyProfile(
        symbol=profile.symbol,
        company_name=profile.name,
        sector=profile.sector,
        industry=profile.industry,
        exchange=profile.exchange,
        country=profile.country,
        market_cap=said.market_cap,
        dividend_yield=said.dividend_yield,
        beta=said.beta,
        is_etf=profile.kind == "etf",
        is_fund=profile.kind in {"mutual_fund", "money_market"},
        data_source=source.provider,
        last_updated=security.asked_at,
        created_at=security.asked_at,
        updated_at=security.asked_at,
    )
