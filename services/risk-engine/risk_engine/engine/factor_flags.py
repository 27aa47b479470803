"""What a reader of factor exposures must know: codes for positions, sentences for the account."""

from collections.abc import Mapping
from itertools import compress
from typing import Final, Literal

import numpy as np

from risk_engine.engine.factor_model import FactorModel
from risk_engine.engine.frame import Frame
from risk_engine.quant.panel import BoolArray

IMPRECISE = 0.5
"""Standard error of a raw market beta from which on it is not to be relied upon."""

Flag = Literal[
    "not_modelled",
    "proxied",
    "prior_only",
    "stale",
    "thin_trading",
    "imprecise_beta",
    "volatility_product",
]
NOT_MODELLED: Final[Flag] = "not_modelled"
SENTENCES: Final[Mapping[Flag, str]] = {
    NOT_MODELLED: "{count} open position(s) could not be modelled and are in none of the totals.",
    "proxied": (
        "{count} private position(s) stand in the totals as multiples of listed funds; risk is "
        "given without them as well."
    ),
    "prior_only": (
        "{count} position(s) have no history, or too short or too patchy a one to be regressed: "
        "they count with what is usual for securities of their kind."
    ),
    "stale": (
        "{count} position(s) have had no price for more than three sessions: they count with what "
        "is usual for securities of their kind."
    ),
    "thin_trading": (
        "{count} position(s) trade thinly: their beta includes the sessions before and after."
    ),
    "imprecise_beta": (
        f"{{count}} position(s) have a raw beta with a standard error above {IMPRECISE}."
    ),
    "volatility_product": (
        "{count} position(s) follow the market's volatility: their betas are those of ordinary "
        "times, and in a crash they move by several times as much."
    ),
}


def underlying_flags(model: FactorModel) -> list[list[str]]:
    """Return the flags of each underlying that is modelled, in the order of SENTENCES."""
    with np.errstate(invalid="ignore"):
        imprecise = model.betas.raw_error > IMPRECISE
    raised: Mapping[Flag, BoolArray] = {
        NOT_MODELLED: np.zeros(imprecise.shape, dtype=np.bool_),
        "proxied": model.proxied,
        "prior_only": model.prior_only & ~model.stale,
        "stale": model.stale,
        "thin_trading": model.betas.thin,
        "imprecise_beta": np.asarray(imprecise, dtype=np.bool_),
        "volatility_product": np.array([one == "volatility" for one in model.classes], np.bool_),
    }
    rows = zip(*(raised[code].tolist() for code in SENTENCES), strict=True)
    return [list(compress(SENTENCES, row)) for row in rows]


def notes_of(
    frame: Frame, counted: Mapping[str, int], *, nav_positive: bool
) -> list[Mapping[str, str]]:
    """Return notes with codes and sentences for what was flagged, and for the model as a whole."""
    panel = frame.factor_model.panel
    notes: dict[str, str] = {
        code: sentence.format(count=counted[code])
        for code, sentence in SENTENCES.items()
        if counted.get(code)
    }
    missing = [
        name
        for name, known in zip(frame.factor_model.factors, panel.available, strict=True)
        if not known
    ]
    said: Mapping[str, tuple[bool, str]] = {
        "factors_missing": (
            bool(missing),
            f"Too little is known of {', '.join(missing)}: exposures to them are null.",
        ),
        "default_rate": (
            panel.rate_source == "default",
            "No Treasury curve is known: cash is taken to earn 4 % a year.",
        ),
        "yield_from_fund": (
            panel.yield_source == "fund",
            (
                "No Treasury curve is known: changes of the 10-year yield are those of a long "
                "Treasury fund over its duration."
            ),
        ),
        "net_asset_value_not_positive": (
            not nav_positive,
            "Net asset value is not positive, so betas and other fractions of it are not stated.",
        ),
    }
    notes |= {code: sentence for code, (raised, sentence) in said.items() if raised}
    return [{"code": code, "message": message} for code, message in notes.items()]
