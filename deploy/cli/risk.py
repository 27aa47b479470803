"""What the engines found about a portfolio's risk, as tables a person can read."""

from collections.abc import Iterator
from typing import Any

from rich.table import Table

from deploy.cli.cells import money, percent, table_of

WORST = 4
"""Scenarios shown: the ones that cost most."""


def risk_tables(engines: dict[str, Any]) -> Iterator[Table]:
    """Give a table of the account's risk, one of its options and one of what would hurt most."""
    yield _risk(engines)
    if (greeks := engines.get("greeks")) and greeks["coverage"]["option_positions"]:
        yield _greeks(greeks)
    if stress := engines.get("stress"):
        yield _stress(stress)


def _risk(engines: dict[str, Any]) -> Table:
    table = table_of("Risk", ("", "left"), ("", "right"), ("", "left"))
    table.show_header = False
    if exposure := engines.get("exposure"):
        leverage = exposure["leverage"]
        table.add_row(
            "Leverage", "-" if leverage is None else f"{leverage:.2f}", "delta-adjusted gross / NAV"
        )
    if factors := engines.get("factors"):
        beta = factors["market_beta"]
        known = beta["beta"] is not None and beta["standard_error"] is not None
        table.add_row(
            "Market beta",
            "-" if beta["beta"] is None else f"{beta['beta']:.2f}",
            f"standard error {beta['standard_error']:.2f}" if known else "",
        )
    if volatility := engines.get("volatility"):
        forecast = volatility["holdings"]["forecast"]
        table.add_row(
            "Volatility expected",
            percent(forecast["volatility"]),
            "a year, over the next 21 sessions",
        )
    if market_risk := engines.get("market_risk"):
        for confidence in (0.95, 0.99):
            measure = _measure(market_risk, confidence)
            table.add_row(
                f"VaR {confidence:.0%}, 1 day",
                money(measure.get("value_at_risk")),
                f"expected shortfall {money(measure.get('expected_shortfall'))}",
            )
    if correlation := engines.get("correlation"):
        ratio = (correlation.get("risk") or {}).get("diversification_ratio")
        if ratio is not None:
            table.add_row("Diversification ratio", f"{ratio:.2f}", "1 is none")
    return table


def _measure(market_risk: dict[str, Any], confidence: float) -> dict[str, Any]:
    wanted = ("all", "filtered_historical", confidence, 1)
    names = ("scope", "method", "confidence", "horizon_days")
    for measure in market_risk["measures"]:
        if tuple(measure[name] for name in names) == wanted:
            found: dict[str, Any] = measure
            return found
    return {}


def _greeks(greeks: dict[str, Any]) -> Table:
    table = table_of("Greeks of the account", ("", "left"), ("", "right"), ("", "left"))
    table.show_header = False
    for label, key, unit in (
        ("Delta", "dollar_delta", "dollars of shares that move alike, private assets left out"),
        ("Gamma", "dollar_gamma", "change of delta for 1 %"),
        ("Vega", "vega", "for one volatility point"),
        ("Theta", "theta", "for a day that passes"),
        ("Rho", "rho", "for 100 basis points"),
    ):
        table.add_row(label, money(greeks["totals"][key]), unit)
    return table


def _stress(stress: dict[str, Any]) -> Table:
    table = table_of(
        "What would hurt most", ("Scenario", "left"), ("P&L", "right"), ("Of NAV", "right")
    )
    known = [one for one in stress["scenarios"] if one["correlated"] is not None]
    for one in sorted(known, key=lambda one: float(one["correlated"]))[:WORST]:
        share = one["correlated_percentage"]
        table.add_row(
            one["name"], money(one["correlated"]), percent(None if share is None else share / 100)
        )
    return table
