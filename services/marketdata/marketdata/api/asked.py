"""What the queries of several routes say."""

from datetime import date
from typing import Annotated

from fastapi import Depends, Query, Request

from common.clock import Clock
from common.errors import ServiceError
from common.refusals import may_refuse
from marketdata.domain import Code, Source, priced_session

MOST_SYMBOLS = 500
"""In one public query."""


def source_of(request: Request) -> Source:
    """Return where this deployment's prices come from."""
    source: Source = request.app.state.source
    return source


CurrentSource = Annotated[Source, Depends(source_of)]


@may_refuse(Code.ERR_MARKET_002, Code.ERR_MARKET_003)
def symbols_in(
    symbols: Annotated[str, Query(description="Symbols, separated by commas")],
) -> list[str]:
    """Return a query's distinct symbols in capitals.

    ERR_MARKET_002 for none or too many, ERR_MARKET_003 for what cannot be one.
    """
    named = list(dict.fromkeys(split(symbols.upper())))
    if not 1 <= len(named) <= MOST_SYMBOLS:
        raise ServiceError(
            Code.ERR_MARKET_002,
            f"The query names {len(named)} symbols; give one to {MOST_SYMBOLS}, "
            "separated by commas.",
        )
    return printable(named)


AskedSymbols = Annotated[list[str], Depends(symbols_in)]


def clock_of(request: Request) -> Clock:
    """Return this deployment's clock."""
    clock: Clock = request.app.state.clock
    return clock


@may_refuse(Code.ERR_MARKET_005)
def session_in(
    clock: Annotated[Clock, Depends(clock_of)],
    as_of: Annotated[
        date | None, Query(description="A day; the last closed NYSE session up to it is meant")
    ] = None,
) -> date:
    """Return the last closed session up to a day; ERR_MARKET_005 where none is known."""
    try:
        return priced_session(as_of, clock())
    except ValueError as error:
        raise ServiceError(
            Code.ERR_MARKET_005, f"No NYSE session is known up to {as_of}."
        ) from error


AskedSession = Annotated[date, Depends(session_in)]


def split(symbols: str) -> list[str]:
    """Return the names between commas, blank ones left out."""
    return [name for part in symbols.split(",") if (name := part.strip())]


def printable(symbols: list[str]) -> list[str]:
    """Return the symbols; ERR_MARKET_003 where one has a character nobody can read."""
    # Postgres takes no NUL in a text, and nobody reads a symbol with an invisible character.
    for symbol in symbols:
        if not symbol.isprintable():
            raise ServiceError(
                Code.ERR_MARKET_003,
                f"The symbol {symbol!a} has a character that cannot be printed.",
            )
    return symbols
