"""Sectors: vendors' names become the benchmark's, and funds are looked through."""

from datetime import date

import numpy as np
import pytest

from risk_engine.domain import Benchmark, Security
from risk_engine.engine.classification import (
    BUCKETS,
    INDEX,
    SECTORS,
    benchmark_weights,
    classify,
    is_sector,
    sector_table,
)
from risk_engine.engine.underlyings import Key, Underlyings
from simulator.universe import load_universe

AS_OF = date(2025, 12, 31)


def underlyings(*known) -> Underlyings:
    """Underlyings of rows (symbol, private subtype, security)."""
    count = len(known)
    unknown = np.full(count, np.nan)
    return Underlyings(
        keys=tuple(Key(symbol, subtype) for symbol, subtype, _ in known),
        securities=tuple(security for _, _, security in known),
        column=np.full(count, -1),
        price=unknown,
        returns=np.empty((0, count)),
    )


def made_of(symbol="X", subtype=None, benchmark=None, **security):
    """Return the composition of one underlying by bucket, without zeros, and on what it rests."""
    known = Security(
        **{"name": symbol, "kind": "stock", "sector": None, "industry": None} | security
    )
    held = underlyings((symbol, subtype, known if security else None))
    found = classify(held, benchmark_weights(benchmark))
    parts = zip(BUCKETS, found.composition[0].tolist(), strict=True)
    return {bucket: part for bucket, part in parts if part}, found.basis[0]


@pytest.mark.parametrize(
    ("vendors", "sector"),
    [
        ("Technology", "Information Technology"),
        ("Healthcare", "Health Care"),
        ("Financial Services", "Financials"),
        ("Consumer Cyclical", "Consumer Discretionary"),
        ("Consumer Defensive", "Consumer Staples"),
        ("Basic Materials", "Materials"),
        ("Communication Services", "Communication Services"),
        ("Consumer Discretionary", "Consumer Discretionary"),
        ("Real Estate", "Real Estate"),
    ],
)
def test_vendors_names_are_the_benchmark_s(vendors, sector):
    assert made_of(kind="stock", sector=vendors) == ({sector: 1.0}, "sector")


@pytest.mark.parametrize("sector", [None, "Conglomerates"])
def test_a_share_of_no_known_sector_is_unclassified(sector):
    assert made_of(kind="stock", sector=sector) == ({"Unclassified": 1.0}, "none")


def test_what_nobody_knows_is_unclassified():
    assert made_of() == ({"Unclassified": 1.0}, "none")


def test_private_assets_and_cash_are_no_sectors():
    assert made_of(subtype="PRIVATE_EQUITY") == ({"Private": 1.0}, "asset_class")
    assert made_of(subtype="CASH") == ({"Cash": 1.0}, "asset_class")
    assert made_of("SPAXX", kind="money_market") == ({"Cash": 1.0}, "asset_class")


def test_a_fund_is_looked_through():
    found, basis = made_of("QQQ", kind="etf", sector="ETF", industry="Large Growth")
    assert basis == "composition"
    assert set(found) == set(SECTORS)
    assert sum(found.values()) == pytest.approx(1, abs=1e-12)
    assert found["Information Technology"] == pytest.approx(0.506)


def test_funds_of_one_sector_or_asset_class_are_all_of_it():
    assert made_of("XLF", kind="etf") == ({"Financials": 1.0}, "sector")
    assert made_of("TLT", kind="etf") == ({"Fixed Income": 1.0}, "asset_class")
    assert made_of("GLD", kind="etf") == ({"Commodities": 1.0}, "asset_class")
    assert made_of("VIX", kind="index") == ({"Volatility": 1.0}, "asset_class")


def test_an_unknown_fund_is_what_its_category_says():
    """The category is a vendor's; one that names neither sector nor asset class says nothing."""
    assert made_of("NEW", kind="etf", industry="High Yield Bond")[0] == {"Fixed Income": 1.0}
    assert made_of("NEW", kind="etf", industry="Health")[0] == {"Health Care": 1.0}
    assert made_of("NEW", kind="etf", industry="Large Blend") == ({"Funds": 1.0}, "none")
    assert made_of("NEW", kind="index", industry="Index") == ({"Unclassified": 1.0}, "none")


def test_a_fund_on_the_benchmark_is_made_of_the_benchmark():
    """So that holding it is no active weight, whatever the index is made of today."""
    benchmark = Benchmark(INDEX, AS_OF, {"Technology": 0.6, "Energy": 0.4})
    for symbol, kind in (("SPY", "etf"), ("SPX", "index")):
        found, _ = made_of(symbol, benchmark=benchmark, kind=kind)
        assert found == {"Information Technology": 0.6, "Energy": 0.4}


@pytest.mark.parametrize(
    "benchmark",
    [
        pytest.param(None, id="none"),
        pytest.param(Benchmark(INDEX, AS_OF, {"Technology": 0.9}), id="not all of it"),
        pytest.param(Benchmark(INDEX, AS_OF, {"Technology": 0.5, "Widgets": 0.5}), id="no sector"),
    ],
)
def test_a_benchmark_that_does_not_add_up_is_not_taken(benchmark):
    found = benchmark_weights(benchmark)
    assert (found.source, found.as_of) == ("table", date(2024, 12, 31))
    assert found.weights.sum() == pytest.approx(1, abs=1e-6)


def test_a_position_counts_where_it_is_and_a_fund_as_a_fund():
    held = underlyings(
        ("JPM", None, Security("JPM", "stock", "Financial Services", None)),
        ("QQQ", None, Security("QQQ", "etf", "ETF", None)),
        ("TLT", None, Security("TLT", "etf", "ETF", None)),
    )
    found = classify(held, benchmark_weights(None))
    names = [BUCKETS[place] for place in found.bucket]
    assert names == ["Financials", "Funds", "Fixed Income"]


def test_no_underlyings_are_fine():
    assert classify(underlyings(), benchmark_weights(None)).composition.shape == (0, len(BUCKETS))


def test_the_table_is_whole():
    """Every fund is a composition or a bucket, every name a bucket, every composition adds up."""
    table = sector_table()
    for weights in table.compositions.values():
        assert weights.sum() == pytest.approx(1, abs=1e-6)
        assert weights[~is_sector()].sum() == 0
    assert set(table.funds.values()) <= {*table.compositions, *BUCKETS}
    assert set(table.names.values()) <= set(BUCKETS)
    assert not set(table.names) & set(SECTORS)


def test_the_simulated_market_is_classified_but_for_nothing():
    """Everything it lists by a real name, and the made-up shares, has its place."""
    listed = load_universe().securities
    held = underlyings(
        *(
            (symbol, None, Security(one.profile.name, one.profile.kind, *_words(one.profile)))
            for symbol, one in sorted(listed.items())
        )
    )
    found = classify(held, benchmark_weights(None))
    np.testing.assert_allclose(found.composition.sum(axis=1), 1, atol=1e-12)
    nowhere = [
        key.symbol for key, basis in zip(held.keys, found.basis, strict=True) if basis == "none"
    ]
    assert nowhere == []


def _words(profile):
    return profile.sector, profile.industry


@pytest.mark.parametrize(
    ("symbol", "bucket"),
    [
        ("AGG", "Fixed Income"),
        ("ZROZ", "Fixed Income"),
        ("MUB", "Fixed Income"),
        ("TMV", "Fixed Income"),
        ("PHYS", "Commodities"),
        ("UVIX", "Volatility"),
        ("NOBODY", "Unclassified"),
    ],
)
def test_a_fund_the_tables_know_needs_nobody_to_describe_it(symbol, bucket):
    parts, basis = made_of(symbol)
    assert parts == {bucket: 1}
    assert basis == ("none" if bucket == "Unclassified" else "asset_class")


def test_a_fund_on_an_index_is_looked_through_whoever_describes_it():
    assert made_of("SPY") == made_of("SPY", kind="etf")
