"""Option chains for people, as the provider quotes them."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from common.errors import ServiceError
from common.identity import principal
from common.options import Contract
from common.refusals import may_refuse
from marketdata.api.asked import AskedSession, CurrentSource, printable
from marketdata.clients.chains import Chains
from marketdata.domain import Code, Snapshot
from marketdata.schemas.options import OptionChain, OptionQuote

router = APIRouter()


def chains_of(request: Request) -> Chains:
    """Return where chains come from."""
    chains: Chains = request.app.state.chains
    return chains


@router.get(
    "/api/v1/data/options/{underlying}/chain",
    tags=["prices"],
    dependencies=[Depends(principal)],
    summary="The options listed on a security, with their quotes",
)
@may_refuse(Code.ERR_MARKET_003, Code.ERR_MARKET_004)
async def read_chain(
    underlying: Annotated[str, Path(max_length=32)],
    as_of: AskedSession,
    source: CurrentSource,
    chains: Annotated[Chains, Depends(chains_of)],
    expiry: Annotated[date | None, Query(description="Only options that expire on it")] = None,
) -> OptionChain:
    """Return the chain at a session's close, by expiry, strike and right."""
    [symbol] = printable([underlying.upper()])
    quotes = await chains.of(symbol, as_of)
    if not quotes:
        raise ServiceError(
            Code.ERR_MARKET_004, f"No options on {symbol} were quoted at the close of {as_of}."
        )
    ordered = sorted(quotes, key=lambda one: (one.expiry, one.strike, one.right))
    return OptionChain(
        underlying=symbol,
        as_of=as_of,
        provider=source.provider,
        expiries=sorted({contract.expiry for contract in quotes}),
        contracts=[
            _quote(contract, quotes[contract])
            for contract in ordered
            if expiry in (None, contract.expiry)
        ],
    )


def _quote(contract: Contract, said: Snapshot) -> OptionQuote:
    return OptionQuote(
        symbol=contract.symbol,
        expiry=contract.expiry,
        option_type=contract.right,
        strike=float(contract.strike),
        bid=said.bid,
        ask=said.ask,
        volume=said.volume,
        open_interest=said.open_interest,
        underlying_price=said.underlying_price,
    )
