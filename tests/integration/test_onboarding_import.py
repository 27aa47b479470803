"""Imports over HTTP on a real database: all of a file or nothing, and one event."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from uuid import NAMESPACE_DNS, uuid4, uuid5

import pytest
from sqlalchemy import text

from common.calendar import last_closed_session
from common.events.onboarding import PortfolioCreated
from onboarding.domain.csv_file import MAX_FILE_BYTES
from onboarding.domain.template import TEMPLATE
from onboarding.main import build
from onboarding.settings import Settings
from onboarding.tables import METADATA
from tests.support.harness import Harness, running
from tests.support.onboarding import (
    BOOK,
    FORM,
    book_at,
    get,
    lots,
    service,
    statements,
    upload,
)
from tests.support.schemas import assert_migrated
from tests.unit.onboarding.upload import call, csv_bytes, line

USER = uuid4()
GOOD = line("MSFT")


@pytest.fixture
async def onboarding(database, tmp_path) -> AsyncIterator[Harness]:
    async with running("onboarding", service, database, tmp_path) as harness:
        yield harness


async def written(onboarding: Harness) -> dict[str, int]:
    """Count the rows of every table an import writes."""
    async with onboarding.service.database.engine.connect() as connection:
        found = await connection.execute(
            text(
                "SELECT (SELECT count(*) FROM onboarding.portfolios) AS portfolios,"
                " (SELECT count(*) FROM onboarding.revisions) AS revisions,"
                " (SELECT count(*) FROM onboarding.positions) AS positions,"
                " (SELECT count(*) FROM onboarding.imports) AS imports"
            )
        )
        return dict(found.mappings().one())


async def announced(onboarding: Harness):
    (created,) = await onboarding.eventually(lambda: onboarding.bus.events(PortfolioCreated))
    return created.book


def error_of(answer):
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["detail"] == answer.json()["error"]["message"]
    return answer.json()["error"]


def codes_of(answer):
    return [fault["code"] for fault in error_of(answer)["details"]["errors"]]


async def nothing_happened(onboarding: Harness) -> bool:
    return set((await written(onboarding)).values()) == {0} and onboarding.bus.published == []


async def test_an_import_answers_with_the_portfolio_its_run_and_where_to_go_on(onboarding):
    answer = await upload(onboarding, USER)

    assert answer.status_code == 201, answer.text
    body = answer.json()
    portfolio_id = str(uuid5(NAMESPACE_DNS, f"{USER}:Main"))
    assert body["portfolio_id"] == portfolio_id
    assert body["portfolio_name"] == "Main"
    assert body["equity_balance"] == 485000
    assert (body["positions_imported"], body["positions_failed"], body["total_positions"]) == (
        3,
        0,
        3,
    )
    assert body["next_step"]["action"] == "calculate"
    assert body["next_step"]["endpoint"] == f"/api/v1/portfolio/{portfolio_id}/calculate"
    assert body["events"] == f"/api/v1/portfolio/{portfolio_id}/events"
    assert body["ignored_columns"] == []
    assert await written(onboarding) == {
        "portfolios": 1,
        "revisions": 1,
        "positions": 3,
        "imports": 1,
    }


async def test_the_event_names_run_and_owner_and_holds_the_book_as_it_is_stored(onboarding):
    body = (await upload(onboarding, USER, equity_balance="4.85e5")).json()

    book = await announced(onboarding)
    (envelope,) = onboarding.bus.published
    assert (str(envelope.run_id), envelope.user_id) == (body["run_id"], USER)
    assert (book.user_id, book.revision, book.name) == (USER, 1, "Main")
    assert book.opening_session == last_closed_session(datetime.now(UTC))
    assert [position.symbol for position in lots(book)] == ["AAPL", "SHOP", "CASH_USD"]
    assert lots(book)[1].quantity == Decimal(-25)
    assert str(lots(book)[0].position_id) == str(
        uuid5(NAMESPACE_DNS, f"{book.portfolio_id}:AAPL:2024-01-15")
    )
    stored = await book_at(onboarding, book.portfolio_id)
    assert stored.model_dump_json() == book.model_dump_json()


async def test_the_event_says_what_a_position_is_in_and_so_does_the_stored_book(onboarding):
    rows = (line("AAPL"), line("SAP", currency="eur"), line("CASH_CHF", "1", "5000"))
    assert (await upload(onboarding, USER, csv_bytes(*rows))).status_code == 201

    book = await announced(onboarding)
    assert [one.currency for one in lots(book)] == ["USD", "EUR", "CHF"]
    assert book.currency == "USD"
    stored = await book_at(onboarding, book.portfolio_id)
    assert stored.model_dump_json() == book.model_dump_json()


async def test_a_lot_that_the_release_before_writes_is_in_dollars(onboarding):
    body = (await upload(onboarding, USER)).json()
    async with onboarding.service.database.engine.begin() as connection:
        columns = (
            "portfolio_id, since_revision, place, symbol, position_type, investment_class, "
            "quantity, multiplier, entry_price, entry_date"
        )
        await connection.execute(
            text(
                f"INSERT INTO onboarding.positions (position_id, {columns}) "
                f"SELECT gen_random_uuid(), {columns} FROM onboarding.positions "
                "WHERE symbol = 'AAPL'"
            )
        )
    book = await book_at(onboarding, body["portfolio_id"])
    assert [one.currency for one in lots(book)] == ["USD"] * 4


async def test_every_kind_of_lot_comes_back_exactly_as_it_was_written(onboarding):
    rows = (
        line("BRK-B", "0.000001", "99999999999999.99"),
        line("VTI", "99999999999999.999999", "0.01", exit_date="2024-02-01", exit_price="0.01"),
        call("SPY291221C00450500", strike_price="450.5", quantity="-3"),
        call(
            "XYZ_PUT",
            underlying_symbol="XYZ",
            option_type="PUT",
            expiration_date="2024-06-21",
            exit_date="2024-06-21",
            exit_price="0",
        ),
        line("ART_1", "1", "250000", investment_class="PRIVATE", investment_subtype="ART"),
    )

    answer = await upload(onboarding, USER, csv_bytes(*rows))

    assert answer.status_code == 201, answer.text
    book = await announced(onboarding)
    stored = await book_at(onboarding, book.portfolio_id)
    assert stored.model_dump_json() == book.model_dump_json()
    assert lots(stored)[2].multiplier == 100
    assert lots(stored)[3].exit_price == 0


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(TEMPLATE.encode(), id="template untouched"),
        pytest.param(b"\xef\xbb\xbf" + BOOK, id="byte order mark"),
        pytest.param(BOOK.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(csv_bytes(line("NOSUCHSYM")), id="a symbol nobody knows"),
        pytest.param(csv_bytes(line("tsla", "1e3", "1.100", "2024-1-5")), id="odd spelling"),
    ],
)
async def test_a_file_that_says_what_it_means_is_imported(onboarding, content):
    answer = await upload(onboarding, USER, content)

    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("content", "filename", "codes"),
    [
        pytest.param(b"", "book.csv", ["ERR_CSV_005"], id="empty"),
        pytest.param(b"# only\n# comments\n", "book.csv", ["ERR_CSV_003"], id="comments"),
        pytest.param(csv_bytes(), "book.csv", ["ERR_CSV_003"], id="no rows"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00", "book.csv", ["ERR_CSV_006"], id="an image"),
        pytest.param(BOOK, "book.xlsx", ["ERR_CSV_002"], id="not .csv"),
        pytest.param(
            BOOK + b"#" * (MAX_FILE_BYTES - len(BOOK) + 1),
            "book.csv",
            ["ERR_CSV_001"],
            id="a byte over 10 MiB",
        ),
    ],
)
async def test_a_file_that_is_no_book_is_refused_with_its_code(
    onboarding, content, filename, codes
):
    answer = await upload(onboarding, USER, content, filename)

    assert answer.status_code == 400
    assert error_of(answer)["code"] == "ERR_PORT_008"
    assert codes_of(answer) == codes
    assert await nothing_happened(onboarding)


async def test_one_bad_row_among_good_ones_and_nothing_is_written(onboarding):
    answer = await upload(onboarding, USER, csv_bytes(GOOD, line("AAPL", "ten"), line("TSLA")))

    error = error_of(answer)
    assert (answer.status_code, error["code"]) == (400, "ERR_PORT_008")
    assert error["message"].startswith("Nothing was imported: the CSV file has a fault: row 3: ")
    assert error["details"]["total_errors"] == 1
    (fault,) = error["details"]["errors"]
    assert fault["hint"]
    assert {name: fault[name] for name in ("code", "row", "field", "value")} == {
        "code": "ERR_POS_005",
        "row": 3,
        "field": "Quantity",
        "value": "ten",
    }
    assert await nothing_happened(onboarding)


async def test_every_fault_of_a_file_is_listed_and_a_mended_file_goes_in(onboarding):
    bad = csv_bytes(line("", "0"), GOOD, line("X", price="-1", entered="soon"))

    answer = await upload(onboarding, USER, bad)

    assert codes_of(answer) == ["ERR_POS_001", "ERR_POS_006", "ERR_POS_010", "ERR_POS_013"]
    assert (await upload(onboarding, USER, csv_bytes(GOOD))).status_code == 201


async def test_above_a_thousand_faults_the_rest_is_counted(onboarding):
    rows = [line(f"S{number}", "ten") for number in range(1500)]

    answer = await upload(onboarding, USER, csv_bytes(*rows))

    assert len(codes_of(answer)) == 1000
    assert error_of(answer)["details"]["total_errors"] == 1500


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"portfolio_name": "  "}, 400, "ERR_PORT_002"),
        ({"portfolio_name": "n" * 256}, 400, "ERR_PORT_003"),
        ({"equity_balance": "0"}, 400, "ERR_PORT_004"),
        ({"equity_balance": "-1"}, 400, "ERR_PORT_005"),
        ({"equity_balance": "1000000000000.01"}, 400, "ERR_PORT_006"),
        ({"equity_balance": "1e999"}, 400, "ERR_PORT_006"),
        ({"description": "d" * 1001}, 400, "ERR_PORT_009"),
        ({"equity_balance": "1.001"}, 400, "ERR_PORT_010"),
        ({"equity_balance": "NaN"}, 400, "ERR_PORT_011"),
        ({"portfolio_name": "a\x00b"}, 400, "ERR_PORT_012"),
        ({"equity_balance": "1,000"}, 422, "ERR_VALIDATION"),
        ({"equity_balance": ""}, 422, "ERR_VALIDATION"),
        ({"portfolio_name": ""}, 422, "ERR_VALIDATION"),
    ],
)
async def test_a_faulty_form_is_refused_before_its_file_is_read(onboarding, form, status, code):
    answer = await upload(onboarding, USER, b"no book", **form)

    assert (answer.status_code, error_of(answer)["code"]) == (status, code)
    assert error_of(answer)["details"]["errors"]
    assert await nothing_happened(onboarding)


async def test_all_faults_of_the_form_are_listed(onboarding):
    answer = await upload(onboarding, USER, portfolio_name=" ", equity_balance="-0.001")

    assert codes_of(answer) == ["ERR_PORT_002", "ERR_PORT_005", "ERR_PORT_010"]


@pytest.mark.parametrize("files", [None, {"csv_file": ("", b"", "text/csv")}])
async def test_a_form_without_a_file_is_refused(onboarding, files):
    answer = await onboarding.http.post(
        "/api/v1/onboarding/create-portfolio",
        headers=onboarding.neighbours.bearer(USER),
        data=FORM,
        files=files,
    )

    assert (answer.status_code, error_of(answer)["code"]) == (400, "ERR_PORT_007")


async def test_without_a_token_nothing_else_is_looked_at(onboarding):
    answer = await onboarding.http.post("/api/v1/onboarding/create-portfolio", data={})

    assert (answer.status_code, error_of(answer)["code"]) == (401, "ERR_AUTH_001")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_second_portfolio_is_refused_whatever_comes_with_it(onboarding):
    await upload(onboarding, USER)

    answer = await upload(onboarding, USER, b"no book", portfolio_name=" ")

    assert (answer.status_code, error_of(answer)["code"]) == (409, "ERR_PORT_001")
    assert error_of(answer)["details"] == {"user_id": str(USER)}
    assert (await upload(onboarding, uuid4())).status_code == 201


@pytest.mark.parametrize("names", [("One", "One"), ("One", "Two")])
async def test_of_uploads_at_once_exactly_one_wins(onboarding, names):
    rows = [line(f"S{number}") for number in range(300)]
    answers = await asyncio.gather(
        *(
            upload(onboarding, USER, csv_bytes(*rows), portfolio_name=name)
            for name in names
            for _ in range(2)
        )
    )

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert {error_of(answer)["code"] for answer in refused} == {"ERR_PORT_001"}
    await announced(onboarding)
    assert (await written(onboarding))["positions"] == 300


async def test_a_commit_that_fails_answers_5xx_and_nothing_is_published(onboarding):
    async with onboarding.platform.database("onboarding").engine.begin() as connection:
        await connection.execute(
            text(
                "CREATE FUNCTION onboarding.refuse() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'no commit today'; END $$"
            )
        )
        await connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON onboarding.portfolios "
                "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION onboarding.refuse()"
            )
        )

    answer = await upload(onboarding, USER)

    assert (answer.status_code, error_of(answer)["code"]) == (500, "ERR_INTERNAL")
    assert await nothing_happened(onboarding)


async def test_while_the_bus_is_down_imports_succeed_and_are_announced_later(onboarding):
    onboarding.bus.down = True

    assert (await upload(onboarding, USER)).status_code == 201
    assert onboarding.bus.published == []

    onboarding.bus.down = False
    await announced(onboarding)


async def test_the_id_of_a_deleted_portfolio_is_not_used_again(onboarding):
    first = (await upload(onboarding, USER)).json()["portfolio_id"]
    async with onboarding.service.database.engine.begin() as connection:
        await connection.execute(text("UPDATE onboarding.portfolios SET deleted_at = now()"))

    second = await upload(onboarding, USER)

    assert second.status_code == 201
    assert second.json()["portfolio_id"] != first
    assert (await get(onboarding, f"/api/v1/data/portfolios/{first}", USER)).status_code == 404


async def test_without_deterministic_ids_two_installations_differ(database, tmp_path):
    def random(platform):
        return build(Settings(deterministic_uuids=False), platform)

    async with running("onboarding", random, database, tmp_path) as onboarding:
        body = (await upload(onboarding, USER)).json()

    assert body["portfolio_id"] != str(uuid5(NAMESPACE_DNS, f"{USER}:Main"))


@pytest.mark.parametrize(("count", "carried"), [(2_000, True), (2_001, False)])
async def test_above_2000_positions_the_event_leaves_them_to_be_fetched(onboarding, count, carried):
    rows = (line(f"S{number}") for number in range(count))

    assert (await upload(onboarding, USER, csv_bytes(*rows))).status_code == 201

    book = await announced(onboarding)
    assert (book.positions is not None) is carried
    stored = await book_at(onboarding, book.portfolio_id)
    assert len(lots(stored)) == count
    assert [one.symbol for one in lots(stored)[:2]] == ["S0", "S1"]


async def test_10_000_positions_are_imported_in_seconds_by_a_handful_of_statements(onboarding):
    content = csv_bytes(
        *(line(f"S{number}", "12.5", "101.25", "2024-03-01") for number in range(10_000))
    )
    started = time.perf_counter()
    with statements(onboarding) as seen:
        answer = await upload(onboarding, USER, content)
    seconds = time.perf_counter() - started

    assert answer.status_code == 201
    assert (await written(onboarding))["positions"] == 10_000
    # The pre-check, portfolio, revision, import.
    assert len(seen) == 4, seen
    assert seconds < 10, f"{seconds:.2f} s"


async def test_the_template_is_public_and_may_be_kept_for_an_hour(onboarding):
    answer = await onboarding.http.get("/api/v1/onboarding/csv-template")

    assert answer.text == TEMPLATE
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=sigmasight_portfolio_template.csv"
    )


async def test_the_migrated_schema_is_the_one_the_code_describes(onboarding):
    await assert_migrated(onboarding.service.database, METADATA)
