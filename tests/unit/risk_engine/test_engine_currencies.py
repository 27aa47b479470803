"""Positions in another currency: listed with the reason, counted, and in no total of any engine."""

import json
from decimal import Decimal
from typing import Any

import pytest

from common.events.onboarding import Book
from risk_engine.domain import ENGINES, Failure
from risk_engine.engine import input_hash
from risk_engine.engine.chunk import StoredBook, calculate
from risk_engine.engine.results import unpack
from risk_engine.schemas.base import plain
from risk_engine.schemas.engines import MODELS
from tests.support.odd_books import (
    OPEN_IN_OTHER_CURRENCIES,
    in_other_currencies,
    odd_books,
    odd_market,
)
from tests.unit.risk_engine.books import AS_OF as A_FRIDAY
from tests.unit.risk_engine.books import book, market, position

BOOKS = odd_books()
WITH, WITHOUT = BOOKS["positions in other currencies"], BOOKS["only in dollars"]
FOREIGN = {str(one.position_id) for one in in_other_currencies()}
CLOSED = str(in_other_currencies()[-1].position_id)
LISTED_IN = {
    "valuation": "positions",
    "greeks": "positions",
    "factors": "positions",
    "market_risk": "components",
    "stress": "positions",
}
COUNTED_IN = {
    "valuation": ("based_on",),
    "greeks": ("coverage", "quality"),
    "exposure": ("quality",),
    "factors": ("quality",),
    "volatility": ("quality",),
    "correlation": ("quality",),
    "market_risk": ("quality",),
    "stress": ("based_on", "quality"),
}
COUNT = "unsupported_currency_positions"


def stored(of: Book) -> StoredBook:
    assert of.positions is not None
    return StoredBook(
        portfolio_id=WITH.portfolio_id,
        user_id=of.user_id,
        revision=of.revision,
        name=of.name,
        currency=of.currency,
        equity_balance=of.equity_balance,
        opening_session=of.opening_session,
        symbols=(),
        positions=json.dumps([one.model_dump(mode="json") for one in of.positions]),
    )


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, Any]]:
    """What each engine says of each of three books, as clients read it."""
    whole = odd_market(BOOKS)
    said: dict[str, dict[str, Any]] = {}
    for name in ("only in dollars", "positions in other currencies", "nothing in dollars"):
        (found,) = calculate([stored(BOOKS[name])], whole)
        assert not isinstance(found, Failure), found
        assert not found.failed
        assert found.results.keys() == set(ENGINES)
        about = {"as_of": whole.as_of, "panel_version": 1, "book_revision": 1}
        said[name] = {
            engine: MODELS[engine]
            .model_validate(
                {
                    **plain(unpack(result.payload)),
                    **about,
                    "engine": engine,
                    "status": result.status,
                    "model_version": result.model_version,
                }
            )
            .model_dump(mode="json")
            for engine, result in found.results.items()
        }
    return said


def rows_of(engine: str, answer: dict[str, Any]) -> list[dict[str, Any]]:
    inside = answer[LISTED_IN[engine]]
    rows: list[dict[str, Any]] = inside["positions"] if isinstance(inside, dict) else inside
    return rows


def without_foreign(engine: str, answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without what is listed, counted and said of positions left out."""
    shown: dict[str, Any] = json.loads(json.dumps(answer))
    for rows in [rows_of(engine, shown)] if engine in LISTED_IN else []:
        rows[:] = [row for row in rows if row["position_id"] not in FOREIGN]
    shown["notes"] = [
        one
        for one in shown["notes"]
        if one["code"] not in {"unsupported_currency", "positions_excluded"}
    ]
    for block in COUNTED_IN[engine]:
        shown[block][COUNT] = 0
    shown.pop("status")
    if engine == "valuation":
        shown["based_on"]["invalid_positions"] = 0
        shown["unpriced"] = [one for one in shown["unpriced"] if one["position_id"] not in FOREIGN]
    if engine == "exposure":
        shown["counts"]["invalid_positions"] = 0
        shown["excluded"] = [
            one for one in shown["excluded"] if one["reason"] != "unsupported_currency"
        ]
    return shown


@pytest.mark.parametrize("engine", ENGINES)
def test_every_number_is_that_of_the_book_without_them(answers, engine):
    alone, among = (
        answers["only in dollars"][engine],
        answers["positions in other currencies"][engine],
    )
    assert without_foreign(engine, among) == without_foreign(engine, alone)
    assert among != alone


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_counts_them_and_says_so(answers, engine):
    answer = answers["positions in other currencies"][engine]
    count = len(FOREIGN) if engine == "valuation" else OPEN_IN_OTHER_CURRENCIES
    assert {answer[block][COUNT] for block in COUNTED_IN[engine]} == {count}
    (note,) = (one for one in answer["notes"] if one["code"] == "unsupported_currency")
    assert note["message"].startswith(f"{count} position(s) are in another currency than ")
    assert answer["status"] in {"partial", "insufficient"}
    alone = answers["only in dollars"][engine]
    assert {alone[block][COUNT] for block in COUNTED_IN[engine]} == {0}
    assert "unsupported_currency" not in {one["code"] for one in alone["notes"]}


@pytest.mark.parametrize("engine", LISTED_IN)
def test_each_is_listed_with_the_reason_and_without_amounts(answers, engine):
    known = {"quantity", "multiplier", "observations", "beta_observations"}
    rows = rows_of(engine, answers["positions in other currencies"][engine])
    found = {row["position_id"]: row for row in rows if row["position_id"] in FOREIGN}
    assert found.keys() == (FOREIGN if engine == "valuation" else FOREIGN - {CLOSED})
    for row in found.values():
        assert row["reason"] == "unsupported_currency"
        numbers = {
            name for name, value in row.items() if isinstance(value, float) and name not in known
        }
        assert numbers == set()
        for many in ("loadings", "standard_errors", "direct", "correlated"):
            cells = row.get(many, [])
            assert {*(cells.values() if isinstance(cells, dict) else cells)} <= {None}
    others = [row for row in rows if row["position_id"] not in FOREIGN]
    assert len(others) >= 4
    assert "unsupported_currency" not in {row["reason"] for row in others}


def test_the_valuation_says_what_each_is_in(answers):
    rows = answers["positions in other currencies"]["valuation"]["positions"]
    said = {row["position_id"]: row["currency"] for row in rows}
    assert said == {str(one.position_id): one.currency for one in WITH.positions or ()}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_book_of_nothing_else_is_worth_what_its_owner_said(answers, engine):
    answer = answers["nothing in dollars"][engine]
    for block in COUNTED_IN[engine]:
        assert answer[block][COUNT] >= OPEN_IN_OTHER_CURRENCIES
    if engine == "valuation":
        totals = answer["totals"]
        assert totals["net_asset_value"] == totals["cash"] == totals["equity_balance"] == 100_000
        assert (totals["gross_market_value"], answer["status"]) == (0, "partial")
    else:
        assert answer.get("net_asset_value", 100_000) == 100_000


def test_what_was_stored_before_positions_had_a_currency_is_in_dollars(answers):
    old = stored(WITHOUT)
    records = [
        {name: value for name, value in record.items() if name != "currency"}
        for record in json.loads(old.positions)
    ]
    assert len(records[0]) == len(json.loads(old.positions)[0]) - 1
    whole = odd_market(BOOKS)
    (new,) = calculate([old], whole)
    (same,) = calculate([StoredBook(**{**vars_of(old), "positions": json.dumps(records)})], whole)
    assert not isinstance(new, Failure)
    assert not isinstance(same, Failure)
    assert {name: one.payload for name, one in same.results.items()} == {
        name: one.payload for name, one in new.results.items()
    }


def vars_of(one: StoredBook) -> dict[str, Any]:
    return {name: getattr(one, name) for name in StoredBook.__slots__}


def test_the_hash_of_a_book_depends_on_the_currency_and_not_on_prices_it_has_nothing_to_do_with():
    closes = {"AAA": (58.0, 59.0, 59.5, 60.0, 61.0, 62.0, 64.0, 66.0)}
    other = {"AAA": (58.0, 59.0, 59.5, 60.0, 61.0, 62.0, 64.0, 67.0)}
    dollars = book((position(1, "AAA", "100", "50"),))
    euros = book((position(1, "AAA", "100", "50", currency="EUR"),))
    francs = book((position(1, "AAA", "100", "50", currency="CHF"),))
    hashes = [input_hash(one, market(closes), A_FRIDAY) for one in (dollars, euros, francs)]
    assert len(set(hashes)) == 3
    assert input_hash(euros, market(other), A_FRIDAY) == hashes[1]
    assert input_hash(dollars, market(other), A_FRIDAY) != hashes[0]
    assert dollars.positions[0].quantity == Decimal(100)
