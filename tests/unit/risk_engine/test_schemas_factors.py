"""What is read of factors: everything, and the shapes existing clients know."""

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from risk_engine import schemas
from risk_engine.domain import Failure
from risk_engine.engine.payload import to_payload
from risk_engine.engine.results import pack
from risk_engine.repository import Known, Result
from tests.support.simulated import AS_OF
from tests.unit.risk_engine.books import option
from tests.unit.risk_engine.factored import account, asset, frame_of, result_of, shares

PORTFOLIO = UUID(int=1)
NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
BOOK = account(
    shares(1, "JPM", 100),
    shares(2, "AAPL", -40),
    shares(3, "TLT", 50),
    asset(4, "PRIVATE_EQUITY"),
    replace(shares(5, "XOM", 10), exit_date=AS_OF, exit_price=shares(5, "XOM", 10).entry_price),
)
PAGE = schemas.Page(50, 0, frozenset())
NAMES = ["Market Beta", "Momentum", "Value", "Growth", "Quality", "Size", "Low Volatility"]
READS = [
    schemas.factors,
    lambda portfolio, known: schemas.factor_exposures(portfolio, known, NOW),
    lambda portfolio, known: schemas.positions_factor_exposures(portfolio, known, NOW, PAGE),
    schemas.spread_factors,
    schemas.beta_comparison,
    schemas.market_beta,
    schemas.calculated_beta,
    schemas.provider_beta,
]


def known_of(book=BOOK, revision=3) -> Known:
    """What is stored of a book after its factors were calculated."""
    result = result_of(book)

    def stored(status, payload):
        return Result(AS_OF, 3, 7, status, "m-1", "hash", NOW, pack(payload))

    return Known(
        PORTFOLIO,
        book.name,
        revision,
        {
            "valuation": stored("ok", to_payload(frame_of(book).valuations[0])),
            "factors": stored(result.status, result.payload),
        },
        {},
    )


def only_valued() -> Known:
    known = known_of()
    return replace(known, results={"valuation": known.results["valuation"]})


def test_everything_is_read_and_nothing_is_not_a_number():
    found = schemas.factors(PORTFOLIO, known_of())
    assert found.available
    assert found.data is not None
    assert [one.name for one in found.data.reported] == NAMES
    assert len(found.data.positions) == 4
    assert sum(one.contribution or 0 for one in found.data.positions) == pytest.approx(1)
    for read in READS:
        text = read(PORTFOLIO, known_of()).model_dump_json()
        assert "NaN" not in text
        assert "Infinity" not in text


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("known", [lambda: None, only_valued], ids=["unheard of", "only valued"])
def test_without_a_result_there_is_none(read, known):
    found = read(PORTFOLIO, known())
    assert not found.available
    assert found.portfolio_id == PORTFOLIO


def test_a_failure_says_why():
    failed = replace(only_valued(), failures={"factors": Failure("engine_error", "It broke.")})
    assert schemas.market_beta(PORTFOLIO, failed).metadata == {"error": "It broke."}


def test_factors_under_the_names_clients_know():
    found = schemas.factor_exposures(PORTFOLIO, known_of(), NOW)
    shown = {one.name: one for one in found.factors}
    assert list(shown) == [*NAMES, "Market Beta (Calculated 90d)", "Market Beta (Provider 1y)"]
    everything = schemas.factors(PORTFOLIO, known_of()).data
    assert everything is not None
    assert shown["Market Beta"].beta == everything.factors[0].beta
    assert shown["Market Beta (Calculated 90d)"].beta == everything.market_beta.beta
    assert found.calculation_date == AS_OF
    assert found.metadata["factors_calculated"] == found.metadata["total_active_factors"] == 7
    assert found.metadata["completeness"] == "complete"
    assert found.metadata["has_market_beta"] == 1
    assert isinstance(found.data_quality, schemas.Staleness)
    # From midnight after the last day of the year to noon two days later.
    assert found.data_quality.age_hours == 36
    assert found.data_quality.is_current


def test_of_an_older_book_they_are_stale():
    found = schemas.factor_exposures(PORTFOLIO, known_of(revision=4), NOW)
    assert found.stale
    assert isinstance(found.data_quality, schemas.Staleness)
    assert found.data_quality.is_stale


def test_what_is_not_known_is_not_listed():
    found = schemas.factor_exposures(
        PORTFOLIO, known_of(account(shares(1, "JPM", 1), equity="-10000")), NOW
    )
    assert (found.available, found.factors) == (False, [])
    assert isinstance(found.data_quality, schemas.DataQuality)
    assert found.data_quality.flag == "NO_FACTOR_CALCULATIONS"
    quality = found.data_quality
    assert (quality.positions_total, quality.positions_analyzed) == (1, 1)
    assert (quality.positions_skipped, quality.data_days) == (0, 252)


def test_spreads_that_could_not_be_found_are_told_from_those_not_looked_for():
    poor = known_of(account(shares(1, "JPM", 1), equity="-10000"))
    found = schemas.spread_factors(PORTFOLIO, poor)
    assert found.metadata["reason"] == "no_exposures_calculated"
    assert "net asset value is not positive" in str(found.metadata["detail"])
    never = schemas.spread_factors(PORTFOLIO, only_valued())
    assert never.metadata["reason"] == "no_calculations_available"


def test_positions_are_paged_by_symbol():
    known = known_of()
    everything = schemas.positions_factor_exposures(PORTFOLIO, known, NOW, PAGE)
    assert [one.symbol for one in everything.positions] == ["AAPL", "JPM", "P4", "TLT"]
    assert everything.total == 4
    everyones = schemas.factors(PORTFOLIO, known).data
    assert everyones is not None
    names = [one.name for one in everyones.factors]
    told = {one.position_id: one for one in everyones.positions}
    for one in everything.positions:
        pairs = zip(names, told[one.position_id].loadings, strict=True)
        loadings = {name: value for name, value in pairs if value is not None}
        assert one.loadings == loadings
        assert one.exposures == {
            "Market Beta": loadings["MKT"],
            "Momentum": loadings["MOM"],
            "Value": loadings["VALUE"],
            "Growth": -loadings["VALUE"],
            "Quality": loadings["QUAL"],
            "Size": loadings["SIZE"],
            "Low Volatility": loadings["LOWVOL"],
        }
    page = schemas.positions_factor_exposures(
        PORTFOLIO, known, NOW, schemas.Page(2, 1, frozenset())
    )
    assert [one.symbol for one in page.positions] == ["JPM", "P4"]
    assert (page.total, page.limit, page.offset) == (4, 2, 1)
    beyond = schemas.positions_factor_exposures(
        PORTFOLIO, known, NOW, schemas.Page(2, 9, frozenset())
    )
    assert (beyond.available, beyond.positions) == (True, [])
    some = schemas.positions_factor_exposures(
        PORTFOLIO, known, NOW, schemas.Page(50, 0, frozenset({"TLT", "XXX"}))
    )
    assert [one.symbol for one in some.positions] == ["TLT"]
    none = schemas.positions_factor_exposures(
        PORTFOLIO, known, NOW, schemas.Page(50, 0, frozenset({"ZZZ"}))
    )
    assert (none.available, none.total, none.positions) == (True, 0, [])
    assert isinstance(none.data_quality, schemas.Staleness)


def test_a_book_of_nothing_has_no_positions():
    found = schemas.positions_factor_exposures(PORTFOLIO, known_of(account()), NOW, PAGE)
    assert not found.available
    assert isinstance(found.data_quality, schemas.DataQuality)
    assert found.data_quality.flag == "NO_POSITIONS"


def test_betas_are_compared_for_every_position():
    found = schemas.beta_comparison(PORTFOLIO, known_of())
    assert found.positions is not None
    pairs = {one.symbol: one for one in found.positions}
    assert list(pairs) == ["AAPL", "JPM", "P4", "TLT", "XOM"]
    jpm = pairs["JPM"]
    assert jpm.market_beta is not None
    assert jpm.calculated_beta is not None
    assert jpm.beta_difference == pytest.approx(jpm.calculated_beta - jpm.market_beta, abs=1e-7)
    assert jpm.observations == 252
    assert jpm.calculation_date == AS_OF
    # Sold: nothing of it is calculated, and every key is there.
    assert pairs["XOM"].model_dump(exclude={"symbol", "position_id"}) == {
        "market_beta": None,
        "calculated_beta": None,
        "beta_r_squared": None,
        "calculation_date": None,
        "observations": None,
        "beta_difference": None,
        "standard_error": None,
    }
    assert found.metadata == {
        "total_positions": 5,
        "positions_with_market_beta": 3,
        "positions_with_calculated_beta": 4,
    }


def test_one_beta_under_three_names():
    known = known_of()
    calculated = schemas.calculated_beta(PORTFOLIO, known).data
    legacy = schemas.market_beta(PORTFOLIO, known).data
    vendor = schemas.provider_beta(PORTFOLIO, known).data
    assert calculated is not None
    assert legacy is not None
    assert vendor is not None
    assert calculated.beta_calculated_90d == legacy.market_beta_weighted
    assert calculated.low is not None
    assert calculated.high is not None
    assert calculated.low < calculated.beta_calculated_90d < calculated.high
    assert legacy.market_beta_r_squared == calculated.beta_calculated_90d_r_squared
    assert (vendor.positions_with_beta, vendor.positions_total) == (3, 4)
    assert vendor.coverage_percentage == 75
    how = schemas.calculated_beta(PORTFOLIO, known).metadata
    assert how["window_sessions"] == how["window_days"] == 252
    assert how["model_type"] == "single_factor_wls_shrunk_to_prior"


def test_spreads_say_where_a_portfolio_leans():
    found = schemas.spread_factors(PORTFOLIO, known_of())
    assert [one.name for one in found.factors] == [
        "Growth-Value Spread",
        "Momentum Spread",
        "Size Spread",
        "Quality Spread",
    ]
    assert found.metadata["factors_calculated"] == found.metadata["expected_factors"] == 4
    assert found.metadata["regression_window_days"] == found.metadata["window_sessions"] == 504
    assert "residual_factors" in str(found.metadata["calculation_method"])
    for one in found.factors:
        size = abs(one.beta)
        strong, moderate = size > 0.5, size > 0.2
        assert one.magnitude == ("Strong" if strong else "Moderate" if moderate else "Mild")
        assert one.risk_level == ("high" if strong else "medium" if moderate else "low")
    of_size = found.factors[2]
    assert of_size.direction == ("Small Cap" if of_size.beta > 0 else "Large Cap")


def test_what_cannot_be_modelled_has_no_beta():
    odd = account(replace(option(9, "5", "20"), underlying_symbol="NOBODY"))
    reads = (schemas.calculated_beta, schemas.market_beta, schemas.provider_beta)
    for found in [read(PORTFOLIO, known_of(odd)) for read in reads]:
        assert (found.available, found.data) == (False, None)
        assert found.calculation_date == date(2025, 12, 31)
        assert "error" in found.metadata
