"""What is read of the engine `stress`: all of it, and under the names existing clients know."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from risk_engine.engine.valuation import LEAST_AMOUNT
from risk_engine.repository import Known
from risk_engine.schemas.base import Answer, Money, Number, Percent
from risk_engine.schemas.stress import FALSE_OR_UNKNOWN, ScenarioOut, StressOut, Verdicts
from risk_engine.schemas.summary import Summary, read, summary, valuation_of

Flag = Literal["NO_STRESS_TEST_RESULTS", "NO_SNAPSHOT", "ZERO_BASELINE", "NO_MATCHING_RESULTS"]
_SENTENCES: dict[Flag, str] = {
    "NO_STRESS_TEST_RESULTS": "No stress test has been calculated for this portfolio yet.",
    "NO_SNAPSHOT": "The portfolio has not been valued yet.",
    "ZERO_BASELINE": "Net asset value is not positive, so impacts cannot be put in relation to it.",
    "NO_MATCHING_RESULTS": "None of the scenarios asked for has a result.",
}


class Stress(Summary):
    """The newest stress test of a portfolio."""

    portfolio_id: UUID
    data: StressOut | None


class Impact(Answer):
    """What a scenario would do, the factors it does not name moving as they usually do."""

    dollar_impact: Money
    percentage_impact: Percent = Field(description="Of portfolio_value; 12.5 is 12.5 %")
    new_portfolio_value: Money


class ScenarioImpact(Answer):
    """A scenario under the names existing clients know, and what they did not ask for."""

    id: str
    name: str
    description: str | None
    category: str | None
    impact_type: Literal["correlated"] = "correlated"
    impact: Impact
    severity: str | None
    direct_impact: Money | None = Field(description="With all other factors held still")
    correlation_effect: Money | None = Field(description="dollar_impact - direct_impact")
    dollar_impact_without_proxies: Money | None
    probability: Number | None = Field(description="Of shocks at least as far from usual")
    margin_call: bool = Field(description=FALSE_OR_UNKNOWN)
    verdicts: Verdicts | None = None


class StressTestData(Answer):
    """Scenarios by category and name; `not_calculated` are those without a correlated impact."""

    scenarios: list[ScenarioImpact]
    portfolio_value: Money = Field(description="Net asset value")
    calculation_date: date
    not_calculated: list[str]
    unmodelled_positions: int = Field(description="Left out of every impact")
    modelled_share: Number | None
    modelled_share_of: str


class DataQuality(Answer):
    """Why there is nothing, and of how many positions."""

    flag: Flag
    message: str
    positions_analyzed: int
    positions_total: int
    positions_skipped: int
    data_days: int


class StressTestMetadata(Answer):
    """What was asked for, and why nothing was found."""

    reason: Literal["no_results", "no_snapshot"] | None = None
    scenarios_requested: list[str] | None = None
    scenarios_not_found: list[str] | None = Field(
        None, description="Those of `scenarios_requested` that this stress test has no scenario of"
    )


class StressTest(Summary):
    """Stress scenarios under the names existing clients know."""

    data: StressTestData | None = None
    data_quality: DataQuality | None = None
    metadata: StressTestMetadata | None = None


def stress(portfolio_id: UUID, known: Known | None) -> Stress:
    """Read the newest stress test; None is a portfolio not heard of."""
    found = _found(known)
    return Stress(
        **_summary(known, available=found is not None), portfolio_id=portfolio_id, data=found
    )


def stress_test(known: Known | None, wanted: Sequence[str] | None) -> StressTest:
    """Read the newest impacts, of the `wanted` scenario ids or of all."""
    found = _found(known)
    if valuation_of(known) is None:
        return _nothing(known, found, "NO_SNAPSHOT", wanted)
    if found is None:
        return _nothing(known, found, "NO_STRESS_TEST_RESULTS", wanted)
    if found.net_asset_value < LEAST_AMOUNT:
        return _nothing(known, found, "ZERO_BASELINE", wanted)
    asked = [one for one in found.scenarios if wanted is None or one.id in wanted]
    if not asked:
        return _nothing(known, found, "NO_MATCHING_RESULTS", wanted)
    impacts = [impact for one in asked if (impact := _impact(one)) is not None]
    if not impacts:
        return _nothing(known, found, "NO_STRESS_TEST_RESULTS", wanted, _why_unknown(asked, found))
    return StressTest(
        **_summary(known, available=True),
        data=StressTestData(
            scenarios=sorted(impacts, key=lambda one: (one.category or "", one.name)),
            portfolio_value=found.net_asset_value,
            calculation_date=found.as_of,
            not_calculated=[one.id for one in asked if one.correlated is None],
            unmodelled_positions=found.based_on.unmodelled_positions,
            modelled_share=found.based_on.modelled_share,
            modelled_share_of=found.based_on.shares_of,
        ),
        metadata=None if wanted is None else StressTestMetadata(**_requested(wanted, found)),
    )


def _requested(wanted: Sequence[str] | None, found: StressOut | None) -> dict[str, Any]:
    if wanted is None:
        return {}
    if found is None:
        return {"scenarios_requested": list(wanted)}
    known = {one.id for one in found.scenarios}
    return {
        "scenarios_requested": list(wanted),
        "scenarios_not_found": [one for one in wanted if one not in known],
    }


def _impact(one: ScenarioOut) -> ScenarioImpact | None:
    if (
        one.correlated is None
        or one.correlated_percentage is None
        or one.new_net_asset_value is None
    ):
        return None
    return ScenarioImpact(
        id=one.id,
        name=one.name,
        description=one.description,
        category=one.category,
        severity=one.severity,
        impact=Impact(
            dollar_impact=one.correlated,
            percentage_impact=one.correlated_percentage,
            new_portfolio_value=one.new_net_asset_value,
        ),
        direct_impact=one.direct,
        correlation_effect=one.effect,
        dollar_impact_without_proxies=one.correlated_without_proxies,
        probability=one.probability,
        margin_call=one.margin_call,
        verdicts=one.verdicts,
    )


def _nothing(
    known: Known | None,
    found: StressOut | None,
    flag: Flag,
    wanted: Sequence[str] | None,
    message: str | None = None,
) -> StressTest:
    based_on = None if found is None else found.based_on
    total = 0 if based_on is None else based_on.open_positions
    skipped = 0 if based_on is None else based_on.unmodelled_positions
    reason: Literal["no_results", "no_snapshot"] | None = None
    if flag in ("NO_STRESS_TEST_RESULTS", "NO_SNAPSHOT"):
        reason = "no_snapshot" if flag == "NO_SNAPSHOT" else "no_results"
    fields = _summary(known, available=False)
    sentence = message or _failure(known) or _SENTENCES[flag]
    return StressTest(
        # Where the calculation itself is late or broken, its own reason stands there.
        **fields | {"message": fields["message"] or sentence},
        data_quality=DataQuality(
            flag=flag,
            message=sentence,
            positions_analyzed=total - skipped,
            positions_total=total,
            positions_skipped=skipped,
            data_days=0 if based_on is None else based_on.sessions,
        ),
        metadata=StressTestMetadata(reason=reason, **_requested(wanted, found)),
    )


def _why_unknown(asked: Sequence[ScenarioOut], found: StressOut) -> str:
    notes = " ".join(note.message for note in found.notes)
    return f"Of none of the {len(asked)} scenario(s) is the impact known. {notes}".rstrip()


def _failure(known: Known | None) -> str | None:
    if known is None or "stress" in known.results or "stress" not in known.failures:
        return None
    return known.failures["stress"].message


def _found(known: Known | None) -> StressOut | None:
    return None if known is None else read("stress", known, StressOut)


def _summary(known: Known | None, *, available: bool) -> dict[str, object]:
    fields = summary(known, valuation_of(known), "stress")
    return fields | {"available": available, "stale": available and fields["stale"]}
