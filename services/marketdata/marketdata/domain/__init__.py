"""What marketdata knows and decides, without I/O.

`market` says what a provider gives, `columns` what of it is stored and what a panel still lacks,
`coverage` which symbols a book needs and how well they are priced.
"""

from marketdata.domain.codes import Code
from marketdata.domain.columns import (
    Column,
    Edition,
    PanelColumn,
    PanelState,
    Plan,
    Span,
    edition_of,
    first_of_last,
    gap,
    priced_session,
    unpublished,
    what_is_lacking,
)
from marketdata.domain.coverage import (
    FACTOR_ETFS,
    NO_PRICE,
    NOT_LOADED,
    PREPARE,
    STALE_PRICE,
    UNKNOWN_SYMBOL,
    Holding,
    Preparation,
    cover,
    holding_of,
    is_ready,
    symbols_of,
)
from marketdata.domain.market import BAR, History, Kind, Profile, Provider, Quote, Security, Source

__all__ = [
    "BAR",
    "FACTOR_ETFS",
    "NOT_LOADED",
    "NO_PRICE",
    "PREPARE",
    "STALE_PRICE",
    "UNKNOWN_SYMBOL",
    "Code",
    "Column",
    "Edition",
    "History",
    "Holding",
    "Kind",
    "PanelColumn",
    "PanelState",
    "Plan",
    "Preparation",
    "Profile",
    "Provider",
    "Quote",
    "Security",
    "Source",
    "Span",
    "cover",
    "edition_of",
    "first_of_last",
    "gap",
    "holding_of",
    "is_ready",
    "priced_session",
    "symbols_of",
    "unpublished",
    "what_is_lacking",
]
