"""Where an address leads."""

import pytest

from common.settings import SERVICES
from gateway.domain.routes import MIB, ROUTES, Access, find

ID = "5d1f6f0e-6a57-4b59-9d2a-0d7a4f1c2b3e"


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/.well-known/jwks.json", "auth"),
        ("/api/v1/auth/login", "auth"),
        ("/api/v1/auth/me", "auth"),
        ("/api/v1/onboarding/register", "auth"),
        ("/api/v1/onboarding/csv-template", "onboarding"),
        ("/api/v1/onboarding/create-portfolio", "onboarding"),
        ("/api/v1/data/portfolios", "onboarding"),
        (f"/api/v1/data/portfolio/{ID}/complete", "onboarding"),
        ("/api/v1/data/positions/details", "onboarding"),
        ("/api/v1/data/prices/quotes", "marketdata"),
        ("/api/v1/data/company-profiles", "marketdata"),
        ("/api/v1/data/factors/etf-prices", "marketdata"),
        (f"/api/v1/portfolio/{ID}/calculate", "scheduler"),
        (f"/api/v1/portfolio/{ID}/batch-status/{ID}", "scheduler"),
        (f"/api/v1/analytics/portfolio/{ID}/calculate", "scheduler"),
        (f"/api/v1/analytics/portfolio/{ID}/batch-status/{ID}", "scheduler"),
        (f"/api/v1/analytics/portfolio/{ID}/report", "risk-engine"),
        (f"/api/v1/analytics/portfolio/{ID}/equity", "onboarding"),
        ("/api/v1/admin/batch/run", "scheduler"),
        ("/api/v1/admin/dead-letters/redrive", "scheduler"),
        ("/api/v1/admin/dead-letters/queue:risk-engine:17", "scheduler"),
        ("/api/v1/chat/conversations", "chat"),
        (f"/api/v1/insights/portfolio/{ID}", "chat"),
        ("/api/v1/data/prices/quotes/", "marketdata"),
    ],
)
def test_an_address_leads_to_the_service_that_owns_it(path, service):
    route = find(path.encode())
    assert route is not None
    assert route.service == service


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/api/v1",
        "/api/v1/strategies",
        "/api/v1/databases",
        "/api/v1/authenticate",
        f"/api/v1/portfolio/{ID}",
        "/api/v1/portfolio/calculate",
        "/api/v1/admin",
        f"/internal/portfolios/{ID}",
        "/api/v1/internal",
        "http://elsewhere/api/v1/data",
    ],
)
def test_an_address_no_prefix_covers_leads_nowhere(path):
    assert find(path.encode()) is None


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/data/../../../internal/portfolios",
        "/api/v1/data/%2e%2e/%2E%2E/%2e%2e/internal",
        "/api/v1/data/.%2e/internal",
        "/api/v1/data/..%2finternal",
        "/api/v1/data/..%5cinternal",
        "/api/v1/data/..\\internal",
        "/api/v1/data//internal",
        "//internal/portfolios",
        "/api/v1/data/./prices",
        "/api/v1/data/prices%00",
        "/api/v1/data/a%0d%0aHost:b",
        "/api/v1/data%2f..%2f..%2f..%2finternal",
    ],
)
def test_an_address_that_could_be_read_as_another_leads_nowhere(path):
    assert find(path.encode()) is None


def test_dots_within_a_segment_are_a_symbols_own():
    route = find(b"/api/v1/data/prices/historical/BRK.B")
    assert route is not None


def test_only_what_a_stranger_needs_is_public():
    public = {route.path for route in ROUTES if route.access is Access.PUBLIC}
    assert public == {
        "/.well-known/jwks.json",
        "/api/v1/auth/login",
        "/api/v1/onboarding/register",
        "/api/v1/onboarding/csv-template",
    }


def test_only_the_import_may_be_large():
    large = {route.path: route.body_limit for route in ROUTES if route.body_limit != MIB}
    assert large == {"/api/v1/onboarding/create-portfolio": 16 * MIB}


def test_every_route_leads_to_a_service_that_exists_and_never_to_an_internal_address():
    assert {route.service for route in ROUTES} == set(SERVICES) - {"gateway"}
    assert not [route.path for route in ROUTES if "internal" in route.path]
