"""Books in the simulated market, for the engine's stress tests."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache

from common.options import Contract
from risk_engine.domain import History, Market, Position
from risk_engine.engine import stress
from risk_engine.engine.frame import Frame, lay_out_chunk
from risk_engine.engine.results import pack, unpack
from risk_engine.engine.scenario_file import with_own_scenarios
from risk_engine.schemas.base import plain
from risk_engine.schemas.stress import StressOut
from tests.support.simulated import AS_OF, simulated_market
from tests.unit.risk_engine import books

OPENING, ENTERED = date(2025, 12, 1), date(2025, 6, 2)
SPRING, SUMMER, WINTER = date(2026, 3, 20), date(2026, 6, 19), date(2026, 2, 18)
CONTRACTS = {
    "put": Contract("SPY", SPRING, "put", Decimal(600)),
    "call": Contract("AAPL", SUMMER, "call", Decimal(250)),
    "volatility": Contract("VIX", WINTER, "call", Decimal(25)),
    "near call": Contract("SPY", SPRING, "call", Decimal(690)),
    "far call": Contract("SPY", SPRING, "call", Decimal(710)),
    "unknown": Contract("NOPE", WINTER, "call", Decimal(25)),
}


@cache
def stress_market() -> Market:
    """The market of the books below."""
    symbols = ["AAPL", "IWM", "SPY", "TLT", "XOM"]
    return simulated_market([*symbols, *(one.symbol for one in CONTRACTS.values())])


def share(number: int, symbol: str, quantity: str):
    """Shares held before the opening."""
    return replace(books.position(number, symbol, quantity, "100"), entry_date=ENTERED)


def listed(number: int, name: str, quantity: str):
    """One of CONTRACTS, held before the opening."""
    contract = CONTRACTS[name]
    side = "L" if Decimal(quantity) > 0 else "S"
    return replace(
        books.option(number, quantity, "5", contract.expiry),
        symbol=contract.symbol,
        underlying_symbol=contract.underlying,
        strike_price=contract.strike,
        position_type=side + ("C" if contract.right == "call" else "P"),
        investment_subtype=contract.right.upper(),
        entry_date=ENTERED,
    )


EVERYTHING = (
    share(1, "AAPL", "100"),
    share(2, "TLT", "200"),
    share(3, "SPY", "-50"),
    books.private(4, "FUND", "50000"),
    listed(5, "put", "3"),
    listed(6, "call", "-2"),
    listed(7, "volatility", "5"),
)


OBSERVED = tuple(
    one for one in EVERYTHING if one.symbol not in {"FUND", CONTRACTS["volatility"].symbol}
)
"""Those with a history of their own: neither private nor on the volatility index."""


def account(*positions: Position, number: int = 1, equity: str = "100000"):
    """A book opened in December."""
    return books.book(positions, equity, number, opening_session=OPENING)


def frame_of(*accounts, market: Market | None = None) -> Frame:
    """A chunk laid out."""
    return lay_out_chunk(accounts, market or stress_market(), {}, [History.none()] * len(accounts))


def read(answer):
    """Read an answer back as a reader does: packed, unpacked, checked."""
    return StressOut.model_validate(
        {
            **plain(unpack(pack(answer.payload))),
            "engine": "stress",
            "status": answer.status,
            "as_of": AS_OF,
            "panel_version": 1,
            "book_revision": 1,
            "model_version": stress.MODEL_VERSION,
        }
    )


@cache
def stressed(*positions, market=None, **more):
    """Stress a book of its own."""
    (answer,) = answers(account(*positions, **more), market=market)
    return read(answer)


def answers(*accounts, market=None):
    """Stress some books together."""
    return stress.calculate(frame_of(*accounts, market=market))


def scenario(found, name):
    """Return one of a book's scenarios."""
    return next(one for one in found.scenarios if one.id == name)


def replaced(market, text):
    """Return the market with scenarios of one's own beside the shipped ones."""
    return replace(market, scenarios=with_own_scenarios("own.toml", "version = 1\n" + text))
