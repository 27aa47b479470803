"""The third engine: what each book is exposed to, how concentrated and how liquid it is."""

from collections import Counter
from typing import Any, Final

import numpy as np

from risk_engine.domain import ConvexityLimits
from risk_engine.engine.classification import BUCKETS, SECTORS, sector_table
from risk_engine.engine.exposure_measures import Measures, diversification_of, measure
from risk_engine.engine.exposure_notes import notes_of, status_of
from risk_engine.engine.frame import NO_CONTRACT, Frame
from risk_engine.engine.liquidity import Liquidity, liquidity_of, liquidity_payload
from risk_engine.engine.results import Answer, EngineResult, table
from risk_engine.engine.valuation import LEAST_AMOUNT
from risk_engine.quant.concentration import TOP
from risk_engine.quant.exposure import LongShort, span_of

MODEL_VERSION: Final = "exposure-3"


def calculate(frame: Frame) -> list[Answer]:
    """Say what each book of the frame is exposed to, in order."""
    measures, liquidity = measure(frame), liquidity_of(frame)
    return [_result(frame, measures, liquidity, account) for account in range(len(frame.books))]


def _result(frame: Frame, measures: Measures, liquidity: Liquidity, account: int) -> EngineResult:
    nav = float(frame.net_asset_value[account])
    whole = nav if nav >= LEAST_AMOUNT else np.nan
    some = span_of(measures.netted.pairs.account, account)
    excluded = _excluded(frame, account)
    convexity = _convexity(measures, account, whole, frame.market.limits)
    sectors = _sectors(measures, account)
    spread, share = diversification_of(frame, measures.netted, some)
    payload: dict[str, Any] = {
        "net_asset_value": nav,
        "shares_of": "net asset value",
        "market_value": _market_value(frame, account, whole),
        "delta_adjusted": _sides(measures.delta, account, whole),
        "delta_adjusted_without_proxied": _sides(measures.observed, account, whole),
        "leverage": measures.delta.gross[account] / whole,
        "leverage_of": "delta-adjusted gross exposure / net asset value",
        "beta_adjusted_net": measures.beta_adjusted[account],
        "beta_adjusted_net_share": measures.beta_adjusted[account] / whole,
        "beta_adjusted_net_without_proxied": measures.beta_adjusted_observed[account],
        "beta_known_share": _beta_known_share(measures, some),
        "beta_known_share_of": "delta-adjusted gross exposure",
        "notional": measures.notional[account],
        "cash_equivalents": measures.cash_equivalents[account],
        **convexity,
        "quality": measures.amounts.quality(account, nav),
        "underlyings": _underlyings(frame, measures, some),
        "sectors": sectors,
        "sector_weights_of": "net exposure to equity sectors, delta-adjusted",
        "benchmark": {
            "name": measures.benchmark.name,
            "as_of": measures.benchmark.as_of.isoformat(),
            "source": measures.benchmark.source,
            "look_through_as_of": sector_table().as_of.isoformat(),
        },
        "concentration": _concentration(measures, account),
        "diversification": {
            "model_diversification_ratio": spread.diversification_ratio,
            "model_squared_ratio": spread.squared_ratio,
            "variance_herfindahl": spread.variance_herfindahl,
            "principal_bets": spread.principal_bets,
            "torsion_bets": spread.torsion_bets,
            "modelled_share": share,
            "modelled_share_of": "delta-adjusted gross exposure",
        },
        "liquidity": liquidity_payload(frame, liquidity, account),
        "counts": _counts(frame, account),
        "excluded": table(reason=list(excluded), positions=list(excluded.values())),
    }
    notes = notes_of(frame, measures, liquidity, account, payload)
    payload["notes"] = [{"code": one.code, "message": one.message} for one in notes]
    return EngineResult(status_of(frame, measures, account), payload)


def _beta_known_share(measures: Measures, some: slice) -> float:
    share = measures.netted.share[some]
    known = np.isfinite(share)
    if not known.any():
        return np.nan
    return float(share[known & measures.netted.beta_known[some]].sum())


def _sides(sums: LongShort, account: int, whole: float) -> dict[str, Any]:
    amounts = {side: getattr(sums, side)[account] for side in ("long", "short", "gross", "net")}
    return amounts | {f"{side}_share": amount / whole for side, amount in amounts.items()}


def _market_value(frame: Frame, account: int, whole: float) -> dict[str, Any]:
    totals = frame.valued.accounts
    amounts = {
        side: getattr(totals, f"{side}_market_value")[account]
        for side in ("long", "short", "gross", "net")
    }
    shares = {f"{side}_share": amount / whole for side, amount in amounts.items()}
    return {**amounts, **shares, "carried": totals.carried_value[account]}


def _convexity(
    measures: Measures, account: int, whole: float, limits: ConvexityLimits
) -> dict[str, dict[str, Any]]:
    found = {}
    for name, sums, limit in (
        ("dollar_gamma", measures.gamma, limits.gross_dollar_gamma),
        ("vega", measures.vega, limits.gross_vega),
    ):
        share = float(sums.gross[account] / whole)
        found[name] = {
            "net": sums.net[account],
            "gross": sums.gross[account],
            "gross_share": share,
            "limit": limit,
            "exceeded": None if np.isnan(share) else share > limit,
        }
    return found


def _underlyings(frame: Frame, measures: Measures, some: slice) -> dict[str, Any]:
    netted, rows = measures.netted, measures.netted.pairs.underlying[some].tolist()
    keys, kinds = frame.underlyings.keys, measures.classification.kinds
    return table(
        symbol=[keys[row].symbol for row in rows],
        private_kind=[keys[row].subtype for row in rows],
        kind=[kinds[row] for row in rows],
        sector=[BUCKETS[measures.classification.bucket[row]] for row in rows],
        value=netted.value[some],
        dollar_delta=netted.dollar_delta[some],
        sensitivity=netted.sensitivity[some],
        dollar_gamma=netted.dollar_gamma[some],
        vega=netted.vega[some],
        beta=netted.beta[some],
        share_of_gross=netted.share[some],
        proxied=netted.proxied[some],
    )


def _sectors(measures: Measures, account: int) -> dict[str, Any]:
    sums, counted = measures.sectors, measures.positions[account]
    shown = [
        place
        for place, bucket in enumerate(BUCKETS)
        if bucket in SECTORS or sums.gross[account, place] > 0 or counted[place] > 0
    ]
    return table(
        sector=[BUCKETS[place] for place in shown],
        long=sums.long[account, shown],
        short=sums.short[account, shown],
        gross=sums.gross[account, shown],
        net=sums.net[account, shown],
        weight=measures.weights[account, shown],
        benchmark=measures.benchmark.weights[shown],
        active=measures.active[account, shown],
        positions=counted[shown],
    )


def _concentration(measures: Measures, account: int) -> dict[str, Any]:
    found = measures.concentration
    return {
        "shares_of": "delta-adjusted gross exposure, each underlying netted",
        "herfindahl": found.herfindahl[account],
        "effective_number": found.effective_number[account],
        **{f"top_{most}": found.top[account, place] for place, most in enumerate(TOP)},
        "names": int(found.names[account]),
    }


def _excluded(frame: Frame, account: int) -> Counter[str]:
    # Positions that are in no exposure, by reason; sorted, so that their order says nothing.
    exposures, reasons = frame.exposures, []
    for line in frame.valued.ledger.lines[account]:
        if line.row is None:
            reasons.append(line.reason)
        elif exposures.is_open[line.row] and np.isnan(exposures.dollar_delta[line.row]):
            contract = int(exposures.contract[line.row])
            reason = None if contract == NO_CONTRACT else frame.contracts.reason[contract]
            reasons.append(reason or "option_terms_incomplete")
    return Counter(sorted(reasons))


def _counts(frame: Frame, account: int) -> dict[str, int]:
    coverage = frame.valuations[account].coverage
    some = span_of(frame.exposures.account, account)
    is_open = frame.exposures.is_open[some]
    return {
        "open_positions": coverage.open_positions,
        "option_positions": int(np.sum(frame.exposures.is_option[some] & is_open)),
        "unmodelled_positions": int(np.isnan(frame.exposures.dollar_delta[some]).sum()),
        "invalid_positions": coverage.invalid_positions,
        "stale_positions": coverage.stale_positions,
        "carried_positions": coverage.carried_positions,
    }
