"""What kind of thing an underlying is, and what is believed of such a thing before any data.

The lists are data files beside this module, each with its source and date.
"""

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np

from risk_engine.domain import Security
from risk_engine.engine.underlyings import Key, Underlyings
from risk_engine.quant.panel import FloatArray

AssetClass = Literal["cash", "bond", "gold", "leveraged", "volatility", "fund", "stock", "private"]

PRIVATE_OTHER = "OTHER"
CASH_PREFIX = "CASH_"
"""CASH_USD and the like: cash without a ticker."""
_FUND_KINDS = frozenset({"etf", "mutual_fund", "index"})

LEAST_SPECIFIC_VOLATILITY: Mapping[AssetClass, float] = {
    "cash": 0.0,
    "bond": 0.01,
    "gold": 0.01,
    "leveraged": 0.01,
    "volatility": 0.05,
    "fund": 0.01,
    "stock": 0.05,
    "private": 0.0,
}
"""Per year: nothing that trades is explained entirely."""
USUAL_SPECIFIC_VOLATILITY: Mapping[AssetClass, float] = {
    "cash": 0.0,
    "bond": 0.03,
    "gold": 0.15,
    "leveraged": 0.10,
    "volatility": 0.60,
    "fund": 0.10,
    "stock": 0.30,
    "private": 0.0,
}
"""Per year, of one whose history is too short: judgement, and flagged wherever it is used.

Of a fund that multiplies an index it is the index's: see `usual_specific_volatilities`.
"""


@dataclass(frozen=True, slots=True)
class FundDuration:
    """What a bond fund's company publishes, or a multiple of it: years, and years squared."""

    duration: float
    convexity: float


@dataclass(frozen=True, slots=True)
class Proxy:
    """What stands in for a private asset: a multiple of a listed fund, or of none."""

    fund: str | None
    multiple: float
    specific_volatility: float


@dataclass(frozen=True)
class Classes:
    """The lists: symbols of cash-like and precious-metal funds, multiples of the market.

    `volatility_betas` are what products on volatility are believed to gain as the market does;
    `volatility_multiples` how many times their index's return some of them have in a day.
    `on_the_market` are those of `market_multiples` whose index is the market's own.
    """

    cash: frozenset[str]
    gold: frozenset[str]
    market_multiples: Mapping[str, float]
    on_the_market: frozenset[str]
    volatility_betas: Mapping[str, float]
    volatility_multiples: Mapping[str, float]
    sector_funds: Mapping[str, str]


@cache
def fund_durations() -> Mapping[str, FundDuration]:
    """Return the durations of bond funds, by symbol: published, or a daily multiple of those."""
    content = _content("fund_durations")
    published = {symbol: FundDuration(**row) for symbol, row in content["funds"].items()}
    return published | {
        symbol: _multiple(published[row["of"]], row["multiple"])
        for symbol, row in content["leveraged"].items()
    }


@cache
def daily_multiples() -> Mapping[str, float]:
    """Return how many times its index's return of a day a leveraged or inverse fund has.

    By symbol: funds of shares, of bonds, and of futures on volatility.
    """
    bonds = _content("fund_durations")["leveraged"]
    known = classes()
    return {
        **known.market_multiples,
        **known.volatility_multiples,
        **{symbol: float(row["multiple"]) for symbol, row in bonds.items()},
    }


@cache
def private_proxies() -> Mapping[str, Proxy]:
    """Return what stands in for private assets, by subtype in capitals."""
    return {
        subtype: Proxy(**row) for subtype, row in _content("private_proxies")["subtypes"].items()
    }


@cache
def classes() -> Classes:
    """Return the lists of symbols."""
    content = _content("asset_classes")
    return Classes(
        frozenset(content["cash"]),
        frozenset(content["gold"]),
        content["market_multiples"],
        frozenset(content["on_the_market"]),
        content["volatility_betas"],
        content["volatility_multiples"],
        content["sector_funds"],
    )


def asset_class(key: Key, kind: str, security: Security | None) -> AssetClass:
    """Tell what an underlying is; one of which nothing is known is taken for a stock."""
    known = classes()
    if kind in ("cash", "private"):
        return "cash" if kind == "cash" else "private"
    if kind == "money_market" or key.symbol in known.cash or key.symbol.startswith(CASH_PREFIX):
        return "cash"
    listed: Mapping[AssetClass, Container[str]] = {
        "bond": fund_durations(),
        "gold": known.gold,
        "leveraged": known.market_multiples,
        "volatility": known.volatility_betas,
    }
    for name, symbols in listed.items():
        if key.symbol in symbols:
            return name
    return "fund" if security is not None and security.kind in _FUND_KINDS else "stock"


def asset_classes(underlyings: Underlyings) -> tuple[AssetClass, ...]:
    """Tell what each underlying is."""
    return tuple(
        asset_class(*one)
        for one in zip(underlyings.keys, underlyings.kinds, underlyings.securities, strict=True)
    )


def usual_specific_volatilities(keys: Sequence[Key], kinds: Sequence[AssetClass]) -> FloatArray:
    """Return what underlyings usually vary by beside all factors, (underlyings,), per year.

    A fund that multiplies an index varies by its multiple of what the index does. An index that is
    the market's own leaves as little as anything that trades.
    """
    multiples, on_the_market = daily_multiples(), classes().on_the_market
    found = np.empty(len(keys))
    for row, (key, kind) in enumerate(zip(keys, kinds, strict=True)):
        own = key.subtype is None and key.symbol in on_the_market
        usual = LEAST_SPECIFIC_VOLATILITY if own else USUAL_SPECIFIC_VOLATILITY
        multiple = multiples.get(key.symbol, 1.0) if key.subtype is None else 1.0
        found[row] = usual[kind] * abs(multiple)
    return found


def proxy_of(key: Key) -> Proxy:
    """Return what stands in for a private asset."""
    proxies = private_proxies()
    return proxies.get(key.subtype or PRIVATE_OTHER, proxies[PRIVATE_OTHER])


def _multiple(fund: FundDuration, multiple: float) -> FundDuration:
    return FundDuration(multiple * fund.duration, multiple * fund.convexity)


def _content(name: str) -> dict[str, Any]:
    text = files("risk_engine.engine").joinpath(f"{name}.json").read_text("utf-8")
    content: dict[str, Any] = json.loads(text)
    return content
