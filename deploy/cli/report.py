"""A report as tables a person can read."""

from collections import Counter
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.cli.cells import money, number, percent, show, table_of
from deploy.cli.risk import risk_tables


def print_report(report: dict[str, Any], console: Console) -> None:
    """Print what is known of a portfolio, and what is not and why."""
    if not report.get("available"):
        console.print(f"[yellow]No results yet:[/] {report.get('reason')}")
        return
    valuation = report["engines"].get("valuation")
    if valuation:
        show(_totals(report, valuation), console)
        for table in (
            *(_priced(valuation), _unpriced(valuation), _closed(valuation)),
            *risk_tables(report["engines"]),
        ):
            if table.row_count:
                show(table, console)
    for engine, failure in report.get("failed", {}).items():
        console.print(f"[red]{engine} failed:[/] {failure}")
    if report.get("not_built"):
        console.print(f"[dim]Not built yet: {', '.join(report['not_built'])}.[/]")


def _totals(report: dict[str, Any], valuation: dict[str, Any]) -> Table:
    table = table_of(
        f"{report.get('name')} in US dollars\nclose of {report.get('as_of')}, "
        f"status {report.get('status')}, prices {report.get('provider')}",
        ("", "left"),
        ("", "right"),
    )
    table.show_header = False
    for label, key in (
        ("Net asset value", "net_asset_value"),
        ("Cash", "cash"),
        ("Long market value", "long_market_value"),
        ("Short market value", "short_market_value"),
        ("Carried at stated price", "carried_value"),
        ("Cost basis", "cost_basis"),
        ("Unrealised P&L", "unrealized_pnl"),
        ("Realised P&L", "realized_pnl"),
    ):
        table.add_row(label, money(valuation["totals"].get(key)))
    daily = valuation.get("daily", {})
    if daily.get("pnl") is not None:
        table.add_row(f"P&L since {daily['previous_session']}", money(daily["pnl"]))
    sources = Counter(one.get("price_source") for one in valuation["positions"])
    if sources["quote"] or sources["model"]:
        table.add_row("Options at a quote, by model", f"{sources['quote']}, {sources['model']}")
    return table


def _priced(valuation: dict[str, Any]) -> Table:
    table = table_of(
        "Positions",
        ("Symbol", "left"),
        ("Quantity", "right"),
        ("Entry", "right"),
        ("Price", "right"),
        ("Market value", "right"),
        ("Unrealised", "right"),
        ("Weight", "right"),
    )
    for position in valuation["positions"]:
        if position.get("market_value") is not None:
            table.add_row(
                position["symbol"],
                number(position["quantity"]),
                money(position["entry_price"]),
                money(position["market_price"]),
                money(position["market_value"]),
                money(position["unrealized_pnl"]),
                percent(position["weight"]),
            )
    return table


def _unpriced(valuation: dict[str, Any]) -> Table:
    table = table_of(
        "Without a market price, carried at the last or the stated one",
        ("Symbol", "left"),
        ("Why", "left"),
        ("Carried at", "right"),
    )
    for position in valuation["unpriced"]:
        table.add_row(position["symbol"], position["reason"], money(position["carried_value"]))
    return table


def _closed(valuation: dict[str, Any]) -> Table:
    table = table_of(
        "Closed",
        ("Symbol", "left"),
        ("Quantity", "right"),
        ("Entry", "right"),
        ("Realised", "right"),
    )
    for position in valuation["positions"]:
        if position.get("realized_pnl") is not None:
            table.add_row(
                position["symbol"],
                number(position["quantity"]),
                money(position["entry_price"]),
                money(position["realized_pnl"]),
            )
    return table
