"""Stocks that nobody has heard of: made up once, the same in every market.

Their symbols end in four digits, which no symbol of a real exchange does. What they are like is
drawn from distributions that look like the smaller part of the American market, and rounded, so
that no platform's arithmetic changes a fact.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from simulator import draws
from simulator.universe import Profile, Security

COUNT = 4_920


class _Sector(NamedTuple):
    prefix: str
    beta: float
    value: float
    share: float
    """Of all made-up stocks."""
    industries: tuple[str, ...]


_SECTORS = {
    "Technology": _Sector("TEC", 1.2, -0.15, 0.15, ("Software", "Semiconductors", "Instruments")),
    "Healthcare": _Sector("HLT", 0.85, -0.1, 0.16, ("Biotechnology", "Medical Devices", "Care")),
    "Financial Services": _Sector("FIN", 1.0, 0.4, 0.15, ("Banks", "Insurance", "Brokerage")),
    "Consumer Discretionary": _Sector("CDI", 1.15, 0.0, 0.12, ("Retail", "Leisure", "Apparel")),
    "Consumer Staples": _Sector("CST", 0.6, 0.1, 0.05, ("Foods", "Beverages", "Household")),
    "Industrials": _Sector("IND", 1.05, 0.05, 0.14, ("Machinery", "Logistics", "Aerospace")),
    "Energy": _Sector("ENE", 1.0, 0.35, 0.06, ("Exploration", "Pipelines", "Drilling")),
    "Materials": _Sector("MAT", 1.05, 0.15, 0.05, ("Chemicals", "Metals", "Packaging")),
    "Real Estate": _Sector("REA", 0.9, 0.1, 0.06, ("Properties", "Storage", "Residential")),
    "Utilities": _Sector("UTI", 0.55, 0.25, 0.02, ("Electric", "Water", "Gas")),
    "Communication Services": _Sector("COM", 1.0, 0.0, 0.04, ("Media", "Telecom", "Games")),
}
_FIRST = (
    *("Alder", "Amber", "Anchor", "Arbor", "Ash", "Beacon", "Birch", "Bluff", "Boulder", "Bridge"),
    *("Cedar", "Cliff", "Cobalt", "Copper", "Coral", "Crest", "Delta", "Ember", "Falcon", "Fern"),
    *("Flint", "Forge", "Garnet", "Glen", "Granite", "Harbor", "Hazel", "Heron", "Hollow", "Iron"),
    *("Ivory", "Jasper", "Juniper", "Keel", "Kestrel", "Lantern", "Larch", "Ledge", "Linden"),
    *("Maple", "Marsh", "Meadow", "Mesa", "Mill", "Moss", "North", "Oak", "Onyx", "Orchard"),
    *("Pebble", "Pine", "Prairie", "Quarry", "Quill", "Raven", "Reed", "Ridge", "River", "Rowan"),
)
_SECOND = (
    *("bank", "bend", "brook", "burn", "cove", "crest", "dale", "field", "ford", "gate", "grove"),
    *("haven", "hill", "land", "line", "mark", "mere", "mont", "point", "port", "ridge", "shore"),
    *("side", "stone", "vale", "view", "water", "way", "well", "wick", "wood", "works", "yard"),
)
_YEARS_LISTED = 15
"""From the epoch: how far ahead it is settled which stocks are listed and delisted when."""
_WEEKDAYS_PER_YEAR = 260


def made_up() -> Iterator[Security]:
    """Return the made-up stocks, the same ones each time."""
    shocks = draws.normals(0, "listings", COUNT, 10).tolist()
    chances = draws.Streams(0).at("listings/chances").random((COUNT, 6)).tolist()
    edges = list(accumulate(sector.share for sector in _SECTORS.values()))
    names = tuple(_SECTORS)
    for number in range(COUNT):
        place = min(bisect_right(edges, chances[number][0]), len(names) - 1)
        yield _stock(number, names[place], shocks[number], chances[number])


def _stock(number: int, sector: str, shocks: Sequence[float], chances: Sequence[float]) -> Security:
    facts = _SECTORS[sector]
    cap = _within(0.05, math.exp(0.4 + 1.6 * shocks[0]), 250)  # billions of dollars
    size = _within(-0.25, 0.55 - 0.086 * math.log2(cap), 0.9)
    beta = _within(0.15, facts.beta + 0.28 * shocks[1], 2.2)
    own = _within(0.1, (0.24 + 0.12 * size) * math.exp(0.3 * shocks[2]), 0.9)
    price = round(_within(3, math.exp(3.6 + 0.8 * shocks[3]), 900), 2)
    pays = chances[1] < (0.7 if facts.value > 0 else 0.4)
    dividend_yield = round(_within(0.002, 0.022 * math.exp(0.5 * shocks[4]), 0.09), 4)
    listed_from, listed_through = _listed(chances)
    loadings = {
        "market": beta,
        sector: _within(0.2, 0.9 + 0.25 * shocks[5], 1.6),
        "size": size,
        "value": _within(-0.8, facts.value + 0.3 * shocks[6], 0.9),
        "momentum": _within(-0.8, 0.3 * shocks[7], 0.8),
        "quality": _within(-0.9, -0.1 + 0.35 * shocks[8], 0.8),
        "low_volatility": _within(-0.7, 0.5 - 0.5 * beta + 0.15 * shocks[9], 0.7),
    }
    if sector in ("Real Estate", "Utilities"):
        loadings["rates"] = 1.5
    return Security(
        profile=Profile(
            symbol=f"{facts.prefix}{number:04d}",
            name=_name(number, facts.industries, chances),
            kind="stock",
            sector=sector,
            industry=_industry(number, facts.industries),
            exchange="NASDAQ" if chances[2] < 0.6 else "NYSE",
            country="US",
        ),
        price=price,
        volume=max(1_000, round(1e9 * cap / price * 0.006)),
        own_volatility=round(own, 3),
        market_cap=round(1e9 * cap),
        dividend_yield=dividend_yield if pays else 0.0,
        payments=2 if pays else 0,
        loadings={name: round(loading, 2) for name, loading in loadings.items()},
        listed_from=listed_from,
        listed_through=listed_through,
    )


def _listed(chances: Sequence[float]) -> tuple[int, int | None]:
    span = _YEARS_LISTED * _WEEKDAYS_PER_YEAR
    first = int(60 + (span - 60) * chances[4] / 0.16) if chances[4] < 0.16 else 0
    if chances[5] >= 0.1:
        return first, None
    return first, first + int(_WEEKDAYS_PER_YEAR + span * chances[5] / 0.1)


def _name(number: int, industries: tuple[str, ...], chances: Sequence[float]) -> str:
    first, second = _FIRST[number % len(_FIRST)], _SECOND[number // len(_FIRST) % len(_SECOND)]
    form = "Inc." if chances[3] < 0.6 else "Corporation"
    return f"{first}{second} {_industry(number, industries)} {form}"


def _industry(number: int, industries: tuple[str, ...]) -> str:
    # Names of two parts come round again; each time in another industry.
    rounds, place = divmod(number, len(_FIRST) * len(_SECOND))
    return industries[(rounds + place) % len(industries)]


def _within(low: float, value: float, high: float) -> float:
    return min(max(value, low), high)
