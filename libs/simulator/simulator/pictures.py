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
_CLOSE_UP, _CLOSE = "NVDA", 120
"""Whose daily bars, and how many of them."""
_TAILS_EVERY = 14
_PER_SECTOR = 4
_FACTORS = ("market", "size", "value", "momentum", "quality", "low_volatility", "credit")
_RGB = ("#1f4e79", "#c55a11", "#548235", "#7f6000", "#7030a0", "#404040", "#c00000")

mpl.use("Agg")


def draw(market: Market, as_of: date, directory: Path) -> tuple[Path, Path]:
    """Write `market.png` and `market.html` of a market up to a session, and return where."""
    picture, page = directory / "market.png", directory / "market.html"
    scene = market.scene(as_of)
    last = scene.place(as_of)
    figure = Figure(figsize=(15, 21), layout="constrained")
    axes = figure.subplots(5, 2)
    _prices(axes[0, 0], market.bars(_SHOWN, EPOCH, as_of))
    _factors(axes[0, 1], scene, as_of)
    _volatility(axes[1, 0], market.bars(["SPY", "VIX"], EPOCH, as_of))
    _curve(axes[1, 1], scene, as_of)
    _surface(axes[2, 0], Desk(market), as_of)
    _smiles(axes[2, 1], Desk(market), as_of)
    _correlations(axes[3, 0], market, as_of)
    facts = stylised_facts(market, as_of)
    _memory(axes[3, 1], facts.memory)
    _bars(axes[4, 0], market.bars([_CLOSE_UP], scene.sessions[max(last - _CLOSE, 0)], as_of))
    _tails(axes[4, 1], market, as_of)
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
    axes.legend(fontsize=8, loc="upper left", ncols=2)


def _factors(axes: Axes, scene: Backdrop, as_of: date) -> None:
    through = _through(scene.sessions, as_of)
    names = [factor.name for factor in load_universe().factors]
    for color, name in zip(_RGB, _FACTORS, strict=True):
        path = np.cumsum(scene.returns[names.index(name), through])
        axes.plot(_days(scene.sessions[through]), path, label=name, color=color, linewidth=1)
    axes.set_title("Factors, cumulative log returns")
    axes.legend(fontsize=8, loc="upper left")


def _volatility(axes: Axes, bars: Bars) -> None:
    returns = 100 * np.diff(np.log(bars.close[:, 0]))
    axes.vlines(_days(bars.sessions[1:]), 0, returns, color=_RGB[0], linewidth=0.6)
    axes.set_ylim(-12, 24)  # below the index, which has the upper half to itself
    axes.set_ylabel("SPY, % a day")
    index = axes.twinx()
    index.plot(_days(bars.sessions), bars.close[:, 1], color=_RGB[6], linewidth=0.8)
    index.set_ylim(-70, 90)
    index.set_yticks(range(0, 91, 15))
    index.set_ylabel("VIX", color=_RGB[6])
    axes.set_title("Daily returns and the volatility index")


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
    axes.legend(fontsize=8, loc="upper right")


def _correlations(axes: Axes, market: Market, as_of: date) -> None:
    stocks: dict[str, list[str]] = {}
    for symbol, security in load_universe().securities.items():
        sector, kind = security.profile.sector, security.profile.kind
        always = security.listed_from == 0 and security.listed_through is None
        if kind == "stock" and always and len(stocks.get(sector, [])) < _PER_SECTOR:
            stocks.setdefault(sector, []).append(symbol)
    symbols = [symbol for sector in sorted(stocks) for symbol in stocks[sector]]
    scene = market.scene(as_of)
    bars = market.bars(symbols, scene.sessions[max(scene.place(as_of) - 756, 0)], as_of)
    correlation = np.corrcoef(np.nan_to_num(total_returns(bars)), rowvar=False)
    image = axes.imshow(correlation, vmin=-1, vmax=1, cmap="RdBu_r")
    axes.figure.colorbar(image, ax=axes)
    places = np.cumsum([0] + [len(stocks[sector]) for sector in sorted(stocks)])
    axes.set_yticks((places[:-1] + places[1:] - 1) / 2, sorted(stocks), fontsize=8)
    axes.set_xticks([])
    for place in places[1:-1] - 0.5:
        axes.axhline(place, color="white", linewidth=1)
        axes.axvline(place, color="white", linewidth=1)
    axes.set_title("Correlations of daily returns, by sector, three years")


def _memory(axes: Axes, memory: tuple[Floats, Floats]) -> None:
    returns, absolute = memory
    lags = np.arange(1, len(returns) + 1)
    axes.plot(lags, absolute, label="absolute returns", color=_RGB[1])
    axes.plot(lags, returns, label="returns", color=_RGB[0])
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_title("Autocorrelation by lag in sessions, mean of all stocks")
    axes.legend(fontsize=8, loc="upper right")


def _bars(axes: Axes, bars: Bars) -> None:
    place = np.arange(len(bars.sessions))
    opening, high, low, close = (
        getattr(bars, name)[:, 0] for name in ("open", "high", "low", "close")
    )
    rises = close >= opening
    colors = np.where(rises, _RGB[2], _RGB[6])
    axes.vlines(place, low, high, color=colors, linewidth=0.8)
    axes.vlines(place, opening, close, color=colors, linewidth=4)
    axes.set_ylim(np.nanmin(low) - 0.35 * (np.nanmax(high) - np.nanmin(low)), None)
    volume = axes.twinx()
    volume.bar(place, bars.volume[:, 0] / 1e6, color="#bfbfbf")
    volume.set_ylim(0, 5 * max(bars.volume.max() / 1e6, 1))
    volume.set_yticks([])
    axes.set_xticks(place[::20], [f"{day:%d %b %y}" for day in bars.sessions[::20]], fontsize=8)
    axes.set_title(f"Daily bars and volume: {bars.symbols[0]}")


def _tails(axes: Axes, market: Market, as_of: date) -> None:
    known = load_universe().securities
    stocks = [symbol for symbol in market.symbols() if known[symbol].profile.kind == "stock"]
    bars = market.bars(["SPX", *stocks[::_TAILS_EVERY]], EPOCH, as_of)
    returns = total_returns(bars)[:, bars.traded.mean(axis=0) > 0.5]
    scaled = (returns - np.nanmean(returns, axis=0)) / np.nanstd(returns, axis=0)
    edges = np.linspace(-10, 10, 81)
    middles = (edges[1:] + edges[:-1]) / 2
    for color, columns, label in (
        (_RGB[1], scaled[:, 1:], "stocks"),
        (_RGB[0], scaled[:, 0], "index"),
    ):
        density, _ = np.histogram(columns[np.isfinite(columns)], edges, density=True)
        axes.plot(middles, density, "o", markersize=3, label=label, color=color)
    normal = np.exp(-(middles**2) / 2) / np.sqrt(2 * np.pi)
    axes.plot(middles, normal, color="black", linewidth=0.8, label="normal")
    axes.set_yscale("log")
    axes.set_ylim(1e-6, 1)
    axes.set_title("Density of daily returns over their standard deviation")
    axes.legend(fontsize=8, loc="upper right")


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
<img src="{escape(picture)}" alt="Prices, volatility, rates, options, correlations, bars, tails">
<h2>Stylised facts, over all stocks</h2>
<table><tr><th>fact</th><th>usual</th><th>here</th></tr>
{rows}
</table>
</html>
"""
