"""Option chains on the wire."""

from datetime import date
from typing import Literal

from pydantic import BaseModel


class OptionQuote(BaseModel):
    """A listed option at a session's close. US dollars per share; a contract is of a hundred."""

    symbol: str
    expiry: date
    option_type: Literal["call", "put"]
    strike: float
    bid: float | None
    """0 where nobody bids."""
    ask: float | None
    volume: int | None
    """Contracts traded in the session."""
    open_interest: int | None
    """Contracts."""
    underlying_price: float | None
    """Of the share or index; of the future that expires with an option on the VIX."""


class OptionChain(BaseModel):
    """What is listed on a security, by expiry, strike and right."""

    underlying: str
    as_of: date
    """The NYSE session."""
    provider: str
    expiries: list[date]
    """All that are listed, whether asked for or not."""
    contracts: list[OptionQuote]
