"""Scenario files: the shipped one is C10's table, a user's own is read or its faults are named."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arch.data import frenchdata, sp500

from risk_engine.engine.scenario_file import (
    InvalidScenarios,
    scenario_set,
    shipped_scenarios,
    with_own_scenarios,
)
from risk_engine.main import own_scenarios
from risk_engine.quant.stress import volatility_shock

# id: basis, f (MKT SIZE VALUE MOM QUAL LOWVOL), v where the table gives a number, dy, horizon
TABLE = {
    "market_up_5": ("total", {"MKT": 0.05}, -0.20, None, 21),
    "market_down_5": ("total", {"MKT": -0.05}, 0.20, None, 21),
    "rates_up_50bp": ("total", {}, None, 0.0050, 21),
    "rates_down_50bp": ("total", {}, None, -0.0050, 21),
    "market_up_10": ("total", {"MKT": 0.10}, -0.30, None, 21),
    "market_down_10": ("total", {"MKT": -0.10}, 0.40, None, 21),
    "market_crash_35": ("total", {"MKT": -0.35}, 1.40, None, 21),
    "market_rally_25": ("total", {"MKT": 0.25}, -0.30, None, 21),
    "rates_up_25bp": ("total", {}, None, 0.0025, 21),
    "rates_down_25bp": ("total", {}, None, -0.0025, 21),
    "rates_up_100bp": ("total", {}, None, 0.0100, 21),
    "rates_down_100bp": ("total", {}, None, -0.0100, 21),
    "rate_spike_300bp": ("total", {}, None, 0.0300, 21),
    "value_rotation_20": ("relative", {"VALUE": 0.30}, None, None, 21),
    "growth_rally_15": ("relative", {"VALUE": -0.15, "MOM": 0.10}, None, None, 21),
    "small_cap_outperformance_10": ("relative", {"SIZE": 0.10}, None, None, 21),
    "quality_flight_12": ("relative", {"MKT": -0.05, "QUAL": 0.12}, 0.20, None, 21),
    "vix_spike_150": ("relative", {"MKT": -0.15, "LOWVOL": 0}, 1.50, None, 21),
    "liquidity_crisis": (
        "relative",
        {"MKT": -0.20, "SIZE": -0.10, "QUAL": 0.15, "LOWVOL": 0},
        0.80,
        None,
        21,
    ),
    "financial_crisis_2008": (
        "relative",
        {"MKT": -0.45, "SIZE": -0.25, "VALUE": -0.30, "QUAL": 0.20, "LOWVOL": 0},
        1.80,
        None,
        121,
    ),
    "covid_crash_2020": (
        "relative",
        {"MKT": -0.35, "SIZE": -0.30, "VALUE": -0.55, "QUAL": 0.10},
        1.40,
        None,
        23,
    ),
    "dotcom_crash_2000": (
        "relative",
        {"MKT": -0.45, "VALUE": 0.80, "MOM": -0.50, "QUAL": 0.15},
        1.80,
        None,
        637,
    ),
}
OFF = {"financial_crisis_2008", "covid_crash_2020", "dotcom_crash_2000"}
CATEGORIES = {"market", "rates", "rotation", "volatility", "historical"}
SEVERITIES = {"base", "mild", "moderate", "severe", "extreme"}
WINDOWS = {
    (date(2000, 3, 24), date(2002, 10, 9)),
    (date(2008, 9, 12), date(2009, 3, 9)),
    (date(2011, 7, 22), date(2011, 8, 8)),
    (date(2020, 2, 19), date(2020, 3, 23)),
}

OWN = """
version = 1

[[scenario]]
id = "my_own"
name = "My own"
basis = "total"
horizon = 10
shocks = { MKT = -0.07, VTV = 0.01, VUG = -0.12, RATES = 0.004 }
"""


def own(text):
    """Return what is wrong with a file of one's own, as sentences."""
    with pytest.raises(InvalidScenarios) as caught:
        with_own_scenarios("mine.toml", text)
    return [str(fault) for fault in caught.value.faults]


def test_c10_the_shipped_scenarios_are_the_table():
    shipped = {one.id: one for one in shipped_scenarios().scenarios}
    assert list(shipped) == list(TABLE)
    assert len(shipped) == 22
    for name, (basis, factors, volatility, rates, horizon) in TABLE.items():
        one = shipped[name]
        assert (one.basis, one.horizon, one.active) == (basis, horizon, name not in OFF)
        moves = dict(one.shocks)
        assert moves.pop("RATES", None) == rates
        assert moves == factors
        if volatility is not None:
            # Stated for one alone; all others are what the rule makes of the market's move.
            stated = np.nan if one.volatility is None else one.volatility
            rule = volatility_shock(np.array([factors["MKT"]]), np.array([stated]))
            assert rule[0] == pytest.approx(volatility)
        assert (one.volatility is not None) == (name == "vix_spike_150")
        assert one.category in CATEGORIES
        assert one.severity in SEVERITIES
        assert one.description
        assert one.residual_multiple == 0


def test_nineteen_of_them_are_calculated():
    assert len(shipped_scenarios().active) == 19


def test_the_shipped_windows_are_those_of_c10():
    windows = shipped_scenarios().windows
    assert {(one.start, one.end) for one in windows} > WINDOWS
    assert len(windows) == 6
    for one in windows:
        assert one.source or not one.moves


ROOT = Path(__file__).resolve().parents[3]
MONTHS = {
    "dotcom_2000_2002": ("2000-04", "2002-09"),
    "financial_crisis_2008_2009": ("2008-10", "2009-02"),
}


@pytest.mark.parametrize(
    "window", [one for one in shipped_scenarios().windows if one.moves], ids=lambda one: one.id
)
def test_the_moves_of_old_windows_are_those_of_published_data(window):
    """S&P 500 closes and French's monthly factors, as the package arch carries them."""
    closes = sp500.load()["Close"]
    growth = closes[window.end.isoformat()] / closes[window.start.isoformat()] - 1
    assert window.moves["MKT"] == pytest.approx(growth, abs=5e-5)
    if window.id not in MONTHS:
        return
    monthly = frenchdata.load() / 100
    monthly.index = pd.period_range("1926-07", periods=len(monthly), freq="M")
    first, last = (pd.Period(month, "M") for month in MONTHS[window.id])
    before, during = monthly[: first - 1].tail(60), monthly[first:last]
    for factor, theirs in (("SIZE", "SMB"), ("VALUE", "HML")):
        slope = np.polyfit(before["Mkt-RF"], before[theirs], 1)[0]
        left = (during[theirs] - slope * during["Mkt-RF"]).sum()
        assert window.moves[factor] == pytest.approx(left, abs=5e-5)


@pytest.mark.parametrize(
    ("window", "volatility", "rates"),
    [
        ("dotcom_2000_2002", (23.31, 42.13), (6.20, 3.61)),
        ("financial_crisis_2008_2009", (25.66, 49.68), (3.74, 2.89)),
        ("us_downgrade_2011", (17.52, 48.00), (2.99, 2.40)),
    ],
)
def test_the_moves_of_old_windows_are_of_the_values_their_source_names(window, volatility, rates):
    found = next(one for one in shipped_scenarios().windows if one.id == window)
    assert found.volatility == pytest.approx(volatility[1] / volatility[0] - 1, abs=5e-5)
    assert found.moves["RATES"] == pytest.approx((rates[1] - rates[0]) / 100, abs=1e-9)
    for value in (*volatility, *rates):
        assert f"{value:.2f}" in (found.source or "")


def test_the_example_of_the_methodology_can_be_read():
    page = (ROOT / "docs/methodology/stress.md").read_text(encoding="utf-8")
    example = page.split("```toml")[1].split("```")[0]
    found = with_own_scenarios("example.toml", example)
    assert {"tech_selloff", "covid_crash_2020"} <= {one.id for one in found.active}
    assert found.windows[-1].id == "taper_2013"


def test_a_file_of_one_s_own_comes_after_the_shipped_one():
    found = with_own_scenarios("mine.toml", OWN)
    assert [one.id for one in found.scenarios] == [*TABLE, "my_own"]
    assert found.scenarios[-1].shocks["VUG"] == -0.12
    assert found.active[-1].id == "my_own"
    assert found.digest != shipped_scenarios().digest
    assert found.digest == with_own_scenarios("another name", OWN).digest


def test_shipped_scenarios_can_be_switched():
    text = 'version = 1\nenable = ["covid_crash_2020"]\ndisable = ["market_up_5"]\n'
    active = {one.id for one in with_own_scenarios("mine.toml", text).active}
    assert "covid_crash_2020" in active
    assert "market_up_5" not in active
    assert len(active) == 19


@pytest.mark.parametrize(
    ("field", "written", "fault"),
    [
        ("id", '"My own"', "id: it is 'My own'. Write at most 64 lower case letters"),
        ("id", '"market_up_5"', "id: it is taken. Choose another. Taken are: market_up_5, "),
        ("name", '""', "name: it is ''. Write a text of at most 100 characters."),
        ("basis", '"spread"', "basis: it is 'spread'. Write one of: total, relative."),
        ("horizon", "0", "horizon: it is 0. Write a whole number from 1 to 2600."),
        ("horizon", "21.0", "horizon: it is 21.0. Write a whole number"),
        ("shocks", "{ SPY = -0.1 }", "shocks.SPY: there is no such factor. Known are: MKT, RATES"),
        ("shocks", "{ MKT = -1.0 }", "shocks.MKT: it is -1.0. Write a number from -0.95 to 3"),
        ("shocks", "{ MKT = nan }", "shocks.MKT: it is nan. Write a number"),
        ("shocks", "{ MKT = true }", "shocks.MKT: it is True. Write a number"),
        ("shocks", "{ RATES = 0.5 }", "shocks.RATES: it is 0.5. Write a number from -0.1 to 0.1"),
        ("shocks", "{ VTV = 0.1, MKT = 0.0 }", "its funds move, but nothing is said of VUG. State"),
        ("shocks", "{ IWM = 0.1 }", "shocks.SIZE: its funds move, but nothing is said of MKT."),
        ("shocks", "{ }", "shocks: the scenario moves nothing. State a shock, or volatility."),
        ("shocks", "-0.1", "shocks: it is -0.1. Write a table, like { MKT = -0.10 }."),
        ("volatility", "2.5", "volatility: it is 2.5. Write a number from -0.3 to 2 "),
        ("severity", '"high"', "severity: it is 'high'. Write one of: base, mild, moderate"),
        ("active", '"yes"', "active: it is 'yes'. Write true or false."),
        ("residual_multiple", "-1", "residual_multiple: it is -1. Write a number from 0 to 10"),
        ("shock", "{ MKT = 0.1 }", "shock: there is no such field. Known are: id, name, basis"),
    ],
)
def test_a_fault_names_file_scenario_field_and_remedy(field, written, fault):
    lines = [line for line in OWN.splitlines() if not line.startswith(f"{field} =")]
    (found,) = own("\n".join([*lines, f"{field} = {written}"]))
    called = written.strip('"') if field == "id" else "my_own"
    assert found.startswith(f"mine.toml: {called}: ")
    assert fault in found


def test_all_faults_are_named_at_once():
    text = OWN.replace("horizon = 10\n", "").replace('"total"', '"totall"') + 'extra = "1"\n'
    text += '[[window]]\nid = "w"\n'
    found = own(text)
    assert len(found) == 6
    assert "mine.toml: my_own: horizon: it is missing. Write a whole number from 1 to" in found[2]
    assert found[3] == "mine.toml: w: name: it is missing. Write a text of at most 100 characters."


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("start = 2020-03-23", "end: it is not after the start."),
        ('start = "2020-02-19"', "start: it is '2020-02-19'. Write a date, like 2020-02-19."),
        ("start = 2020-02-19\nmoves = { MKT = -0.3 }", "source: nothing says where the moves are"),
        ("start = 2020-02-19\nmoves = { SPY = -0.3 }", "moves.SPY: there is no such factor."),
    ],
)
def test_a_window_s_faults_are_named_too(written, fault):
    window = f'version = 1\n[[window]]\nid = "w"\nname = "W"\nend = 2020-03-23\n{written}\n'
    assert any(one.startswith(f"mine.toml: w: {fault}") for one in own(window))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("version = ", "(syntax): it is not TOML: "),
        ("", "version: the form is not known. Write: version = 1"),
        ("version = 2", "version: the form is not known. Write: version = 1"),
        ("version = 1\nscenarios = 1", "scenarios: there is no such field. Known are: version"),
        ("version = 1\n[scenario]\nid = 1", "scenario: it is no list of tables. Begin each one"),
        ('version = 1\nenable = "x"', "enable: it is no list. Write ids in brackets."),
        ('version = 1\nenable = ["x"]', "enable: 'x' is no scenario. Known are: market_up_5"),
    ],
)
def test_a_file_s_own_faults_are_named(text, fault):
    (found,) = own(text)
    assert found.startswith(f"mine.toml: (file): {fault}")


def test_scenarios_without_an_id_are_called_by_their_place():
    (found,) = own(OWN.replace('id = "my_own"\n', ""))
    assert found.startswith("mine.toml: number 1: id: it is missing. Write at most 64 lower case")


def test_two_of_one_file_cannot_have_one_id():
    with pytest.raises(InvalidScenarios, match="it is taken"):
        scenario_set([("one.toml", OWN + OWN.replace("version = 1", ""))])


def test_the_service_reads_the_file_it_is_told_of(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(OWN)
    assert own_scenarios(None) is None
    read = own_scenarios(file)
    assert read is not None
    assert read.scenarios[-1].id == "my_own"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_a_fault_like_another(tmp_path, content):
    file = tmp_path / "mine.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidScenarios, match="RISK_ENGINE_SCENARIOS_FILE") as caught:
        own_scenarios(file)
    assert caught.value.faults[0].file == str(file)
