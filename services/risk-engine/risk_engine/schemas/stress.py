"""The payload of the engine `stress`, as `risk_engine.engine.stress` writes it."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal
from uuid import UUID

from pydantic import Field, model_validator

from risk_engine.domain import Basis, Status
from risk_engine.engine.stress_replays import MoveSource, ReplayedBy
from risk_engine.schemas.base import (
    IN_NO_TOTAL,
    WHY_NO_AMOUNTS,
    Answer,
    Engine,
    Money,
    Number,
    Percent,
)
from risk_engine.schemas.exposure import Quality
from risk_engine.schemas.valuation import NoteOut

FALSE_OR_UNKNOWN = "False also where it is not known: `verdicts` tells which"
ByFactor = dict[str, Number]
ByCause = dict[str, Money]


class StressBasedOn(Answer):
    """How much of an account is in its impacts; shares are fractions of what `shares_of` says."""

    open_positions: int
    unmodelled_positions: int = Field(description="Left out of every impact")
    proxied_positions: int
    stale_positions: int
    modelled_share: Number | None
    proxied_share: Number | None
    stale_share: Number | None
    shares_of: str
    unsupported_currency_positions: int = Field(0, description=IN_NO_TOTAL)
    sessions: int = Field(description="On which every factor is known: the covariance's sample")


class Verdicts(Answer):
    """What is said of a scenario; null where a number that it rests on is not known."""

    implausible: bool | None = Field(description="probability < 0.001")
    net_asset_value_negative: bool | None = Field(description="new_net_asset_value < 0")
    margin_call: bool | None = Field(description="new_net_asset_value < maintenance_margin")


class ScenarioOut(Answer):
    """What one scenario would do, in money (a loss is negative) and in percent of net asset value.

    `direct` is with the factors the scenario does not name held still, `correlated` with them as
    expected given the stated ones; shocks are decimals, RATES is a move of the 10-year yield.
    """

    id: str
    name: str
    description: str | None
    group: str | None
    category: str | None
    severity: str | None
    basis: Basis
    horizon: int = Field(description="Sessions, for plausibility and specific risk alone")
    direct: Money | None
    correlated: Money | None
    effect: Money | None = Field(description="correlated - direct")
    direct_percentage: Percent | None
    correlated_percentage: Percent | None
    new_net_asset_value: Money | None = Field(description="Net asset value + correlated")
    direct_without_proxies: Money | None
    correlated_without_proxies: Money | None
    without_volatility: Money | None = Field(description="Correlated, volatility held still")
    double_volatility: Money | None = Field(description="Correlated, with twice its shock")
    stated_shocks: ByFactor
    correlated_shocks: ByFactor
    direct_volatility_shock: Number | None = Field(description="As used for `direct`")
    volatility_shock: Number | None = Field(
        description="Relative move of 30-day implied volatility, as used for `correlated`"
    )
    volatility_stated: bool = Field(description="By the scenario, else by the market's move")
    distance: Number | None = Field(description="Of the stated shocks, standard deviations")
    probability: Number | None = Field(description="Of shocks at least as far, over the horizon")
    implausible: bool = Field(description=FALSE_OR_UNKNOWN)
    by_cause: ByCause = Field(description="Adds up to `correlated`: factors, VOLATILITY, SPECIFIC")
    by_greek: ByCause = Field(description="Adds up to `correlated`: delta, gamma, ..., residual")
    specific_deviation: Money | None = Field(
        description="Standard deviation of specific risk over the horizon; not in the impacts"
    )
    modelled_share: Number | None = Field(description="A fraction of what `shares_of` says")
    net_asset_value_negative: bool = Field(description=FALSE_OR_UNKNOWN)
    maintenance_margin: Money | None = Field(
        description="Net asset value a broker would want after the correlated shocks; estimated"
    )
    margin_call: bool = Field(description=FALSE_OR_UNKNOWN)
    verdicts: Verdicts | None = None


class PositionStressOut(Answer):
    """What each scenario would do to one position; by scenario id."""

    position_id: UUID
    symbol: str
    proxied: bool
    stale: bool
    direct: dict[str, Money | None]
    correlated: dict[str, Money | None]
    reason: str | None = Field(None, description=WHY_NO_AMOUNTS)
    replayed_by: dict[str, ReplayedBy | None] = Field(
        default_factory=dict,
        description="By replay: as its own history says, or as the factors' moves; null for not",
    )


class ReplayOut(Answer):
    """What living through a window of the past again would do, all at once.

    Positions move as they did where their own history reaches back, the others as the factors'
    `moves` say; `move_sources` tells where those are from: the factors' `history`, the scenario
    `file`, or `expected` given the others.
    """

    id: str
    name: str
    description: str | None
    start: date
    end: date
    status: Status
    reason: str | None
    source: str | None = Field(description="Of the moves from the file")
    profit: Money | None
    percentage: Percent | None = Field(description="Of net asset value")
    new_net_asset_value: Money | None
    profit_without_proxies: Money | None
    moves: ByFactor
    move_sources: dict[str, MoveSource]
    volatility_shock: Number | None
    volatility_source: MoveSource
    own_history_share: Number | None = Field(description="Moved as it did; of `shares_of`")
    modelled_share: Number | None


class ReverseOut(Answer):
    """The most likely shocks that would cost a given part of net asset value."""

    loss_percentage: Percent = Field(description="Of net asset value, positive")
    without_proxies: bool = Field(description="Of the positions that stand in for nothing else")
    asked: Money | None = Field(description="The same in money")
    loss: Money | None = Field(description="Of the full revaluation at `shocks`, positive")
    reason: str | None = Field(description="Why there are none")
    shocks: ByFactor
    volatility_shock: Number | None
    horizon: int
    distance: Number | None = Field(description="Of `shocks`, standard deviations of the horizon")
    probability: Number | None = Field(
        description="One-sided: of a loss as large over the horizon, by the factors' linear part"
    )


class StressOut(Engine):
    """What named events would cost an account, and which event would cost it most."""

    engine: Literal["stress"]
    net_asset_value: Money
    percentages_of: str
    based_on: StressBasedOn
    quality: Quality | None = Field(None, description="What all engines say alike of totals")
    scenarios: list[ScenarioOut]
    positions: list[PositionStressOut]
    replays: list[ReplayOut]
    reverse: list[ReverseOut]
    notes: list[NoteOut]

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, tree: Any) -> Any:
        # The engine keeps rows of numbers, and what they are of once.
        if not isinstance(tree, Mapping) or "factors" not in tree:
            return tree
        rest = {key: value for key, value in tree.items() if key not in _AXES}
        scenarios, windows = ([one["id"] for one in tree[key]] for key in ("scenarios", "replays"))
        axes: Mapping[str, Sequence[str]] = {
            "stated_shocks": tree["factors"],
            "correlated_shocks": tree["factors"],
            "shocks": tree["factors"],
            "moves": tree["factors"],
            "move_sources": tree["factors"],
            "by_cause": tree["causes"],
            "by_greek": tree["greeks"],
        }
        return rest | {
            "scenarios": [_named(one, axes) | _judged(one) for one in tree["scenarios"]],
            "replays": [_named(one, axes) for one in tree["replays"]],
            "reverse": [_named(one, axes) for one in tree["reverse"]],
            "positions": [
                one
                | {
                    name: dict(zip(scenarios, one[name], strict=True))
                    for name in ("direct", "correlated")
                }
                # Results of before say nothing of it, nor rows of another currency.
                | {"replayed_by": dict(zip(windows, one.get("replayed_by") or (), strict=False))}
                for one in tree["positions"]
            ],
        }


_AXES = ("factors", "causes", "greeks")


def _judged(row: Mapping[str, Any]) -> dict[str, Any]:
    # The fields were there, and never null, before anybody could say that it is not known.
    verdicts = {name: row[name] for name in Verdicts.model_fields}
    return {"verdicts": verdicts} | {name: bool(said) for name, said in verdicts.items()}


def _named(row: Mapping[str, Any], axes: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    # What is not known of a name is left out.
    return dict(row) | {
        key: {name: cell for name, cell in zip(names, row[key], strict=True) if cell is not None}
        for key, names in axes.items()
        if key in row
    }
