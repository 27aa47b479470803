"""Every explained number can be made again from the inputs that are shown beside it."""

import math
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from common.events.risk_engine import RiskCalculated
from risk_engine.clients import Panels
from risk_engine.schemas.explain import SCENARIO, catalogue
from tests.support.harness import Harness, running
from tests.support.odd_books import account, odd_books, odd_market, option
from tests.support.risk_engine import ADA, ended, event, prices_ready, service
from tests.support.simulated import AS_OF

BOOKS = {name: book for name, book in odd_books().items() if name in ("everything", "no prices")}
BOOK = BOOKS["everything"]
BOOKS["unheard of"] = account(option("ZZZZQ", 50, "C", 4))


@pytest.fixture(scope="module", autouse=True)
def market():
    found = odd_market(BOOKS)

    async def known(self, as_of, panel_version, symbols):
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Panels, "market", known)
        yield found


@pytest.fixture
async def engine(database, tmp_path) -> AsyncIterator[Harness]:
    async with running("risk-engine", service, database, tmp_path) as harness:
        yield harness


async def calculated(engine: Harness, *names: str) -> None:
    for name in names:
        await engine.deliver(event(BOOKS[name]))
    await engine.deliver(prices_ready(*(BOOKS[name] for name in names), as_of=AS_OF))
    await engine.eventually(ended(engine, RiskCalculated, len(names)), 60)


async def explain(engine: Harness, metric: str = "", book=BOOK):
    address = f"/api/v1/analytics/portfolio/{book.portfolio_id}/explain"
    return await engine.http.get(
        f"{address}/{metric}" if metric else address, headers=engine.neighbours.bearer(ADA)
    )


def total(rows: list[dict[str, Any]], *fields: str) -> float:
    """The sum over rows of the product of fields; a row that lacks one counts nothing."""
    known = [row for row in rows if all(row[field] is not None for field in fields)]
    return math.fsum(math.prod(float(row[field]) for field in fields) for row in known)


def correlation_mean(given: dict[str, Any]) -> float:
    triangle: list[float] = given["correlations, upper triangle by rows"]
    return math.fsum(triangle) / len(triangle)


def duration(given: dict[str, Any]) -> float:
    rates = [row["name"] for row in given["factors, in the order of loadings"]].index("RATES")
    years: list[float] = [
        row["dollar_delta"]
        * (row["duration"] if row["duration_published"] else -row["loadings"][rates])
        for row in given["positions"]
        if row["dollar_delta"] is not None and row["loadings"][rates] is not None
    ]
    return math.fsum(years) / float(given["net asset value"])


def expected_volatility(given: dict[str, Any]) -> float:
    forecast = given["forecast"]
    assert forecast["model"] == "har_ewma_0.94"
    fitted = total(forecast["coefficients"], "value", "regressor")
    exponent = fitted + forecast["residual_deviation"] ** 2 / 2
    regressed: float = forecast["mean_volatility"] * math.exp(exponent / 2)
    # The fixture is not at a bound, so that this remakes it.
    assert regressed == pytest.approx(forecast["har_volatility"], rel=1e-5)
    return math.sqrt(regressed * given["EWMA 0.94"])


def diversification_ratio(given: dict[str, Any]) -> float:
    rows = given["symbols"]
    risks = np.array([row["weight"] * row["volatility"] for row in rows])
    together = np.eye(len(rows))
    together[np.triu_indices(len(rows), 1)] = given["correlations, upper triangle by rows"]
    together = together + together.T - np.eye(len(rows))
    return float(np.abs(risks).sum() / np.sqrt(risks @ together @ risks))


def factor_volatility(given: dict[str, Any]) -> float:
    risks = np.array([row["beta"] * row["volatility"] for row in given["factors"]])
    return float(np.sqrt(risks @ np.array(given["correlations"]) @ risks))


def expected_shortfall(given: dict[str, Any]) -> float:
    losses: list[float] = sorted(-row["filtered_pnl"] for row in given["worst days"])[::-1]
    worst: float = given["scenarios"]["count"] * 0.01
    whole = math.floor(worst)
    return (math.fsum(losses[:whole]) + (worst - whole) * losses[whole]) / worst


AGAIN: dict[str, Callable[[dict[str, Any]], float]] = {
    "net_asset_value": lambda given: (
        given["cash"] + given["net market value"] + given["carried value"]
    ),
    "unrealized_pnl": lambda given: total(given["positions"], "unrealized_pnl"),
    "realized_pnl": lambda given: total(given["positions"], "realized_pnl"),
    "daily_pnl": lambda given: total(given["positions"], "daily_pnl"),
    "daily_return": lambda given: (
        given["profit of the session"] / given["net asset value of the session before"]
    ),
    "dollar_delta": lambda given: total(
        [row for row in given["positions"] if row["kind"] != "private"],
        *("quantity", "multiplier", "delta", "underlying_price"),
    ),
    "vega": lambda given: total(given["positions"], "quantity", "multiplier", "vega"),
    "theta": lambda given: total(given["positions"], "quantity", "multiplier", "theta"),
    "leverage": lambda given: (
        math.fsum(abs(row["dollar_delta"]) for row in given["underlyings"])
        / given["net asset value"]
    ),
    "gross_exposure": lambda given: math.fsum(
        abs(row["dollar_delta"]) for row in given["underlyings"]
    ),
    "net_exposure": lambda given: total(given["underlyings"], "dollar_delta"),
    "beta_adjusted_net": lambda given: total(given["underlyings"], "sensitivity", "beta"),
    "hhi": lambda given: total(given["underlyings"], "share_of_gross", "share_of_gross"),
    "portfolio_beta": lambda given: (
        total(given["positions"], "dollar_delta", "beta") / given["net asset value"]
    ),
    "model_volatility": lambda given: math.hypot(
        given["factor volatility"], given["specific volatility"]
    ),
    "duration": duration,
    "factor_volatility": factor_volatility,
    "expected_volatility_21d": expected_volatility,
    "average_correlation": correlation_mean,
    "diversification_ratio": diversification_ratio,
    "value_at_risk": lambda given: (
        -sorted(row["filtered_pnl"] for row in given["worst days"])[
            max(1, math.floor(given["scenarios"]["count"] * 0.01 + 1e-9)) - 1
        ]
    ),
    "expected_shortfall": expected_shortfall,
    "market_crash_35": lambda given: math.fsum(
        row["correlated"] for row in given["positions"] if row["correlated"] is not None
    ),
}


async def test_what_is_explained_can_be_made_again(engine):
    await calculated(engine, "everything")
    report = await engine.http.get(
        f"/api/v1/analytics/portfolio/{BOOK.portfolio_id}/report",
        headers=engine.neighbours.bearer(ADA),
    )
    assert report.status_code == 200
    listed = (await explain(engine)).json()["metrics"]
    assert {one["metric"] for one in listed} >= catalogue().keys() - {SCENARIO}
    for one in listed:
        answer = await explain(engine, one["metric"])
        assert answer.status_code == 200, answer.text
        shown = answer.json()
        assert (shown["value"] is None) == (shown["why_null"] is not None)
        if one["metric"] in AGAIN:
            given = {part["name"]: part["value"] for part in shown["inputs"]}
            again = AGAIN[one["metric"]](given)
            cents = 0.05 if "US dollars" in shown["unit"] else 0.0
            assert again == pytest.approx(shown["value"], rel=1e-5, abs=cents), one["metric"]
    assert AGAIN.keys() <= {one["metric"] for one in listed}


async def test_what_is_not_known_says_why(engine):
    await calculated(engine, "no prices")
    answer = await explain(engine, "unrealized_pnl", BOOKS["no prices"])
    shown = answer.json()
    assert shown["value"] is None
    assert shown["why_null"] == catalogue()["unrealized_pnl"].null_when
    assert "carried_at_entry_price" in {note["code"] for note in shown["notes"]}


async def test_calls_on_what_nobody_has_heard_of_have_no_greeks_rather_than_none(engine):
    await calculated(engine, "unheard of")
    for metric in ("dollar_delta", "dollar_gamma", "vega", "theta"):
        shown = (await explain(engine, metric, BOOKS["unheard of"])).json()
        assert (shown["value"], shown["status"]) == (None, "insufficient")
        assert shown["why_null"] == catalogue()[metric].null_when
        assert "unmodelled_options" in {note["code"] for note in shown["notes"]}


def test_every_metric_says_when_it_is_null_in_a_sentence():
    for name, one in catalogue().items():
        assert one.null_when[0].isupper(), name
        assert one.null_when.endswith("."), name


async def test_before_any_calculation_there_is_nothing_to_explain_but_the_words(engine):
    await engine.deliver(event(BOOK))
    shown = (await explain(engine, "value_at_risk")).json()
    assert (shown["available"], shown["value"]) == (False, None)
    assert shown["why_null"] == "The portfolio has not been calculated yet."
    assert shown["formula"]


async def test_a_metric_nobody_knows_is_refused_with_the_way_to_those_there_are(engine):
    await engine.deliver(event(BOOK))
    answer = await explain(engine, "luck")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "ERR_RISK_001"
    nobody = BOOK.model_copy(update={"portfolio_id": uuid4()})
    assert (await explain(engine, "value_at_risk", nobody)).status_code == 404
