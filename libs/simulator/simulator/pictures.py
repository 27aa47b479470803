"""Pictures of a market: does it look like one? Needs matplotlib, which only developers have."""

from collections.abc import Sequence
from datetime import date
from html import escape
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from simulator.desk import Desk
from simulator.draws import Floats
from simulator.factors import EPOCH, Backdrop
from simulator.facts import Fact, stylised_facts, total_returns
from simulator.market import Bars, Market
from simulator.universe import load_universe

_SHOWN = ("SPY", "AAPL", "JPM", "XLE", "TLT", "GLD", "TSLA")
_PER_SECTOR = 4
_FACTORS = ("market", "size", "value", "momentum", "quality", "low_volatility", "credit")
_RGB = ("#1f4e79", "#c55a11", "#548235", "#7f6000", "#7030a0", "#404040", "#c00000")

mpl.use("Agg")


def draw(market: Market, as_of: date, directory: Path) -> tuple[Path, Path]:
    """Write `market.png` and `market.html` of a market up to a session, and return where."""
    picture, page = directory / "market.png", directory / "market.html"
    scene = market.scene(as_of)
    figure = Figure(figsize=(15, 17), layout="constrained")
    axes = figure.subplots(4, 2)
    _prices(axes[0, 0], market.bars(_SHOWN, EPOCH, as_of))
    _factors(axes[0, 1], scene, as_of)
    _volatility(axes[1, 0], market.bars(["SPY", "VIX"], EPOCH, as_of))
    _curve(axes[1, 1], scene, as_of)
    _surface(axes[2, 0], Desk(market), as_of)
    _smiles(axes[2, 1], Desk(market), as_of)
    _correlations(axes[3, 0], market, as_of)
    facts = stylised_facts(market, as_of)
    _memory(axes[3, 1], facts.memory)
    figure.suptitle(f"The simulated market of seed {market.seed}, through {as_of}", fontsize=16)
    figure.savefig(picture, dpi=90)
    page.write_text(_page(market, as_of, picture.name, facts.table), "utf-8")
    return picture, page


def _prices(axes: Axes, bars: Bars) -> None:
    growth = np.cumprod(bars.split_ratio, axis=0) * bars.close
    for column, symbol in enumerate(bars.symbols):
        line = growth[:, column] / growth[0, column]
        axes.plot(_days(bars.sessions), line, label=symbol, color=_RGB[column], linewidth=1)
    axes.set_yscale("log")
    axes.set_title("Prices, first session = 1 (splits taken out, dividends not)")
    axes.legend(fontsize=8, loc="upper left")


def _factors(axes: Axes, scene: Backdrop, as_of: date) -> None:
    through = _through(scene.sessions, as_of)
    names = [factor.name for factor in load_universe().factors]
    for color, name in zip(_RGB, _FACTORS, strict=True):
        path = np.cumsum(scene.returns[names.index(name), through])
        axes.plot(_days(scene.sessions[through]), path, label=name, color=color, linewidth=1)
    axes.set_title("Factors, cumulative log returns")
    axes.legend(fontsize=8, loc="upper left")


def _volatility(axes: Axes, bars: Bars) -> None:
    returns = np.diff(np.log(bars.close[:, 0]))
    axes.bar(
        _days(bars.sessions[1:]), 100 * returns, width=2, color="#9dc3e6", label="SPY, % a day"
    )
    axes.plot(_days(bars.sessions), bars.close[:, 1], color="#c00000", linewidth=0.8, label="VIX")
    axes.set_title("Daily returns and the volatility index")
    axes.legend(fontsize=8, loc="upper left")


def _curve(axes: Axes, scene: Backdrop, as_of: date) -> None:
    through = _through(scene.sessions, as_of)
    maturities = np.array([0.25, 2.0, 10.0, 30.0])
    yields = 100 * scene.yields(maturities)[through]
    names = ("3 months", "2 years", "10 years", "30 years")
    for color, years, path in zip(_RGB, names, yields.T, strict=False):
        axes.plot(_days(scene.sessions[through]), path, label=years, color=color, linewidth=1)
    axes.set_title("Treasury yields, % a year")
    axes.legend(fontsize=8, loc="upper left")


def _surface(axes: Axes, desk: Desk, as_of: date) -> None:
    surface = desk.surface("SPX", as_of)
    if surface is None:
        return
    years, moneyness = np.linspace(0.04, 2, 60), np.linspace(0.7, 1.3, 60)
    grid_years, grid = np.meshgrid(years, moneyness)
    volatility = surface.implied_volatility(surface.forward(grid_years) * grid, grid_years)
    shades = axes.contourf(grid_years, grid, 100 * volatility, levels=20, cmap="viridis")
    axes.figure.colorbar(shades, ax=axes, label="% a year")
    axes.set_title("Implied volatility of index options")
    axes.set_xlabel("years to expiry")
    axes.set_ylabel("strike over forward")


def _smiles(axes: Axes, desk: Desk, as_of: date) -> None:
    for color, symbol in zip(_RGB, ("SPX", "SPY", "AAPL", "TSLA", "TLT"), strict=False):
        surface = desk.surface(symbol, as_of)
        if surface is None:
            continue
        moneyness = np.linspace(0.8, 1.2, 50)
        years = np.full(50, 1 / 12)
        smile = surface.implied_volatility(surface.forward(years) * moneyness, years)
        axes.plot(moneyness, 100 * smile, label=symbol, color=color)
    axes.set_title("Smiles, one month to expiry, % a year")
    axes.set_xlabel("strike over forward")
    axes.legend(fontsize=8, loc="upper left")


def _correlations(axes: Axes, market: Market, as_of: date) -> None:
    stocks: dict[str, list[str]] = {}
    for symbol, security in load_universe().securities.items():
        sector, kind = security.profile.sector, security.profile.kind
        always = security.listed_from == 0 and security.listed_through is None
        if kind == "stock" and always and len(stocks.get(sector, [])) < _PER_SECTOR:
            stocks.setdefault(sector, []).append(symbol)
    symbols = [symbol for sector in sorted(stocks) for symbol in stocks[sector]]
    sessions = market.scene(as_of).sessions
    bars = market.bars(symbols, sessions[sessions.index(as_of) - 756], as_of)
    correlation = np.corrcoef(np.nan_to_num(total_returns(bars)), rowvar=False)
    image = axes.imshow(correlation, vmin=-1, vmax=1, cmap="RdBu_r")
    axes.figure.colorbar(image, ax=axes)
    places = np.cumsum([0] + [len(stocks[sector]) for sector in sorted(stocks)])
    axes.set_yticks((places[:-1] + places[1:] - 1) / 2, sorted(stocks), fontsize=8)
    axes.set_xticks([])
    axes.set_title("Correlations of daily returns, by sector, three years")


def _memory(axes: Axes, memory: tuple[Floats, Floats]) -> None:
    returns, absolute = memory
    lags = np.arange(1, len(returns) + 1)
    axes.plot(lags, absolute, label="absolute returns", color=_RGB[1])
    axes.plot(lags, returns, label="returns", color=_RGB[0])
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_title("Autocorrelation by lag in sessions, mean of all stocks")
    axes.legend(fontsize=8, loc="upper left")


def _days(sessions: Sequence[date]) -> NDArray[np.datetime64]:
    return np.array(sessions, "datetime64[D]")


def _through(sessions: Sequence[date], as_of: date) -> slice:
    return slice(0, sessions.index(as_of) + 1)


def _page(market: Market, as_of: date, picture: str, facts: Sequence[Fact]) -> str:
    rows = "\n".join(
        f"<tr><td>{escape(fact.name)}</td><td>{fact.low:g} to {fact.high:g}</td>"
        f"<td class={'ok' if fact.usual else 'off'}>{fact.value:.3f}</td></tr>"
        for fact in facts
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The simulated market</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2rem auto; }}
img {{ width: 100%; }} td, th {{ padding: .2rem 1rem; text-align: left; }}
.ok {{ color: #2e7d32; }} .off {{ color: #c62828; }}
</style>
<h1>The simulated market of seed {market.seed}, through {as_of}</h1>
<p>{len(market.symbols()):,} symbols since {EPOCH}. Nothing here is a real price.</p>
<img src="{escape(picture)}" alt="Prices, factors, volatility, rates, smiles, correlations">
<h2>Stylised facts, over all stocks</h2>
<table><tr><th>fact</th><th>usual</th><th>here</th></tr>
{rows}
</table>
</html>
"""
