"""The engine `correlation`: how what a book holds moves together, and what it does to risk."""

from dataclasses import dataclass, fields
from math import sqrt
from typing import Any, Final

import numpy as np

from risk_engine.engine.amounts import Amounts, amounts_of, share_of
from risk_engine.engine.frame import Frame
from risk_engine.engine.histories import OWN, Histories
from risk_engine.engine.results import Answer, EngineResult, table
from risk_engine.engine.underlyings import Key
from risk_engine.engine.valuation import LEAST_AMOUNT
from risk_engine.quant.clusters import FLAT, cluster, cluster_risk, silhouettes
from risk_engine.quant.correlation import (
    MIN_OVERLAP,
    WINDOW,
    Shrunk,
    absolute_correlation,
    effective_bets,
    false_discovery_rates,
    fisher_interval,
    implied_correlation,
    p_values,
    pack_upper,
    pairwise_correlation,
    shrunk_correlation,
)
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.returns import log_returns
from risk_engine.quant.volatility import rolling_volatility

MODEL_VERSION: Final = "correlation-3"
MAX_SYMBOLS: Final = 200
"""By exposure; more would cost more time and room than they change a book's risk."""
MAX_PAIRS: Final = 20
SIGNIFICANT: Final = 0.05
SENTENCES: Final = {
    "short_history": f"Holdings with fewer than {MIN_OVERLAP} common returns are left out.",
    "unmodelled_options": "Options that could not be modelled are left out.",
    "private_left_out": "Private assets have no prices to correlate and are left out.",
    "too_many_symbols": f"Only the {MAX_SYMBOLS} largest holdings are correlated.",
    "gaps": "Gaps were left out pair by pair, and the matrix was repaired where that broke it.",
    "net_asset_value_not_positive": "Net asset value is not positive: only dollars are stated.",
    "insufficient_symbols": "Fewer than two holdings have a history to correlate.",
}
PARTIAL: Final = frozenset({"short_history", "unmodelled_options", "too_many_symbols"})


@dataclass(frozen=True, eq=False)
class _Chunk:
    """What all books of a frame share: log returns of the window, and their volatility per year."""

    frame: Frame
    kinds: tuple[str, ...]
    is_cash: BoolArray
    histories: Histories
    amounts: Amounts
    logs: FloatArray
    volatility: FloatArray


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Of a book: its underlyings that are correlated, largest first, and why others are not."""

    rows: IntArray
    keys: tuple[Key, ...]
    dollar_deltas: FloatArray
    correlation: FloatArray
    common: FloatArray
    codes: tuple[str, ...]


def calculate(frame: Frame) -> list[Answer]:
    """Correlate the underlyings of every book; the answers are in the order of the books.

    By underlying, signed: lots, options and shorts of one are one exposure.
    """
    histories = frame.return_histories
    returns = frame.underlyings.returns[-WINDOW:]
    logs = log_returns(np.where(returns > -1, returns, np.nan))
    chunk = _Chunk(
        frame=frame,
        kinds=frame.underlyings.kinds,
        is_cash=frame.factor_model.is_cash,
        histories=histories,
        amounts=amounts_of(frame, histories),
        logs=logs,
        volatility=rolling_volatility(logs, WINDOW, minimum=MIN_OVERLAP)[-1],
    )
    return [_answer(chunk, account) for account in range(len(frame.books))]


def _answer(chunk: _Chunk, account: int) -> Answer:
    chosen = _choose(chunk, account)
    head = _head(chunk, account, chosen)
    if len(chosen.rows) < 2:
        return EngineResult("insufficient", head)
    shrunk = shrunk_correlation(chunk.logs[:, chosen.rows], chosen.correlation)
    deviation = chunk.volatility[chosen.rows]
    covariance = shrunk.matrix * np.outer(deviation, deviation)
    exposures = chunk.frame.sensitivities[account, chosen.rows]
    nav = float(chunk.frame.net_asset_value[account])
    unit = nav if nav >= LEAST_AMOUNT else np.nan
    payload = head | {
        "correlation": pack_upper(shrunk.matrix),
        "sample": pack_upper(chosen.correlation),
        "common": _common(chosen.common),
        "shrinkage": {
            "target": "constant_correlation",
            "intensity": shrunk.intensity,
            "repaired": shrunk.repaired,
        },
        "mean_correlation": shrunk.mean,
        "implied_correlation": implied_correlation(exposures, covariance),
        "absolute_correlation": absolute_correlation(exposures, covariance),
        "effective_bets": effective_bets(exposures, covariance),
        "risk": _risk(exposures, covariance, unit),
        "significance": _significance(chosen),
        **_grouped(chosen, shrunk, exposures, covariance, unit),
    }
    return EngineResult("partial" if PARTIAL & set(chosen.codes) else "ok", payload)


def _choose(chunk: _Chunk, account: int) -> _Chosen:
    frame, volatility = chunk.frame, chunk.volatility
    deltas, kinds = frame.sensitivities[account], chunk.kinds
    held = np.flatnonzero(deltas)
    held = held[np.argsort(-np.abs(deltas[held]), kind="stable")]
    # What stands still has no correlation, and that is no gap.
    quoted = [
        row
        for row in held.tolist()
        if not chunk.is_cash[row] and kinds[row] != "private" and volatility[row] != 0
    ]
    told = [row for row in quoted if chunk.histories.source[row] == OWN and volatility[row] > 0]
    rows = np.array(told[:MAX_SYMBOLS], dtype=np.int64)
    correlation, common = pairwise_correlation(chunk.logs[:, rows])
    kept = _complete(correlation, np.diag(common))
    applies = {
        "short_history": len(told) < len(quoted) or len(kept) < len(rows),
        "unmodelled_options": _unmodelled(frame, account),
        "private_left_out": any(kinds[row] == "private" for row in held.tolist()),
        "too_many_symbols": len(told) > MAX_SYMBOLS,
        "gaps": bool(np.isnan(chunk.logs[:, rows[kept]]).any()),
        "net_asset_value_not_positive": bool(frame.net_asset_value[account] < LEAST_AMOUNT),
        "insufficient_symbols": len(kept) < 2,
    }
    among = np.ix_(kept, kept)
    return _Chosen(
        rows=rows[kept],
        keys=tuple(frame.underlyings.keys[row] for row in rows[kept]),
        dollar_deltas=frame.dollar_deltas[account, rows[kept]],
        correlation=correlation[among],
        common=common[among],
        codes=tuple(code for code in SENTENCES if applies[code]),
    )


def _complete(correlation: FloatArray, observations: FloatArray) -> IntArray:
    # Leaves out, one by one, the shortest history of those that lack a common one with another.
    kept = np.arange(len(correlation))
    while len(kept) and (lacking := np.isnan(correlation[np.ix_(kept, kept)]).any(axis=0)).any():
        among = kept[lacking]
        # Of equals the smaller exposure, which comes later.
        shortest = among[::-1][np.argmin(observations[among][::-1])]
        kept = kept[kept != shortest]
    return kept


def _unmodelled(frame: Frame, account: int) -> bool:
    exposures = frame.exposures
    of_account = (exposures.account == account) & exposures.is_open
    return bool(np.isnan(exposures.dollar_delta[of_account]).any())


def _head(chunk: _Chunk, account: int, chosen: _Chosen) -> dict[str, Any]:
    frame = chunk.frame
    nav = float(frame.net_asset_value[account])
    return {
        "net_asset_value": nav,
        "sessions": WINDOW,
        "first_session": frame.market.prices.sessions[-WINDOW:][0].isoformat(),
        "min_overlap": MIN_OVERLAP,
        "quality": chunk.amounts.quality(account, nav),
        "correlated": _correlated(chunk, account, chosen, nav),
        "concentration": _concentration(chunk, account),
        "notes": [{"code": code, "message": SENTENCES[code]} for code in chosen.codes],
    }


def _correlated(chunk: _Chunk, account: int, chosen: _Chosen, nav: float) -> dict[str, float]:
    exposures, amounts = chunk.frame.exposures, chunk.amounts
    inside = np.isin(exposures.underlying, chosen.rows) & (exposures.account == account)
    inside &= exposures.is_open & ~np.isnan(exposures.dollar_delta)
    value = float(np.abs(exposures.value[inside]).sum())
    gross = sum(float(getattr(amounts, one.name)[account]) for one in fields(amounts))
    return {"of_net_asset_value": share_of(value, nav), "of_gross_value": share_of(value, gross)}


def _concentration(chunk: _Chunk, account: int) -> dict[str, Any]:
    # 1 - the sum of squared shares of gross delta-adjusted exposure, cash apart: 0 for one, near 1
    # for many.
    gross = np.abs(chunk.frame.dollar_deltas[account])
    held = np.flatnonzero((gross > 0) & ~chunk.is_cash)
    kinds = [chunk.kinds[row] for row in held]
    securities = [chunk.frame.underlyings.securities[row] for row in held]
    sectors = ["" if one is None else one.sector or "" for one in securities]
    return {
        "of": "gross_delta_adjusted_exposure",
        "position_size": _spread(gross[held], np.arange(len(held))),
        "asset_class": _spread(gross[held], np.unique(kinds, return_inverse=True)[1]),
        "sector": _spread(gross[held], np.unique(sectors, return_inverse=True)[1]),
        "underlyings": len(held),
    }


def _spread(gross: FloatArray, group: IntArray) -> float:
    if not gross.size:
        return float("nan")
    share = np.bincount(group, gross) / gross.sum()
    return float(1 - share @ share)


def _common(common: FloatArray) -> int | np.ndarray:
    pairs = pack_upper(common, np.float64).astype(np.int32)
    return int(pairs[0]) if np.all(pairs == pairs[0]) else pairs


def _risk(exposures: FloatArray, covariance: FloatArray, unit: float) -> dict[str, float]:
    net = sqrt(max(float(exposures @ covariance @ exposures), 0.0))
    gross = float(np.abs(exposures) @ np.sqrt(np.diag(covariance)))
    return {
        "diversification_ratio": gross / net if net > FLAT * gross else float("nan"),
        "volatility": net / unit,
        "undiversified": gross / unit,
        "dollars": net,
        "undiversified_dollars": gross,
    }


def _significance(chosen: _Chosen) -> dict[str, Any]:
    first, second = np.triu_indices(len(chosen.rows), 1)
    sample, common = chosen.correlation[first, second], chosen.common[first, second]
    rates = false_discovery_rates(p_values(sample, common))
    found = np.flatnonzero(rates < SIGNIFICANT)
    strongest = found[np.argsort(-np.abs(sample[found]), kind="stable")][:MAX_PAIRS]
    low, high = fisher_interval(sample[strongest], common[strongest])
    return {
        "tested": len(sample),
        "significant": len(found),
        "false_discovery_rate": SIGNIFICANT,
        "strongest": table(
            first=[chosen.keys[one].symbol for one in first[strongest]],
            second=[chosen.keys[one].symbol for one in second[strongest]],
            correlation=sample[strongest],
            low=low,
            high=high,
            common=common[strongest].astype(np.int64),
        ),
    }


def _grouped(
    chosen: _Chosen, shrunk: Shrunk, exposures: FloatArray, covariance: FloatArray, unit: float
) -> dict[str, Any]:
    labels = cluster(shrunk.matrix)
    # Numbered by risk, largest first.
    by_risk = np.argsort(-cluster_risk(exposures, covariance, labels).gross, kind="stable")
    labels = np.argsort(by_risk)[labels]
    risk = cluster_risk(exposures, covariance, labels)
    symbols = [key.symbol for key in chosen.keys]
    nearness = silhouettes(shrunk.matrix, labels)
    return {
        "symbols": table(
            symbol=symbols,
            dollar_delta=chosen.dollar_deltas,
            weight=exposures / unit,
            volatility=np.sqrt(np.diag(covariance)),
            observations=np.diag(chosen.common).astype(np.int64),
            cluster=labels,
            silhouette=nearness,
        ),
        "clusters": table(
            symbols=[
                [symbols[one] for one in np.flatnonzero(labels == group)]
                for group in range(len(risk.net))
            ],
            net=risk.net / unit,
            gross=risk.gross / unit,
            net_dollars=risk.net,
            gross_dollars=risk.gross,
            share_of_variance=risk.share,
        ),
        "silhouette": float(nearness.mean()),
    }
