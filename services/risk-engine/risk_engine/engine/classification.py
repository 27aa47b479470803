"""Say what underlyings are made of: sectors by their GICS names, and what is no equity at all.

A fund is looked through by a table of published sector weights (`data/sectors.json`, with its
date). A fund on the benchmark's index is made of what the benchmark is made of, so that holding it
is no view. Names of sectors are vendors'; the table says which GICS sector each means.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from importlib.resources import files
from typing import Final, Literal

import numpy as np

from risk_engine.domain import Benchmark, Security
from risk_engine.engine.asset_classes import AssetClass, asset_class
from risk_engine.engine.underlyings import Key, Underlyings
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray

SECTORS: Final = (
    "Communication Services",
    "Consumer Discretionary",
    "Consumer Staples",
    "Energy",
    "Financials",
    "Health Care",
    "Industrials",
    "Information Technology",
    "Materials",
    "Real Estate",
    "Utilities",
)
FUNDS, PRIVATE, UNCLASSIFIED, CASH = "Funds", "Private", "Unclassified", "Cash"
BUCKETS: Final = (
    *SECTORS,
    "Fixed Income",
    "Commodities",
    "Digital Assets",
    "Volatility",
    CASH,
    FUNDS,
    PRIVATE,
    UNCLASSIFIED,
)
"""`Funds` are the ones that cannot be looked through, `Unclassified` securities of no sector."""
INDEX: Final = "SP500"
LEAST_SUM: Final = 1e-6
_CLASSES: Final[Mapping[AssetClass, str]] = {
    "bond": "Fixed Income",
    "gold": "Commodities",
    "volatility": "Volatility",
}
"""Of the classes by which the factor model knows a fund, what is no equity."""
_PLACES: Final = {bucket: place for place, bucket in enumerate(BUCKETS)}

Basis = Literal["sector", "composition", "asset_class", "none"]


@dataclass(frozen=True, eq=False)
class SectorTable:
    """What `data/sectors.json` says; compositions are (buckets,), fractions that add up to 1."""

    as_of: date
    names: Mapping[str, str]
    compositions: Mapping[str, FloatArray]
    funds: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class BenchmarkWeights:
    """A benchmark by bucket, (buckets,): fractions that add up to 1 over the sectors."""

    name: str
    as_of: date
    source: Literal["market", "table"]
    weights: FloatArray


@dataclass(frozen=True, eq=False)
class Classification:
    """What each underlying is made of, (underlyings, buckets): rows add up to 1.

    `bucket` is where a position counts as one: the place of its sector or asset class, of `Funds`
    for a fund that is looked through. `kinds` are those of the underlyings.
    """

    composition: FloatArray
    basis: tuple[Basis, ...]
    kinds: tuple[str, ...]

    @cached_property
    def bucket(self) -> IntArray:
        """Return the place of each underlying's bucket, (underlyings,)."""
        looked_through = np.array([one == "composition" for one in self.basis], dtype=np.bool_)
        largest = self.composition.argmax(axis=1)
        return np.where(looked_through, _PLACES[FUNDS], largest).astype(np.int64)


def is_sector() -> BoolArray:
    """Tell which buckets are sectors of equity, (buckets,)."""
    return np.array([bucket in SECTORS for bucket in BUCKETS], dtype=np.bool_)


@cache
def sector_table() -> SectorTable:
    """Read the table that is packaged with the engine.

    Raises:
        ValueError: a composition does not add up to 100 within rounding.
    """
    content = json.loads(files("risk_engine").joinpath("data/sectors.json").read_text("utf-8"))
    return SectorTable(
        as_of=date.fromisoformat(content["as_of"]),
        names=content["names"],
        compositions={name: _scaled(parts) for name, parts in content["compositions"].items()},
        funds=content["funds"],
    )


def benchmark_weights(benchmark: Benchmark | None) -> BenchmarkWeights:
    """Return the market's benchmark by bucket; the table's where the market has no sound one."""
    if benchmark is not None:
        weights = np.zeros(len(BUCKETS))
        for name, weight in benchmark.weights.items():
            sector = _sector(name)
            if sector is not None:
                weights[_PLACES[sector]] += weight
        if abs(float(weights.sum()) - 1) <= LEAST_SUM:
            return BenchmarkWeights(benchmark.name, benchmark.as_of, "market", weights)
    table = sector_table()
    return BenchmarkWeights(INDEX, table.as_of, "table", table.compositions[INDEX])


def classify(underlyings: Underlyings, benchmark: BenchmarkWeights) -> Classification:
    """Say what each underlying is made of."""
    composition = np.zeros((len(underlyings), len(BUCKETS)))
    basis: list[Basis] = []
    kinds = underlyings.kinds
    described = zip(underlyings.keys, underlyings.securities, kinds, strict=True)
    for row, (key, security, kind) in enumerate(described):
        made_of, found = _made_of(key, security, kind, benchmark)
        composition[row] = made_of
        basis.append(found)
    return Classification(composition, tuple(basis), kinds)


def _made_of(
    key: Key, security: Security | None, kind: str, benchmark: BenchmarkWeights
) -> tuple[FloatArray, Basis]:
    if asset_class(key, kind, security) == "cash":
        return _all_in(CASH), "asset_class"
    if kind == "private":
        return _all_in(PRIVATE), "asset_class"
    if security is not None and kind == "stock":
        sector = _sector(security.sector)
        return (_all_in(UNCLASSIFIED), "none") if sector is None else (_all_in(sector), "sector")
    return _look_through(key, security, kind, benchmark)


def _look_through(
    key: Key, security: Security | None, kind: str, benchmark: BenchmarkWeights
) -> tuple[FloatArray, Basis]:
    table = sector_table()
    held = table.funds.get(key.symbol)
    if held == benchmark.name:
        return benchmark.weights, "composition"
    if held is not None and held in table.compositions:
        return table.compositions[held], "composition"
    # What a vendor calls a fund's category may name a sector or an asset class.
    category = None if security is None else _bucket(security.industry)
    bucket = held or category or _CLASSES.get(asset_class(key, kind, security))
    if bucket is not None:
        return _all_in(bucket), "sector" if bucket in SECTORS else "asset_class"
    return _all_in(UNCLASSIFIED if kind in {"index", "unknown"} else FUNDS), "none"


def _sector(name: str | None) -> str | None:
    bucket = _bucket(name)
    return bucket if bucket in SECTORS else None


def _bucket(name: str | None) -> str | None:
    if name is None or name in SECTORS:
        return name
    return sector_table().names.get(name)


def _all_in(bucket: str) -> FloatArray:
    weights = np.zeros(len(BUCKETS))
    weights[_PLACES[bucket]] = 1.0
    return weights


def _scaled(parts: Mapping[str, float]) -> FloatArray:
    weights = np.zeros(len(BUCKETS))
    for bucket, percent in parts.items():
        weights[_PLACES[bucket]] = percent
    total = float(weights.sum())
    # Published percentages are rounded to a tenth, eleven of them.
    if abs(total - 100) > 0.5:
        raise ValueError(f"a composition adds up to {total} %")
    return weights / total
