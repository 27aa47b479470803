"""The page of the gateway's route table."""

from gateway.domain.routes import MIB, ROUTES


def routes_page() -> str:
    """Return the gateway's table: who owns which address, who may pass, how much and how long."""
    lines = [
        "# Routes",
        "",
        "Generated from the gateway's route table by `make documents WRITE=1`; do not edit.",
        "",
        "The longest matching prefix wins; what no prefix covers answers 404, and nothing covers",
        "`/internal`. The gateway serves `/`, `/docs`, `/openapi.json`, `/errors`, `/health*`,",
        "`/metrics`, `/api/v1/events` and `/api/v1/portfolio/{}/events`. `/api/v1/data/portfolios`",
        "and `/api/v1/data/positions` mix owners: onboarding answers, and asks risk-engine's",
        "`/internal/valuations` once for the numbers.",
        "",
        "| prefix | owner | access | body | silent for at most |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{route.path}` | {route.service} | {route.access.value} "
        f"| {route.body_limit // MIB} MiB | {route.timeout:.0f} s |"
        for route in sorted(ROUTES, key=lambda route: route.path)
    ]
    return "\n".join(lines) + "\n"
