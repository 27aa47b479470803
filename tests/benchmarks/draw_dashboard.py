"""Draw a dashboard as one picture, from a Prometheus that has scraped a real system.

`python -m tests.benchmarks.draw_dashboard --prometheus http://127.0.0.1:9090 --minutes 15` asks
what Grafana would ask, panel by panel, and writes `docs/images/dashboard.png`.
`make bench ARGS="-k dashboard"` runs a system under load and draws it.
"""

import argparse
import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from common.settings import SERVICES

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "deploy/grafana/dashboards/overview.json"
PICTURE = ROOT / "docs/images/dashboard.png"

POINTS = 180
"""Of each line."""
INCHES_PER_COLUMN, INCHES_PER_LINE = 0.255, 0.245
DOTS_PER_INCH = 96
COLOURS = 96
"""Of the picture's palette: lines and letters need no more, and the file is a third as large."""


@dataclass(frozen=True)
class Window:
    """What is drawn, in seconds since the epoch."""

    start: float
    end: float
    rate_interval: str

    @property
    def step(self) -> float:
        """Return the seconds between two points."""
        return max((self.end - self.start) / POINTS, 1.0)


def draw(prometheus: str, window: Window, picture: Path, dashboard: Path = DASHBOARD) -> list[str]:
    """Write the picture; return the titles of the panels that had nothing to show."""
    document = json.loads(dashboard.read_text())
    panels = document["panels"]
    lines = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    mpl.rcParams.update({"font.size": 7.5, "axes.titlesize": 8.5, "font.family": "DejaVu Sans"})
    figure = Figure(
        figsize=(24 * INCHES_PER_COLUMN * 3, lines * INCHES_PER_LINE), facecolor="white"
    )
    ended = datetime.fromtimestamp(window.end, UTC)
    minutes = (window.end - window.start) / 60
    figure.suptitle(
        f"{document['title']} · {minutes:.0f} minutes to {ended:%Y-%m-%d %H:%M} UTC",
        x=0.01,
        y=1 - 0.2 / lines,
        ha="left",
        fontsize=12,
        fontweight="bold",
    )
    empty = []
    with httpx.Client(base_url=prometheus, trust_env=False, timeout=30) as http:
        for panel in panels:
            place = _place(panel["gridPos"], lines)
            if panel["type"] == "row":
                figure.text(0.01, place[1] + place[3] * 0.1, panel["title"], fontweight="bold")
                continue
            series = [
                found
                for target in panel["targets"]
                for found in _series(http, target["expr"], target["legendFormat"], window)
            ]
            if not _panel(figure.add_axes(place), panel, series, window):
                empty.append(panel["title"])
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=DOTS_PER_INCH)
    _shrink(picture)
    return empty


def _place(grid: Mapping[str, int], lines: int) -> tuple[float, float, float, float]:
    """Return left, bottom, width and height within the figure, with room for axes and title."""
    top = 1.6  # lines above the first panel, for the figure's title
    height = lines + top
    left, width = grid["x"] / 24 + 0.035, grid["w"] / 24 - 0.122  # the legend is at the right
    if grid["h"] == 1:
        return 0.01, 1 - (grid["y"] + 1 + top) / height, 0.98, 1 / height
    bottom = 1 - (grid["y"] + grid["h"] + top - 0.9) / height
    return left, bottom, width, (grid["h"] - 2.6) / height


Series = tuple[str, Sequence[float], Sequence[float]]
"""Legend, times, values."""


def _series(http: httpx.Client, expression: str, legend: str, window: Window) -> list[Series]:
    query = expression.replace("$__rate_interval", window.rate_interval).replace("$service", ".*")
    answer = http.get(
        "/api/v1/query_range",
        params={"query": query, "start": window.start, "end": window.end, "step": window.step},
    )
    body: dict[str, Any] = answer.json()
    if body["status"] != "success":
        raise ValueError(f"Prometheus refuses {query}: {body['error']}")
    return [
        (
            _legend(legend, one["metric"]),
            [float(at) for at, _ in one["values"]],
            [float(value) for _, value in one["values"]],
        )
        for one in body["data"]["result"]
    ]


def _legend(pattern: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), pattern).strip()


def _panel(axes: Axes, panel: Mapping[str, Any], series: list[Series], window: Window) -> bool:
    axes.set_title(panel["title"], loc="left", pad=4)
    shown = sorted(one for one in series if any(math.isfinite(value) for value in one[2]))
    for place, (legend, times, values) in enumerate(shown):
        axes.plot(
            *_broken(times, values, 2 * window.step),
            linewidth=1.1,
            color=_colour(legend, place),
            linestyle="--" if legend.endswith(" work") else "-",
            label=legend,
        )
    axes.set_xlim(window.start, window.end)
    axes.set_ylim(bottom=0, top=None if _highest(shown) else 1)
    unit = panel["fieldConfig"]["defaults"]["unit"]
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _told(value, unit)))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=unit == "short"))
    tick = max(60, 60 * math.ceil((window.end - window.start) / 60 / 6))
    axes.xaxis.set_major_locator(MultipleLocator(tick))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{datetime.fromtimestamp(value, UTC):%H:%M}")
    )
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(length=2, colors="#444444")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if shown:
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(1.005, 1.06),
            fontsize=6.2,
            handlelength=1.1,
            borderpad=0,
            labelspacing=0.25,
            frameon=False,
        )
    else:
        axes.text(0.5, 0.5, "nothing to show", transform=axes.transAxes, ha="center", color="#888")
    return bool(shown)


def _colour(legend: str, place: int) -> str:
    """Return a service's own colour in every panel, or the next one."""
    service = legend.split(" ", maxsplit=1)[0]
    return f"C{SERVICES.index(service) if service in SERVICES else place % 10}"


def _broken(
    times: Sequence[float], values: Sequence[float], longest: float
) -> tuple[list[float], list[float]]:
    """Return a line that is interrupted where nothing was known for longer than that."""
    x, y = list(times[:1]), list(values[:1])
    for (before, after), value in zip(pairwise(times), values[1:], strict=True):
        if after - before > longest:
            x.append(before)
            y.append(math.nan)
        x.append(after)
        y.append(value)
    return x, y


def _highest(series: Sequence[Series]) -> float:
    return max((v for _, _, values in series for v in values if math.isfinite(v)), default=0.0)


def _told(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{100 * value:g} %"
    if unit != "s":
        return f"{value:g}"
    if value >= 120:
        return f"{value / 60:g} min"
    return f"{value:g} s" if value >= 1 or value == 0 else f"{1000 * value:g} ms"


def _shrink(picture: Path) -> None:
    from PIL import Image  # matplotlib's own dependency

    with Image.open(picture) as full:
        full.convert("RGB").quantize(COLOURS).save(picture, optimize=True)


def main() -> None:
    """Draw what the arguments ask for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.draw_dashboard", description=__doc__
    )
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", help="its address")
    parser.add_argument("--minutes", type=float, default=15, help="how far back")
    parser.add_argument("--rate-interval", default="30s", help="what rates are taken over")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="the file to write")
    given = parser.parse_args()
    now = time.time()
    window = Window(now - 60 * given.minutes, now, given.rate_interval)
    for title in draw(given.prometheus, window, given.picture):
        print(f"nothing to show: {title}")


if __name__ == "__main__":
    main()
