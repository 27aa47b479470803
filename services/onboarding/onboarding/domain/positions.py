"""What a position is: its class, subtype and type, and the row of a file it comes from."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

OPTION_MULTIPLIER = 100
ACCOUNT_CURRENCY = "USD"
"""What every account is kept in, and what a position is in that does not say."""


class InvestmentClass(StrEnum):
    """How a position is priced: on a market, as an option, or by its owner."""

    PUBLIC = "PUBLIC"
    OPTIONS = "OPTIONS"
    PRIVATE = "PRIVATE"


class OptionType(StrEnum):
    """The right an option gives."""

    CALL = "CALL"
    PUT = "PUT"


class PositionType(StrEnum):
    """Side and kind: long or short, and for options (L, S) of calls or puts (C, P)."""

    LONG = "LONG"
    SHORT = "SHORT"
    LC = "LC"
    LP = "LP"
    SC = "SC"
    SP = "SP"


SUBTYPES: dict[InvestmentClass, tuple[str, ...]] = {
    InvestmentClass.PUBLIC: ("STOCK", "ETF", "MUTUAL_FUND", "BOND", "CASH"),
    InvestmentClass.OPTIONS: ("CALL", "PUT"),
    InvestmentClass.PRIVATE: (
        "PRIVATE_EQUITY",
        "VENTURE_CAPITAL",
        "HEDGE_FUND",
        "PRIVATE_REIT",
        "REAL_ESTATE",
        "CRYPTOCURRENCY",
        "ART",
        "MONEY_MARKET",
        "TREASURY_BILLS",
        "CASH",
        "COMMODITY",
        "OTHER",
    ),
}
SUBTYPE_ALIASES = {"CRYPTO": "CRYPTOCURRENCY"}

CASH_PREFIX = "CASH_"  # CASH_USD and the like: cash without a ticker


@dataclass(frozen=True)
class OptionTerms:
    """What an option contract is on. The strike is in money per share of the underlying."""

    underlying_symbol: str
    expiration_date: date
    option_type: OptionType
    strike_price: Decimal


@dataclass(frozen=True)
class PositionRow:
    """One position as an import file states it; every field is checked.

    `quantity` is signed, negative for a short position, in shares or contracts. Prices are in
    `currency`, an ISO 4217 code, per share, for options per share of the underlying. The option
    fields are set for options only, the exit fields both or neither. `row` is the line of the
    user's file.
    """

    row: int
    symbol: str
    quantity: Decimal
    entry_price: Decimal
    entry_date: date
    investment_class: InvestmentClass
    investment_subtype: str | None
    position_type: PositionType
    currency: str = ACCOUNT_CURRENCY
    underlying_symbol: str | None = None
    strike_price: Decimal | None = None
    expiration_date: date | None = None
    exit_date: date | None = None
    exit_price: Decimal | None = None

    @property
    def multiplier(self) -> int:
        """Return the shares behind one unit of quantity."""
        return multiplier_of(self.investment_class)


def multiplier_of(investment_class: InvestmentClass | None) -> int:
    """Return the shares behind one unit of quantity: 100 for options, else 1."""
    return OPTION_MULTIPLIER if investment_class is InvestmentClass.OPTIONS else 1


def position_type(quantity: Decimal, option_type: OptionType | None) -> PositionType:
    """Return the type of a position of this signed quantity; `option_type` is None for others."""
    is_short = quantity < 0
    if option_type is None:
        return PositionType.SHORT if is_short else PositionType.LONG
    if option_type is OptionType.CALL:
        return PositionType.SC if is_short else PositionType.LC
    return PositionType.SP if is_short else PositionType.LP


def default_subtype(investment_class: InvestmentClass, symbol: str) -> str | None:
    """Return the subtype of a position whose subtype is blank; None for public ones.

    A private position is OTHER, or CASH if its symbol says so.
    """
    if investment_class is not InvestmentClass.PRIVATE:
        return None
    return "CASH" if symbol.startswith(CASH_PREFIX) else "OTHER"
