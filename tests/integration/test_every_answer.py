"""No answer of any engine holds a number that is none: every route, for books odd in every way."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from common.events.risk_engine import CalculationFailed, RiskCalculated
from risk_engine.clients import Panels
from risk_engine.domain import ENGINES
from tests.support.harness import Harness, running
from tests.support.odd_books import (
    OPEN_IN_OTHER_CURRENCIES,
    in_other_currencies,
    odd_books,
    odd_market,
)
from tests.support.risk_engine import ADA, ended, event, prices_ready, service
from tests.support.simulated import AS_OF

BOOKS = odd_books()
LEFT_OUT = in_other_currencies()
COUNT = "unsupported_currency_positions"
PREFIX = "/api/v1/analytics/portfolio/{portfolio_id}/"


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


def routes(engine: Harness) -> list[str]:
    """What can be read of a portfolio."""
    paths = engine.service.app.openapi()["paths"]
    return sorted(
        path.removeprefix(PREFIX)
        for path, operations in paths.items()
        if path.startswith(PREFIX) and "get" in operations and "{" not in path[len(PREFIX) :]
    )


def numbers(tree: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number of an answer with its path."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from numbers(value, f"{path}.{key}")
    elif isinstance(tree, list):
        for place, value in enumerate(tree):
            yield from numbers(value, f"{path}[{place}]")
    elif isinstance(tree, float | int) and not isinstance(tree, bool):
        yield path, tree


TOTALS = {
    "known_share": ("longest", "sold"),
    "modelled_share": ("direct", "correlated", "profit"),
    "observed_share": ("regressed_beta", "r_squared"),
}
"""By a share of the book: what is made of that share alone."""
SETTINGS = ("sessions",)


def totals_of_nothing(tree: Any, path: str = "") -> Iterator[str]:
    """The paths of totals beside a share that says they are made of nothing."""
    if isinstance(tree, list):
        for place, value in enumerate(tree):
            yield from totals_of_nothing(value, f"{path}[{place}]")
    elif isinstance(tree, dict):
        for share, totals in TOTALS.items():
            if tree.get(share) == 0:
                for one in totals:
                    found = (place for place, _ in numbers(tree.get(one), f"{path}.{one}"))
                    yield from (place for place in found if not place.endswith(SETTINGS))
        for key, value in tree.items():
            yield from totals_of_nothing(value, f"{path}.{key}")


def refuse(constant: str) -> float:
    raise AssertionError(f"{constant} in an answer")


async def test_every_answer_of_every_book_is_made_of_numbers_and_nulls(engine):
    for book in BOOKS.values():
        await engine.deliver(event(book))
    await engine.deliver(prices_ready(*BOOKS.values(), as_of=AS_OF))
    calculated = await engine.eventually(ended(engine, RiskCalculated, len(BOOKS) - 1), 120)
    assert all(not one.failed for one in calculated), [one.failed for one in calculated]
    assert all(one.engines.keys() == set(ENGINES) for one in calculated)
    (failed,) = engine.bus.events(CalculationFailed)
    assert failed.portfolio_id == BOOKS["another currency"].portfolio_id
    assert failed.reason == "unsupported_currency"

    read, reports = 0, {}
    for name, book in BOOKS.items():
        for route in routes(engine):
            address = PREFIX.format(portfolio_id=book.portfolio_id) + route
            answer = await engine.http.get(address, headers=engine.neighbours.bearer(ADA))
            assert answer.status_code == 200, (name, route, answer.text)
            shown = json.loads(answer.text, parse_constant=refuse)
            found = list(numbers(shown))
            assert not list(totals_of_nothing(shown)), (name, route)
            read += len(found)
            assert all(abs(value) < 1e15 for _, value in found), (name, route)
            if route == "report" and name != "another currency":
                assert shown["engines"].keys() == set(ENGINES), name
                reports[name] = shown["engines"]
    assert read > 10_000
    other_currencies_are_counted_and_in_no_total(reports)


def other_currencies_are_counted_and_in_no_total(reports: dict[str, Any]) -> None:
    among, alone = reports["positions in other currencies"], reports["only in dollars"]
    for engine in ENGINES:
        assert totals_of(among[engine]) == totals_of(alone[engine]), engine
        counted = [among[engine].get(block, {}) for block in ("based_on", "coverage", "quality")]
        (count,) = {one[COUNT] for one in counted if COUNT in one}
        assert count == (len(LEFT_OUT) if engine == "valuation" else OPEN_IN_OTHER_CURRENCIES)
    assert among["valuation"]["totals"]["net_asset_value"] > 0
    for engine in ("valuation", "greeks", "factors", "stress"):
        listed = among[engine]["positions"]
        reasons = {one["symbol"]: one["reason"] for one in listed if one["symbol"] == "SAP"}
        assert reasons == {"SAP": "unsupported_currency"}


def totals_of(result: dict[str, Any]) -> dict[str, Any]:
    """What an engine says of the account, without what it says of positions and how many."""
    about_positions = {
        *("positions", "components", "unpriced", "excluded", "counts", "notes"),
        *("based_on", "coverage", "quality", "status", "input_hash"),
    }
    return {key: value for key, value in result.items() if key not in about_positions}
