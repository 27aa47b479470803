"""Books on made-up histories of 780 sessions, as a frame."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import numpy as np

from common import calendar
from risk_engine.domain import Book, History, Market, Rates, Security, Snapshots
from risk_engine.engine.factor_model import FactorModel
from risk_engine.engine.frame import Frame, lay_out_chunk
from tests.unit.risk_engine import books

AS_OF = date(2025, 12, 31)
SESSIONS = tuple(calendar.sessions(calendar.session_back(AS_OF, 779), AS_OF))
DEVIATION = {"AAA": 0.01, "BBB": 0.02, "CCC": 0.015, "TWIN": 0.01, "YOUNG": 0.02}


def drawn(seed: int = 1) -> dict[str, np.ndarray]:
    """Returns of each session but the first: AAA and TWIN are one and the same, BBB leans on it."""
    chance = np.random.default_rng(seed)
    own = {name: chance.normal(0, size, 779) for name, size in DEVIATION.items()}
    own["BBB"] = 0.8 * own["AAA"] + 0.6 * own["BBB"]
    own["TWIN"] = own["AAA"].copy()
    own["YOUNG"][:-40] = np.nan
    return own


def market(returns: Mapping[str, np.ndarray] | None = None, **kinds: str) -> Market:
    """A market in which everything closed at 100 on the last session."""
    closes = {}
    for name, moves in (returns or drawn()).items():
        path = np.append(1.0, np.cumprod(1 + np.nan_to_num(moves)))
        closes[name] = np.where(np.append(False, np.isnan(moves)), np.nan, 100 * path / path[-1])
        if np.isnan(moves[0]):
            closes[name][0] = np.nan
    prices = books.market(closes, sessions=SESSIONS)
    securities = {
        name: Security(name, kinds.get(name, "stock"), "Technology", None) for name in closes
    }
    return Market(prices, prices, Snapshots.silent(), securities, Rates.unknown(), None)


def book(*positions, number: int = 1, equity: str = "100000", **changes) -> Book:
    """A book of positions, opened on the last session."""
    one: Book = books.book(positions, equity, number, opening_session=AS_OF, **changes)
    return one


def frame(*some: Book, of: Market | None = None, histories=None, **model) -> Frame:
    """A frame of some books; `model` are fields of its factor model."""
    laid_out = lay_out_chunk(some, of or market(), {}, histories or [History.none() for _ in some])
    return replace(laid_out, factor_model=replace(laid_out.factor_model, **model))


def one_factor(a_frame: Frame, returns: np.ndarray, loading: float, specific: float) -> FactorModel:
    """A model in which everything leans on the market alone, and alike."""
    model, count = a_frame.factor_model, len(a_frame.underlyings)
    recent = np.full((len(SESSIONS), len(model.factors)), np.nan)
    recent[1:, 0] = returns
    available = np.arange(len(model.factors)) == 0
    loadings = np.where(available, loading, np.nan) * np.ones((count, 1))
    return replace(
        model,
        recent=recent,
        panel=replace(model.panel, available=available),
        loadings=loadings,
        specific_variance=np.full(count, specific**2),
    )
