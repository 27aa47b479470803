"""The sentences market risk carries beside its numbers, and its status."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from risk_engine.domain import Note, Status
from risk_engine.engine.frame import Frame
from risk_engine.engine.risk_backtest import Untested
from risk_engine.engine.risk_scenarios import Held, Scenarios
from risk_engine.engine.valuation import LEAST_AMOUNT

NoteCode = Literal[
    "net_asset_value_not_positive",
    "history_too_short",
    "too_few_scenarios",
    "positions_not_modelled",
    "positions_excluded",
    "positions_proxied",
    "stale_prices",
    "vol_static",
    "no_factor_model",
    "factors_missing",
    "factors_expected",
    "cornish_fisher_not_monotone",
    "volume_not_known",
    "nothing_at_risk",
    "no_backtest",
    "backtest_of_nothing_observed",
    "backtest_of_nothing_at_risk",
    "backtest_without_proxied",
]
SENTENCES: Final[Mapping[NoteCode, str]] = {
    "net_asset_value_not_positive": (
        "Net asset value is not positive, so nothing is stated as a share of it."
    ),
    "history_too_short": (
        "There is too little history to say anything of losses: {count} scenario(s)."
    ),
    "too_few_scenarios": "99 % needs 250 scenarios, and there are {count}.",
    "positions_not_modelled": (
        "{count} open position(s) cannot be modelled and are in no risk number."
    ),
    "positions_excluded": "{count} position(s) cannot be valued and are left out of every total.",
    "positions_proxied": (
        "{count} position(s) move as the factor model says, not as their own history: the numbers "
        "without them are beside."
    ),
    "stale_prices": "{count} position(s) are valued at the close of an earlier session.",
    "vol_static": (
        "There is no history of the volatility index: options are revalued at the volatility of "
        "today."
    ),
    "no_factor_model": (
        "The factor model does not know all of the book: parametric and Monte Carlo numbers are "
        "not stated."
    ),
    "factors_missing": ("Too little is known of {count} factor(s): what these did is in SPECIFIC."),
    "factors_expected": (
        "{count} position(s) move as the factor model says in sessions in which a factor is not "
        "known: it counts as expected given the others."
    ),
    "cornish_fisher_not_monotone": (
        "The book's skewness and kurtosis are outside what a Cornish-Fisher quantile can follow."
    ),
    "volume_not_known": (
        "{count} position(s) have no known volume and count as sold within one session in the "
        "liquidity-adjusted numbers."
    ),
    "nothing_at_risk": (
        "No scenario moves the book, so it has no worst days and no parts of its risk."
    ),
    "no_backtest": "There is too little history to test the forecasts.",
    "backtest_of_nothing_observed": (
        "Nothing in the book has a history of its own, and what the factor model says is not "
        "tested against the factor model: there is no backtest."
    ),
    "backtest_of_nothing_at_risk": (
        "No scenario moves what has a history of its own, so there is no forecast to test."
    ),
    "backtest_without_proxied": (
        "The backtest leaves out {count} position(s) that have no history of their own."
    ),
}
_NORMAL, _CORNISH_FISHER = 3, 5


def notes_of(
    frame: Frame,
    scenarios: Scenarios,
    held: Held,
    payload: Mapping[str, Any],
    account: int,
    *,
    nothing_at_risk: bool,
    untested: Untested | None,
) -> Sequence[Note]:
    """Return what a reader of a book's payload must know; `untested`: why there is no backtest."""
    risk = payload["measures"]["value_at_risk"][0]
    count, options = scenarios.count, held.is_option & held.modelled
    too_short = bool(np.isnan(risk[0, 0])) and bool(held.modelled.any())
    missing = int((~frame.factor_model.available).sum())
    no_model = bool(np.isnan(risk[_NORMAL, 0]) and np.isfinite(risk[0, 0]))
    found: dict[NoteCode, tuple[bool, int]] = {
        "net_asset_value_not_positive": (payload["net_asset_value"] < LEAST_AMOUNT, 0),
        "history_too_short": (too_short, count),
        "too_few_scenarios": (bool(np.isfinite(risk[0, 0]) and np.isnan(risk[0, -1])), count),
        "positions_not_modelled": _counted(~held.modelled),
        "positions_excluded": _positive(frame.valuations[account].coverage.invalid_positions),
        "positions_proxied": _counted(held.proxied),
        "stale_prices": _counted(_stale(frame, held)),
        "vol_static": (bool(options.any()) and not scenarios.gains.volatility_moves, 0),
        "no_factor_model": (no_model, 0),
        "factors_missing": (missing > 0 and bool(held.modelled.any()) and not no_model, missing),
        "factors_expected": _counted(held.modelled & scenarios.expected[held.underlying]),
        "cornish_fisher_not_monotone": (
            bool(np.isnan(risk[_CORNISH_FISHER, 0]) and risk[_NORMAL, 0] > 0 and not too_short),
            0,
        ),
        "volume_not_known": _positive(payload["liquidity_adjusted"]["positions_without_volume"]),
        "nothing_at_risk": (nothing_at_risk, 0),
        "no_backtest": (untested == "no_backtest", 0),
        "backtest_of_nothing_observed": (untested == "backtest_of_nothing_observed", 0),
        "backtest_of_nothing_at_risk": (untested == "backtest_of_nothing_at_risk", 0),
        "backtest_without_proxied": (
            payload["backtest"] is not None and bool(held.proxied.any()),
            int(held.proxied.sum()),
        ),
    }
    return [
        Note(code, sentence.format(count=found[code][1]))
        for code, sentence in SENTENCES.items()
        if found[code][0]
    ]


def status_of(frame: Frame, held: Held, payload: Mapping[str, Any], account: int) -> Status:
    """Return how complete a book's market risk is; proxies leave it as good as it is."""
    risk = payload["measures"]["value_at_risk"][0]
    if np.isnan(risk[0]).all():
        return "insufficient"
    invalid = frame.valuations[account].coverage.invalid_positions
    lacking = held.modelled.any() and not frame.factor_model.available.all()
    if np.isnan(risk[[0, _NORMAL]]).any() or invalid or not held.modelled.all() or lacking:
        return "partial"
    return "stale" if _stale(frame, held).any() else "ok"


def _stale(frame: Frame, held: Held) -> Any:
    row = frame.valued.values.price_row[held.row]
    return (row >= 0) & (row < len(frame.market.ledger.sessions) - 1)


def _counted(some: Any) -> tuple[bool, int]:
    return _positive(int(some.sum()))


def _positive(count: int) -> tuple[bool, int]:
    return count > 0, count
