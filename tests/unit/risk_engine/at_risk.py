"""Books on the simulated market, what the market risk engine says of them, and risk by hand."""

from datetime import date

import numpy as np

from risk_engine.domain import History
from risk_engine.engine import market_risk
from risk_engine.engine.frame import lay_out_chunk
from risk_engine.engine.market_risk import METHODS
from risk_engine.engine.results import EngineResult, pack, unpack
from risk_engine.schemas.base import plain
from risk_engine.schemas.market_risk import MarketRiskOut
from tests.support.simulated import AS_OF
from tests.unit.risk_engine import books
from tests.unit.risk_engine.books import option, position

SYMBOLS = ("AAPL", "JPM", "KO", "SPY", "TLT", "TSLA")
OPENING = date(2025, 12, 1)
SHARES = [position(1, "AAPL", "100", "50"), position(2, "TLT", "300", "90")]
CALL = option(7, "3", "20", expiration=date(2026, 3, 20))
FILTERED, HISTORICAL = METHODS.index("filtered_historical"), METHODS.index("historical")
MONTE_CARLO = METHODS.index("monte_carlo")


def book(positions, number=1, equity="400000"):
    """A book opened a month ago."""
    return books.book(positions, equity=equity, number=number, opening_session=OPENING)


def frame_of(market, *some):
    """Lay some books out."""
    return lay_out_chunk(some, market, {}, [History.none()] * len(some))


def calculate(frame) -> list[EngineResult]:
    """Return the results of a frame's books: none fails."""
    answers = market_risk.calculate(frame)
    return [answer for answer in answers if isinstance(answer, EngineResult)]


def results(market, *some):
    """Return the results of the books of these positions, calculated together."""
    numbered = (book(positions, number) for number, positions in enumerate(some, start=1))
    return calculate(frame_of(market, *numbered))


def result(market, *positions, **changes):
    """Return the result of one book."""
    return calculate(frame_of(market, book(positions, **changes)))[0]


def value_at_risk(answer, method=FILTERED, scope=0):
    return answer.payload["measures"]["value_at_risk"][scope, method]


def shortfall(answer, method=FILTERED, scope=0):
    return answer.payload["measures"]["expected_shortfall"][scope, method]


def codes(answer):
    return {note["code"] for note in answer.payload["notes"]}


def closes_of(market, symbol):
    """Return total returns and the last close of a symbol, from its bars."""
    prices = market.prices
    column = prices.columns[symbol]
    close, dividend = prices.close[:, column], prices.dividend[:, column]
    returns = (close[1:] * prices.split_ratio[1:, column] + dividend[1:]) / close[:-1] - 1
    return returns, close[-1]


def filtered(returns):
    """Filter by a plain recursion over the days."""
    variance, weight, ratio = 0.0, 0.0, []
    for one in returns.tolist():
        ratio.append((variance / weight) ** 0.5 if weight else np.nan)
        variance, weight = 0.94 * variance + 0.06 * one**2, 0.94 * weight + 0.06
    return returns * (variance / weight) ** 0.5 / np.array(ratio)


def losses_of(pnl):
    """Return the 5th worst of 504, and the mean of the worst 5.04."""
    losses = np.sort(-pnl[-504:])[::-1]
    return losses[4], (losses[:5].sum() + 0.04 * losses[5]) / 5.04


def read(answer):
    """Read a stored result as a client does."""
    return MarketRiskOut.model_validate(
        {
            **plain(unpack(pack(answer.payload))),
            "engine": "market_risk",
            "status": answer.status,
            "as_of": AS_OF,
            "panel_version": 1,
            "book_revision": 1,
            "model_version": market_risk.MODEL_VERSION,
        }
    )
