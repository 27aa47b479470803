"""Books of 75 positions, as large as the original's three demo portfolios together."""

import random
from datetime import date, timedelta

from simulator.universe import load_universe

POSITIONS = 75
OPTIONS = 8
PRIVATE = 5
SHORTS = 9
HEADER = (
    "Symbol,Quantity,Entry Price Per Share,Entry Date,Investment Class,Investment Subtype,"
    "Underlying Symbol,Strike Price,Expiration Date,Option Type"
)
FIRST_ENTRY = date(2024, 1, 2)
EQUITY = "3000000.00"


def book(chance: random.Random) -> bytes:
    """Return a CSV of stocks and funds held long and short, options, and private assets."""
    universe = load_universe()
    known = [universe.securities[symbol] for symbol in universe.known]
    listed = [security for security in known if security.profile.kind in ("stock", "etf")]
    rows = [HEADER]
    for place in range(POSITIONS - OPTIONS - PRIVATE):
        security = listed[place] if place < len(listed) else chance.choice(listed)
        sign = -1 if place < SHORTS else 1
        kind = security.profile.kind.upper()
        price = security.price * chance.uniform(0.7, 1.2)
        rows.append(
            _row(security.profile.symbol, sign * chance.randint(5, 400), price, chance, kind)
        )
    for place in range(OPTIONS):
        under = listed[place]
        right = chance.choice(["CALL", "PUT"])
        strike = f"{under.price:.0f}"
        symbol = f"{under.profile.symbol.replace('-', '')}291221{right[0]}{int(strike) * 1000:08d}"
        details = f"OPTIONS,{right},{under.profile.symbol},{strike}.00,2029-12-21,{right}"
        rows.append(_plain(symbol, chance.choice([-5, 3, 10]), 12.5, chance) + f",{details}")
    rows += [
        _plain(f"FUND_{place}", 1, 50_000, chance) + ",PRIVATE,PRIVATE_EQUITY,,,,"
        for place in range(PRIVATE)
    ]
    return "\n".join(rows).encode()


def _row(symbol: str, quantity: int, price: float, chance: random.Random, kind: str) -> str:
    return _plain(symbol, quantity, price, chance) + f",PUBLIC,{kind},,,,"


def _plain(symbol: str, quantity: int, price: float, chance: random.Random) -> str:
    entered = FIRST_ENTRY + timedelta(days=7 * chance.randrange(50))
    return f"{symbol},{quantity},{price:.2f},{entered}"
