"""The eighth engine: what named events would cost each account, and which event costs it most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from risk_engine.domain import Scenario, ScenarioSet, Status
from risk_engine.engine.amounts import Amounts, amounts_of, share_of
from risk_engine.engine.frame import Frame
from risk_engine.engine.results import Answer, EngineResult, table
from risk_engine.engine.scenario_file import shipped_scenarios
from risk_engine.engine.stress_inputs import StressInputs, stress_inputs
from risk_engine.engine.stress_replays import Replays, is_simulated, run_replays
from risk_engine.engine.stress_reverse import (
    HORIZON,
    LOSSES,
    ReverseRuns,
    run_reverse,
    run_reverse_without_proxies,
)
from risk_engine.engine.stress_runs import CAUSES, ScenarioRuns, run_scenarios
from risk_engine.engine.valuation import LEAST_AMOUNT
from risk_engine.quant.factors import FACTORS
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.stress_attribution import GREEKS

MODEL_VERSION: Final = "stress-4"
PERCENTAGES_OF: Final = "net asset value"
SHARES_OF: Final = "gross market value of the open positions"
IMPLAUSIBLE: Final = 0.001
"""A probability below which a scenario's own shocks hardly belong together."""
SENTENCES: Final[Mapping[str, str]] = {
    "positions_not_modelled": (
        "{count} open position(s) could not be modelled and are left out of every impact."
    ),
    "positions_excluded": "{count} position(s) cannot be valued and are left out of every impact.",
    "proxied": (
        "{count} position(s) have no history of their own and move as what stands in for them; "
        "impacts without them stand beside."
    ),
    "stale_prices": "{count} position(s) are stressed from the close of an earlier session.",
    "covariance_not_known": (
        "The factors have too short a history for a stress covariance: what scenarios imply for "
        "the factors they do not name is not known, and neither are correlated impacts."
    ),
    "factors_not_known": "Of {count} factor(s) nothing is known; nothing moves with them.",
    "simulated_history": (
        "Prices are simulated: of {count} past window(s) only what the scenario file says is "
        "used, never simulated sessions."
    ),
    "net_asset_value_not_positive": (
        "Net asset value is not positive, so percentages are not stated."
    ),
}


def calculate(frame: Frame) -> list[Answer]:
    """Stress all books of a frame; the answers are in their order."""
    inputs = stress_inputs(frame)
    scenarios = frame.market.scenarios or shipped_scenarios()
    found = _Found(
        scenarios=scenarios,
        runs=run_scenarios(inputs, scenarios.active),
        replays=run_replays(inputs, scenarios.windows),
        reverse=run_reverse(inputs),
        reverse_without_proxies=run_reverse_without_proxies(inputs),
    )
    amounts = _amounts(inputs, found.runs)
    return [_answer(inputs, account, found, amounts) for account in range(len(frame.books))]


@dataclass(frozen=True, eq=False)
class _Found:
    scenarios: ScenarioSet
    runs: ScenarioRuns
    replays: Replays
    reverse: ReverseRuns
    reverse_without_proxies: ReverseRuns


def _amounts(inputs: StressInputs, runs: ScenarioRuns) -> Amounts:
    frame = inputs.frame
    usable = np.zeros(len(frame.exposures.account), dtype=np.bool_)
    usable[inputs.holding] = _modelled(np.arange(len(inputs.holding)), runs)
    return amounts_of(frame, frame.return_histories, usable=usable)


def _answer(inputs: StressInputs, account: int, found: _Found, amounts: Amounts) -> EngineResult:
    worth = float(inputs.frame.net_asset_value[account])
    mine = np.flatnonzero(inputs.book.positions.portfolio == account)
    scenarios, runs = found.scenarios, found.runs
    counts = _counts(inputs, account, mine, found)
    return EngineResult(
        _status(counts, len(mine)),
        {
            "net_asset_value": worth,
            "percentages_of": PERCENTAGES_OF,
            "based_on": _based_on(inputs, mine, runs, counts),
            "quality": amounts.quality(account, worth),
            "factors": list(FACTORS),
            "causes": list(CAUSES),
            "greeks": list(GREEKS),
            "scenarios": _scenarios(scenarios.active, runs, account, worth),
            "positions": _positions(inputs, mine, found),
            "replays": _replays(scenarios, found.replays, account, worth),
            "reverse": _reverse(found, account, mixed=bool(counts["proxied"])),
            "notes": [
                {"code": code, "message": sentence.format(count=counts[code])}
                for code, sentence in SENTENCES.items()
                if counts[code]
            ],
        },
    )


def _counts(inputs: StressInputs, account: int, mine: IntArray, found: _Found) -> Mapping[str, int]:
    worth = float(inputs.frame.net_asset_value[account])
    return {
        "positions_not_modelled": int((~_modelled(mine, found.runs)).sum()),
        "positions_excluded": inputs.frame.valuations[account].coverage.invalid_positions,
        "proxied": int(inputs.is_proxied[mine].sum()),
        "stale_prices": int(inputs.is_stale[mine].sum()),
        "covariance_not_known": int(np.isnan(inputs.covariance).all()),
        "factors_not_known": int((~inputs.known).sum()) if len(mine) else 0,
        "simulated_history": len(found.scenarios.windows) if is_simulated(inputs) else 0,
        "net_asset_value_not_positive": int(not worth >= LEAST_AMOUNT),
    }


def _status(counts: Mapping[str, int], positions: int) -> Status:
    if positions and counts["positions_not_modelled"] == positions:
        return "insufficient"
    if any(
        counts[code]
        for code in (
            "positions_not_modelled",
            "positions_excluded",
            "covariance_not_known",
            "factors_not_known",
        )
    ):
        return "partial"
    return "stale" if counts["stale_prices"] else "ok"


def _modelled(mine: IntArray, runs: ScenarioRuns) -> BoolArray:
    return np.asarray(np.isfinite(runs.positions_direct[mine]).any(axis=1), dtype=np.bool_)


def _based_on(
    inputs: StressInputs, mine: IntArray, runs: ScenarioRuns, counts: Mapping[str, int]
) -> Mapping[str, Any]:
    size = inputs.size[mine]
    whole = float(size.sum())

    def share(marks: BoolArray) -> float:
        return share_of(float(size[marks].sum()), whole)

    return {
        "open_positions": len(mine),
        "unmodelled_positions": counts["positions_not_modelled"],
        "proxied_positions": counts["proxied"],
        "stale_positions": counts["stale_prices"],
        "modelled_share": share(_modelled(mine, runs)),
        "proxied_share": share(inputs.is_proxied[mine]),
        "stale_share": share(inputs.is_stale[mine]),
        "shares_of": SHARES_OF,
        "sessions": int(np.isfinite(inputs.frame.factor_model.returns).all(axis=1).sum()),
    }


def _percent(amount: FloatArray, worth: float) -> FloatArray:
    return 100 * amount / (worth if worth >= LEAST_AMOUNT else np.nan)


def _scenarios(
    scenarios: Sequence[Scenario], runs: ScenarioRuns, account: int, worth: float
) -> Mapping[str, Any]:
    direct, correlated = runs.direct[account], runs.correlated_profit[account]
    after = worth + correlated
    likely = runs.plausibility
    return table(
        id=[one.id for one in scenarios],
        name=[one.name for one in scenarios],
        description=[one.description for one in scenarios],
        group=[one.group for one in scenarios],
        category=[one.category for one in scenarios],
        severity=[one.severity for one in scenarios],
        basis=[one.basis for one in scenarios],
        horizon=[one.horizon for one in scenarios],
        direct=direct,
        correlated=correlated,
        effect=correlated - direct,
        direct_percentage=_percent(direct, worth),
        correlated_percentage=_percent(correlated, worth),
        new_net_asset_value=after,
        direct_without_proxies=runs.direct_listed[account],
        correlated_without_proxies=runs.correlated_listed[account],
        without_volatility=runs.without_volatility[account],
        double_volatility=runs.double_volatility[account],
        stated_shocks=runs.stated,
        correlated_shocks=runs.correlated,
        direct_volatility_shock=runs.isolated_volatility,
        volatility_shock=runs.correlated_volatility,
        volatility_stated=[one.volatility is not None for one in scenarios],
        distance=likely.distance,
        probability=likely.probability,
        implausible=_verdicts(likely.probability < IMPLAUSIBLE, likely.probability),
        by_cause=runs.by_cause[account],
        by_greek=runs.by_greek[account],
        specific_deviation=runs.specific_deviation[account],
        modelled_share=runs.share[account],
        net_asset_value_negative=_verdicts(after < 0, after),
        maintenance_margin=runs.margin[account],
        margin_call=_verdicts(after < runs.margin[account], after + runs.margin[account]),
    )


def _verdicts(found: BoolArray, rests_on: FloatArray) -> list[bool | None]:
    # A comparison with what is not known is false: there it says nothing.
    return [
        verdict if known else None
        for verdict, known in zip(found.tolist(), np.isfinite(rests_on).tolist(), strict=True)
    ]


def _positions(inputs: StressInputs, mine: IntArray, found: _Found) -> Mapping[str, Any]:
    runs, replayed_by = found.runs, found.replays.replayed_by
    lines = [inputs.lines[row] for row in inputs.holding[mine].tolist()]
    return table(
        position_id=[str(one.id) for one in lines],
        symbol=[one.symbol for one in lines],
        proxied=inputs.is_proxied[mine],
        stale=inputs.is_stale[mine],
        direct=runs.positions_direct[mine],
        correlated=runs.positions_correlated[mine],
        replayed_by=[list(replayed_by[row]) for row in mine.tolist()],
    )


def _replays(
    scenarios: ScenarioSet, replays: Replays, account: int, worth: float
) -> Mapping[str, Any]:
    windows, profit = scenarios.windows, replays.profit[account]
    return table(
        id=[one.id for one in windows],
        name=[one.name for one in windows],
        description=[one.description for one in windows],
        start=[one.start.isoformat() for one in windows],
        end=[one.end.isoformat() for one in windows],
        status=[
            _replay_status(sources, reason)
            for sources, reason in zip(replays.sources, replays.reasons, strict=True)
        ],
        reason=list(replays.reasons),
        source=[one.source for one in windows],
        profit=profit,
        percentage=_percent(profit, worth),
        new_net_asset_value=worth + profit,
        profit_without_proxies=replays.listed[account],
        moves=replays.moves,
        move_sources=[list(sources) for sources in replays.sources],
        volatility_shock=replays.volatility,
        volatility_source=list(replays.volatility_sources),
        own_history_share=replays.own_share[account],
        modelled_share=replays.share[account],
    )


def _replay_status(sources: Sequence[str], reason: str | None) -> Status:
    if reason is not None:
        return "insufficient"
    return "ok" if set(sources) == {"history"} else "partial"


def _reverse(found: _Found, account: int, *, mixed: bool) -> Mapping[str, Any]:
    # With what stands in for something else and, where there is such a thing, without.
    runs = [found.reverse, *([found.reverse_without_proxies] if mixed else [])]
    rows = len(LOSSES) * len(runs)
    return table(
        loss_percentage=[100 * part for part in LOSSES] * len(runs),
        without_proxies=np.repeat(np.arange(len(runs)) == 1, len(LOSSES)),
        asked=np.concatenate([one.asked[account] for one in runs]),
        loss=np.concatenate([one.loss[account] for one in runs]),
        reason=[reason for one in runs for reason in one.reasons[account]],
        shocks=np.concatenate([one.shocks[account] for one in runs]),
        volatility_shock=np.concatenate([one.volatility[account] for one in runs]),
        horizon=[HORIZON] * rows,
        distance=np.concatenate([one.distance[account] for one in runs]),
        probability=np.concatenate([one.probability[account] for one in runs]),
    )
