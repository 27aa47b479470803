"""The pages for people who build on the system."""

import pytest

from gateway.tables import METADATA
from tests.integration.gateway_world import gateway, gateway_with
from tests.support.schemas import assert_migrated

__all__ = ["gateway"]

SERVICE = {
    "openapi": "3.1.0",
    "info": {"title": "neighbours", "version": "1"},
    "paths": {
        "/api/v1/auth/login": {"post": {"summary": "Log in"}},
        "/api/v1/data/prices/quotes": {"get": {"summary": "Quotes"}},
        "/internal/secret": {"get": {}},
    },
}


async def test_the_gateway_says_what_it_is(gateway):
    answer = await gateway.http.get("/")
    assert set(answer.json()) == {"message", "version"}


async def test_one_document_describes_the_routes_of_all_services(gateway):
    gateway.neighbours.answers["GET /openapi.json"] = SERVICE
    document = (await gateway.http.get("/openapi.json")).json()
    assert {
        "/api/v1/auth/login",
        "/api/v1/data/prices/quotes",
        "/api/v1/events",
        "/api/v1/portfolio/{portfolio_id}/events",
        "/health",
    } <= set(document["paths"])
    assert "/internal/secret" not in document["paths"]
    gateway.neighbours.answers.clear()
    again = (await gateway.http.get("/openapi.json")).json()
    assert again == document


async def test_a_service_that_does_not_answer_is_named_and_asked_again(database, tmp_path):
    async with gateway_with(database, tmp_path, chat="http://127.0.0.1:1") as gateway:
        gateway.neighbours.answers["GET /openapi.json"] = SERVICE
        document = (await gateway.http.get("/openapi.json")).json()
        assert (
            "Not answering right now, so not described here: chat."
            in (document["info"]["description"])
        )
        gateway.neighbours.answers["GET /openapi.json"] = {**SERVICE, "paths": {}}
        changed = (await gateway.http.get("/openapi.json")).json()
        assert "/api/v1/auth/login" not in changed["paths"]


async def test_the_documents_page_may_run_its_own_script_and_no_other(gateway):
    page = await gateway.http.get("/docs")
    assert "/openapi.json" in page.text
    policy = page.headers["content-security-policy"]
    assert "'sha256-" in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]


async def test_every_code_is_explained_at_its_anchor(gateway):
    page = (await gateway.http.get("/errors")).text
    assert '<tr id="ERR_TOO_LARGE">' in page
    assert '<tr id="ERR_RATE_LIMITED">' in page


async def test_a_build_without_the_list_of_codes_says_so(gateway, tmp_path):
    gateway.service.app.state.error_catalogue = tmp_path / "absent.json"
    answer = await gateway.http.get("/errors")
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "ERR_NO_CATALOGUE"


async def test_it_is_ready_while_it_hears_of_news_and_sessions(gateway):
    answer = await gateway.http.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["checks"]["signals"] == "ok"


async def test_a_method_the_page_does_not_know_is_refused(gateway):
    answer = await gateway.http.post("/docs")
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "ERR_METHOD"


@pytest.mark.parametrize("path", ["/redoc", "/nothing"])
async def test_what_is_not_there_is_not_found(gateway, path):
    assert (await gateway.http.get(path)).status_code == 404


async def test_the_migrations_make_the_schema_the_code_describes(gateway):
    await assert_migrated(gateway.service.database, METADATA)
