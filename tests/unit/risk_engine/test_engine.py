"""A book is valued as its owner would by hand, and says what it could not know."""

import json
import pickle
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from risk_engine.domain import Failure, Valuation
from risk_engine.engine import to_payload, value_books
from risk_engine.engine.acceptance import MAX_AMOUNT
from risk_engine.engine.results import pack, unpack
from risk_engine.schemas.base import plain
from risk_engine.schemas.valuation import ValuationOut
from tests.unit.risk_engine.books import (
    AS_OF,
    NAN,
    OPENING,
    SESSIONS,
    book,
    market,
    option,
    position,
    private,
)

# Closes of                 30.12. 31.12. 02.01. 05.01. 06.01. 07.01. 08.01. 09.01.
CLOSES = {
    "AAA": (58.0, 59.0, 59.5, 60.0, 61.0, 62.0, 64.0, 66.0),
    "BBB": (69.0, 69.5, 70.5, 70.0, 71.0, 73.0, 72.0, 72.5),
    "SPAXX": (1.0,) * 8,
}
POSITIONS = (
    position(1, "AAA", "100", "50"),
    position(2, "BBB", "-50", "80"),
    private(3, "STARTUP", "25000"),
    option(4, "2", "4.50"),
    position(5, "CCC", "40", "10", exit_date=date(2025, 6, 2), exit_price=Decimal("12.5")),
    position(6, "SPAXX", "10000", "1"),
    position(7, "ZZZ", "10", "20"),
)
MISSING = {"ZZZ": "unknown_symbol"}


def valued(a_book, prices=None, as_of=AS_OF, **more) -> Valuation:
    (answer,) = value_books([a_book], prices or market(CLOSES, missing=MISSING), as_of, **more)
    assert isinstance(answer, Valuation), answer
    return answer


def payload(*arguments, **more):
    """The payload as it is stored and then shown."""
    return shown(valued(*arguments, **more))


def shown(valuation):
    stored = unpack(pack(to_payload(valuation)))
    return json.loads(ValuationOut.model_validate(plain(stored)).model_dump_json())


def refused(a_book, prices=None, as_of=AS_OF, **more) -> str:
    (answer,) = value_books([a_book], prices or market(CLOSES), as_of, **more)
    assert isinstance(answer, Failure), answer
    return answer.reason


def row(a_payload, symbol):
    (found,) = [one for one in a_payload["positions"] if one["symbol"] == symbol]
    return found


def test_the_hand_worked_book_has_these_totals():
    # value at the opening  AAA 100*60 = 6,000   BBB -50*70 = -3,500   SPAXX 10,000
    #                       carried: STARTUP 25,000   option 2*100*4.50 = 900   ZZZ 10*20 = 200
    #                       together 38,600
    # opening cash          100,000 - 38,600 = 61,400; nothing traded since, so cash is the same
    # value on 9 January    AAA 100*66 = 6,600   BBB -50*72.5 = -3,625   SPAXX 10,000
    # long 16,600  short -3,625  gross 20,225  net 12,975  carried 25,000 + 900 + 200 = 26,100
    # NAV                   61,400 + 12,975 + 26,100 = 100,475; change 475 = 100*6 - 50*2.5
    # cost of open ones     5,000 - 4,000 + 10,000 + 25,000 + 900 + 200 = 37,100
    # unrealised            6,600 - 5,000 = 1,600;  -3,625 + 4,000 = 375;  0;  together 1,975
    # realised              CCC 40*(12.5 - 10) = 100;  total P&L 2,075
    assert payload(book(POSITIONS))["totals"] == {
        "net_asset_value": 100_475.0,
        "equity_balance": 100_000.0,
        "change_since_opening": 475.0,
        "cash": 61_400.0,
        "opening_cash": 61_400.0,
        "opening_session": "2026-01-05",
        "long_market_value": 16_600.0,
        "short_market_value": -3_625.0,
        "gross_market_value": 20_225.0,
        "net_market_value": 12_975.0,
        "carried_value": 26_100.0,
        "cost_basis": 37_100.0,
        "unrealized_pnl": 1_975.0,
        "realized_pnl": 100.0,
        "dividend_income": 0.0,
        "total_pnl": 2_075.0,
    }


def test_the_hand_worked_book_has_these_positions():
    found = payload(book(POSITIONS))
    short = row(found, "BBB")
    assert short == {
        "position_id": "00000000-0000-0000-0000-000000000002",
        "symbol": "BBB",
        "position_type": "SHORT",
        "investment_class": "PUBLIC",
        "state": "open",
        "reason": None,
        "stale": False,
        "price_age": 0,
        "price_session": "2026-01-09",
        "carried_at": None,
        "price_source": "close",
        "currency": "USD",
        "estimated": False,
        "daily_pnl": -25.0,  # -50 * (72.5 - 72)
        "quantity": -50.0,
        "multiplier": 1.0,
        "split_factor": 1.0,
        "entry_price": 80.0,
        "market_price": 72.5,
        "market_value": -3_625.0,
        "cost_basis": -4_000.0,
        "unrealized_pnl": 375.0,
        "unrealized_pnl_percent": 9.375,  # 375 / 4,000
        "realized_pnl": None,
        "dividend_income": 0.0,
        "weight": round(-3_625 / 100_475, 8),
        "carried_value": None,
    }
    long = row(found, "AAA")
    assert (long["market_value"], long["unrealized_pnl"]) == (6_600.0, 1_600.0)
    assert (long["unrealized_pnl_percent"], long["weight"]) == (32.0, round(6_600 / 100_475, 8))
    closed = row(found, "CCC")
    assert (closed["state"], closed["realized_pnl"], closed["market_value"], closed["weight"]) == (
        "closed",
        100.0,
        None,
        None,
    )
    startup = row(found, "STARTUP")
    assert (startup["market_value"], startup["carried_value"]) == (None, 25_000.0)
    assert (startup["carried_at"], startup["unrealized_pnl"]) == ("entry_price", None)
    assert startup["weight"] == round(25_000 / 100_475, 8)


def test_the_hand_worked_book_says_what_it_rests_on():
    found = payload(book(POSITIONS))
    assert found["status"] == "partial"
    assert (found["as_of"], found["panel_version"], found["provider"]) == (
        "2026-01-09",
        7,
        "simulated",
    )
    assert [(one["symbol"], one["reason"], one["carried_value"]) for one in found["unpriced"]] == [
        ("SPY290119C00700000", "no_option_quotes", 900.0),
        ("STARTUP", "private_asset", 25_000.0),
        ("ZZZ", "unknown_symbol", 200.0),
    ]
    # Five positions are quoted somewhere, three of them here: 20,225 of 20,225 + 26,100.
    based_on = found["based_on"]
    assert (based_on["open_positions"], based_on["market_positions"]) == (6, 5)
    assert (based_on["priced_positions"], based_on["carried_positions"]) == (3, 3)
    assert based_on["closed_positions"] == 1
    assert based_on["priced_share"] == round(20_225 / 46_325, 8)
    assert [one["code"] for one in found["notes"]] == ["carried_at_entry_price"]


def test_splits_dividends_and_trades_since_the_opening_are_in_cash_and_share_counts():
    # AAA splits 2:1 on the 7th: 100 @ 50 become 200 @ 25, worth 200*33 = 6,600. On the 8th it pays
    #     0.25 a new share, +50. BBB, short 50, pays 1.00 on the 7th: -50.
    # DDD is bought on the 7th, 20 @ 30 = 600, and pays 0.10 that day (too late for the buyer) and
    #     0.40 on the 9th: +8. It closes at 31: 620.
    # EEE, 30 @ 15, is worth 30*20 = 600 at the opening, splits 3:2 on the 6th and is sold on the
    #     8th, 45 @ 14 = 630: realised 630 - 450 = 180.
    # opening cash = 100,000 - (6,000 - 3,500 + 600) = 96,900
    # cash         = 96,900 + 50 - 50 + 8 - 600 + 630 = 96,938
    # NAV          = 96,938 + 6,600 - 3,625 + 620 = 100,533
    # check        AAA +600 +50, BBB -125 -50, DDD +20 +8, EEE +30: 533
    prices = market(
        {
            "AAA": (58.0, 59.0, 59.5, 60.0, 61.0, 31.0, 32.0, 33.0),
            "BBB": CLOSES["BBB"],
            "DDD": (28.0, 28.0, 28.0, 29.0, 29.5, 30.0, 30.5, 31.0),
            "EEE": (19.0, 19.0, 19.0, 20.0, 13.4, 13.6, 13.9, 14.0),
        },
        splits={("AAA", date(2026, 1, 7)): 2.0, ("EEE", date(2026, 1, 6)): 1.5},
        dividends={
            ("AAA", date(2026, 1, 8)): 0.25,
            ("BBB", date(2026, 1, 7)): 1.0,
            ("DDD", date(2026, 1, 7)): 0.10,
            ("DDD", date(2026, 1, 9)): 0.40,
        },
    )
    positions = (
        POSITIONS[0],
        POSITIONS[1],
        position(8, "DDD", "20", "30", entry_date=date(2026, 1, 7)),
        position(9, "EEE", "30", "15", exit_date=date(2026, 1, 8), exit_price=Decimal(14)),
    )
    found = payload(book(positions), prices)
    totals = found["totals"]
    assert found["status"] == "ok"
    assert (totals["opening_cash"], totals["cash"]) == (96_900.0, 96_938.0)
    assert (totals["net_asset_value"], totals["change_since_opening"]) == (100_533.0, 533.0)
    assert (totals["dividend_income"], totals["realized_pnl"]) == (8.0, 180.0)
    assert totals["unrealized_pnl"] == 1_600 + 375 + 20
    assert totals["total_pnl"] == 1_995 + 180 + 8
    split = row(found, "AAA")
    assert (split["quantity"], split["entry_price"], split["split_factor"]) == (200.0, 25.0, 2.0)
    assert (split["market_price"], split["dividend_income"]) == (33.0, 50.0)
    assert row(found, "BBB")["dividend_income"] == -50.0


def test_history_depends_on_the_date_and_not_on_todays_book():
    later = position(8, "BBB", "20", "71", entry_date=date(2026, 1, 7))
    sold = position(9, "AAA", "10", "50", exit_date=date(2026, 1, 8), exit_price=Decimal(64))
    found = payload(book((later, sold)), as_of=date(2026, 1, 6))
    assert (row(found, "BBB")["state"], row(found, "BBB")["reason"]) == ("pending", "not_yet_open")
    assert (row(found, "AAA")["state"], row(found, "AAA")["market_value"]) == ("open", 610.0)
    assert (found["status"], found["totals"]["net_asset_value"]) == ("ok", 100_010.0)


@pytest.mark.parametrize("equity", ["100000", "0.01", "-250000.37", "999999999999.99"])
def test_on_the_opening_session_nav_is_the_equity_balance_to_the_cent(equity):
    found = payload(book(POSITIONS, equity), as_of=OPENING)
    assert found["totals"]["net_asset_value"] == float(equity)
    assert found["totals"]["change_since_opening"] == 0.0


def test_private_assets_alone_leave_a_valuation_whole():
    found = payload(book((POSITIONS[0], POSITIONS[2])))
    assert found["status"] == "ok"
    assert [one["symbol"] for one in found["unpriced"]] == ["STARTUP"]


def test_a_private_asset_is_not_priced_by_a_ticker_of_the_same_letters():
    found = payload(book((private(1, "AAA", "5000"),)))
    assert (row(found, "AAA")["market_value"], row(found, "AAA")["reason"]) == (
        None,
        "private_asset",
    )


@pytest.mark.parametrize(
    ("closes", "price", "session", "stale", "reason"),
    [
        ((60.0, 61.0, 62.0, 63.0, 64.0), 64.0, "2026-01-09", False, None),
        ((60.0, 61.0, NAN, NAN, NAN), 61.0, "2026-01-06", True, None),
        ((60.0, NAN, NAN, NAN, NAN), None, "2026-01-05", True, "no_price"),
        ((60.0, 61.0, 62.0, float("inf"), -1.0), 62.0, "2026-01-07", True, None),
    ],
)
def test_a_close_serves_for_three_sessions(closes, price, session, stale, reason):
    found = payload(book((POSITIONS[0],)), market({"AAA": (58.0, 59.0, 59.5, *closes)}))
    only = row(found, "AAA")
    assert (only["market_price"], only["price_session"]) == (price, session)
    assert (only["stale"], only["reason"]) == (stale, reason)
    assert found["status"] == ("insufficient" if reason else "stale" if stale else "ok")


def test_a_price_older_than_a_split_is_restated_in_todays_shares():
    prices = market(
        {"AAA": (58.0, 59.0, 59.5, 60.0, 61.0, 62.0, NAN, NAN)},
        splits={("AAA", date(2026, 1, 8)): 2.0},
    )
    only = row(payload(book((POSITIONS[0],)), prices), "AAA")
    assert (only["quantity"], only["market_price"], only["market_value"]) == (200.0, 31.0, 6_200.0)


def test_without_any_price_market_values_are_unknown_and_nav_is_what_was_stated():
    found = payload(book(POSITIONS), market({}))
    assert found["status"] == "insufficient"
    for unknown in ("long", "short", "gross", "net"):
        assert found["totals"][f"{unknown}_market_value"] is None
    assert (found["totals"]["unrealized_pnl"], found["totals"]["total_pnl"]) == (None, None)
    assert found["totals"]["net_asset_value"] == 100_000.0
    assert found["totals"]["carried_value"] == 37_100.0
    assert found["based_on"]["priced_share"] == 0.0


def test_an_empty_book_is_all_cash():
    found = payload(book(()))
    assert (found["status"], found["positions"], found["based_on"]["priced_share"]) == (
        "ok",
        [],
        None,
    )
    assert (found["totals"]["cash"], found["totals"]["long_market_value"]) == (100_000.0, 0.0)


@pytest.mark.parametrize("equity", ["-500", "-600.00"])
def test_without_a_positive_nav_no_weight_is_stated(equity):
    # The long gained 600: NAV is 100 in the first case and nothing in the second.
    found = payload(book((POSITIONS[0],), equity))
    weight = row(found, "AAA")["weight"]
    assert weight == (66.0 if equity == "-500" else None)
    said = [one["code"] for one in found["notes"]]
    assert said == ([] if equity == "-500" else ["net_asset_value_not_positive"])
    assert found["totals"]["long_market_value"] == 6_600.0


def test_an_expired_option_is_listed_as_such():
    found = payload(book((option(1, "1", "2", expiration=date(2026, 1, 8)),)))
    assert [(one["reason"], one["carried_value"]) for one in found["unpriced"]] == [
        ("expired", 200.0)
    ]


def test_a_change_between_market_and_entry_price_is_said():
    prices = market({"AAA": (NAN, NAN, NAN, NAN, 60.0, 60.0, 60.0, 60.0)})
    found = payload(book((POSITIONS[0],)), prices)
    assert found["totals"]["change_since_opening"] == 1_000.0
    assert "valuation_basis_changed" in [one["code"] for one in found["notes"]]


HALTED = {"AAA": (58.0, 59.0, 59.5, 60.0, NAN, NAN, NAN, NAN)}


def test_a_share_that_is_not_traded_any_more_keeps_its_last_price():
    # 100 shares entered at 50, last traded at 60 on the opening session, four sessions ago.
    found = payload(book((POSITIONS[0],)), market(HALTED))
    only = row(found, "AAA")
    assert found["totals"]["net_asset_value"] == 100_000.0
    assert (only["carried_value"], only["carried_at"]) == (6_000.0, "last_price")
    assert (only["market_value"], only["unrealized_pnl"]) == (None, None)
    assert (only["price_session"], only["price_age"], only["stale"]) == ("2026-01-05", 4, True)
    assert found["daily"]["pnl"] == found["daily"]["repricing"] == 0.0
    assert (found["status"], [one["code"] for one in found["notes"]]) == (
        "insufficient",
        ["carried_at_last_price"],
    )


def test_a_share_that_is_split_while_nobody_trades_it_is_worth_the_same():
    found = payload(book((POSITIONS[0],)), market(HALTED, splits={("AAA", date(2026, 1, 8)): 2.0}))
    assert row(found, "AAA")["quantity"] == 200.0
    assert row(found, "AAA")["carried_value"] == 6_000.0


def test_a_share_that_was_not_traded_at_the_opening_counts_there_at_its_last_price():
    # Last traded at 58, traded again at 64: the change is the account's gain, not one from cost.
    early = (date(2025, 12, 22), date(2025, 12, 23), *SESSIONS)
    closes = (58.0, NAN, NAN, NAN, NAN, NAN, 64.0, 64.0, 64.0, 64.0)
    found = payload(book((POSITIONS[0],)), market({"AAA": closes}, sessions=early))
    assert found["totals"]["opening_cash"] == 94_200.0
    assert found["totals"]["net_asset_value"] == 100_600.0
    assert (found["status"], found["notes"]) == ("ok", [])


def test_a_position_sold_since_the_opening_counts_at_its_close_there():
    # 100 @ 60 at the opening, sold at 64: NAV gains 400, the owner has realised 1,400 since entry.
    sold = replace(POSITIONS[0], exit_date=date(2026, 1, 8), exit_price=Decimal(64))
    found = payload(book((sold,)))
    assert (found["status"], found["notes"]) == ("ok", [])
    assert found["totals"]["net_asset_value"] == 100_400.0
    assert found["totals"]["realized_pnl"] == 1_400.0


@pytest.mark.parametrize(
    "sold",
    [position(1, "NONE", "100", "50"), option(1, "1", "50")],
    ids=["share", "option"],
)
def test_a_position_sold_since_an_opening_where_it_had_no_price_makes_the_result_partial(sold):
    sold = replace(sold, exit_date=date(2026, 1, 8), exit_price=Decimal(64))
    found = payload(book((POSITIONS[1], sold)))
    assert found["status"] == "partial"
    assert [one["code"] for one in found["notes"]] == ["valuation_basis_changed"]


def test_a_position_priced_since_an_opening_where_it_was_not_makes_the_result_partial():
    prices = market({"AAA": (NAN,) * 4 + (61.0, 62.0, 64.0, 66.0)})
    found = payload(book((POSITIONS[0],)), prices)
    assert found["status"] == "partial"
    assert [one["code"] for one in found["notes"]] == ["valuation_basis_changed"]


def test_what_was_sold_by_the_opening_or_privately_leaves_the_result_whole():
    sold = [
        replace(position(1, "NONE", "100", "50"), exit_date=OPENING, exit_price=Decimal(64)),
        replace(private(2, "STARTUP", "50"), exit_date=AS_OF, exit_price=Decimal(64)),
    ]
    found = payload(book((POSITIONS[1], *sold)))
    assert (found["status"], found["notes"]) == ("ok", [])


@pytest.mark.parametrize(
    "closes",
    [(60.0,) * 7 + (1e6,), (1e6,) * 7 + (60.0,)],
    ids=["now", "at the opening"],
)
def test_a_market_value_beyond_what_float64_keeps_to_the_cent_is_left_out(closes):
    huge = position(99, "HUGE", "90000001", "0.01")
    assert MAX_AMOUNT < 90_000_001 * 1e6
    prices = market({**CLOSES, "HUGE": closes}, missing=MISSING)
    with_it, without = payload(book((huge, *POSITIONS)), prices), payload(book(POSITIONS))
    assert with_it["totals"] == without["totals"]
    assert row(with_it, "HUGE")["state"] == "invalid"
    assert row(with_it, "HUGE")["reason"] == "amount_too_large"
    assert row(with_it, "BBB") == row(without, "BBB")
    assert with_it["status"] == "partial"


def test_a_market_value_at_the_bound_is_valued():
    prices = market({"HUGE": (1e6,) * 8})
    found = payload(book((position(99, "HUGE", "90000000", "0.01"),)), prices)
    assert (found["status"], row(found, "HUGE")["market_value"]) == ("ok", 9e13)


def test_an_opening_before_the_panel_takes_the_stored_cash():
    held = replace(POSITIONS[0], entry_date=date(2019, 6, 3))
    opened = book((held,), opening_session=date(2020, 6, 1))
    found = payload(opened, opening_cash={opened.portfolio_id: Decimal("1500.25")})
    assert found["totals"]["opening_cash"] == 1_500.25
    assert found["totals"]["net_asset_value"] == 8_100.25
    assert found["status"] == "partial"
    assert [one["code"] for one in found["notes"]] == ["opening_before_panel"]


@pytest.mark.parametrize(
    ("changes", "as_of", "reason"),
    [
        ({}, date(2026, 1, 2), "before_opening"),
        ({}, date(2026, 1, 10), "as_of_not_in_panel"),
        ({"opening_session": date(2020, 6, 1)}, AS_OF, "no_opening_cash"),
        ({"currency": "EUR"}, AS_OF, "unsupported_currency"),
        ({"equity_balance": Decimal("NaN")}, AS_OF, "invalid_equity_balance"),
    ],
)
def test_a_book_that_cannot_be_valued_says_why(changes, as_of, reason):
    assert refused(replace(book(POSITIONS), **changes), as_of=as_of) == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quantity": Decimal("NaN")}, "invalid_position"),
        ({"quantity": Decimal("sNaN")}, "invalid_position"),
        ({"quantity": Decimal("1e300")}, "invalid_position"),
        ({"entry_price": Decimal(-1)}, "invalid_position"),
        ({"entry_price": Decimal("Infinity")}, "invalid_position"),
        ({"multiplier": Decimal(0)}, "invalid_position"),
        ({"exit_date": date(2026, 1, 6)}, "no_exit_price"),
        ({"exit_date": date(2020, 1, 6), "exit_price": Decimal(1)}, "invalid_position"),
        ({"currency": "EUR"}, "unsupported_currency"),
        ({"currency": "EUR", "quantity": Decimal("sNaN")}, "invalid_position"),
        ({"currency": "EUR", "exit_date": date(2026, 1, 6)}, "unsupported_currency"),
    ],
)
def test_one_bad_position_is_left_out_and_named_and_the_others_are_valued(changes, reason):
    bad = replace(position(99, "AAA", "7", "50"), **changes)
    with_it, without = payload(book((*POSITIONS, bad))), payload(book(POSITIONS))
    assert with_it["totals"] == without["totals"]
    listed = [one for one in with_it["unpriced"] if one["position_id"] == str(bad.id)]
    assert [(one["reason"], one["carried_value"]) for one in listed] == [(reason, None)]
    assert with_it["status"] == "partial"


@pytest.mark.parametrize("ratio", [0.0, -2.0, NAN, float("inf")])
def test_a_symbol_with_an_impossible_split_is_carried(ratio):
    prices = market(CLOSES, splits={("AAA", date(2026, 1, 7)): ratio})
    found = payload(book(POSITIONS[:2]), prices)
    assert row(found, "AAA")["reason"] == "invalid_market_data"
    assert row(found, "BBB")["market_value"] == -3_625.0


def test_what_the_panel_holds_after_the_date_is_not_seen():
    until, nothing = SESSIONS.index(date(2026, 1, 7)) + 1, (NAN, NAN)
    later = {("AAA", date(2026, 1, 8)): NAN, ("BBB", date(2026, 1, 9)): 2.0}
    blind = market({name: (*column[:until], *nothing) for name, column in CLOSES.items()})
    known = [
        payload(book(POSITIONS), prices, SESSIONS[until - 1])
        for prices in (blind, market(CLOSES, splits=later, dividends={("AAA", AS_OF): 1.0}))
    ]
    assert known[0] == known[1]


def test_a_chunk_gives_each_book_the_bytes_it_gets_alone():
    prices = market(CLOSES, missing=MISSING, dividends={("BBB", date(2026, 1, 7)): 0.3})
    books = [
        book(POSITIONS, number=1),
        book(POSITIONS[:1], number=2, opening_session=SESSIONS[1]),
        book(POSITIONS, number=3, opening_session=date(2019, 1, 2)),
        book((), number=4),
        book(POSITIONS[3:], number=5, opening_session=AS_OF),
    ]
    together = value_books(books, prices, AS_OF)
    alone = [answer for one in books for answer in value_books([one], prices, AS_OF)]
    assert pickle.loads(pickle.dumps(together)) == alone
    assert [isinstance(one, Failure) for one in together] == [False, False, True, False, False]
    written = [pack(to_payload(one)) for one in together if isinstance(one, Valuation)]
    again = [pack(to_payload(one)) for one in alone if isinstance(one, Valuation)]
    assert written == again
    assert value_books([], prices, AS_OF) == []
