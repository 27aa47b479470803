"""The three numbers that existing clients know, of an account's daily returns."""

from datetime import date, timedelta
from uuid import UUID

import empyrical
import numpy as np
import pytest

from risk_engine.repository import Snapshot
from risk_engine.schemas.market_risk_reads import market_risk, risk_metrics

PORTFOLIO = UUID(int=1)


def sessions(returns):
    """Return a snapshot for each return; NaN is not known."""
    return [
        Snapshot(
            session=date(2026, 1, 1) + timedelta(days=place),
            revision=1,
            panel_version=1,
            status="ok",
            net_asset_value=100.0,
            cash=0.0,
            long_market_value=None,
            short_market_value=None,
            gross_market_value=None,
            net_market_value=None,
            carried_value=0.0,
            cost_basis=0.0,
            unrealized_pnl=None,
            realized_pnl=0.0,
            daily_pnl=None,
            daily_return=None if np.isnan(one) else float(one),
        )
        for place, one in enumerate(returns)
    ]


def test_volatility_and_drawdown_are_empyrical_s():
    returns = np.random.default_rng(1).normal(0.0, 0.01, 90)
    found = risk_metrics(PORTFOLIO, None, sessions([np.nan, *returns]), 90)
    assert found.available
    assert found.risk_metrics is not None
    assert found.risk_metrics.annualized_volatility == pytest.approx(
        empyrical.annual_volatility(returns), abs=1e-8
    )
    assert found.risk_metrics.max_drawdown == pytest.approx(
        empyrical.max_drawdown(returns), abs=1e-8
    )
    assert found.metadata.observations == 90
    assert found.metadata.warnings == ["beta_unavailable"]
    assert found.metadata.beta_source == "unavailable"


@pytest.mark.parametrize(
    ("returns", "warning"), [([np.nan], "no_returns"), ([np.nan, *[0.01] * 59], "few_snapshots")]
)
def test_too_few_returns_are_no_number(returns, warning):
    found = risk_metrics(PORTFOLIO, None, sessions(returns), 90)
    assert found.risk_metrics is not None
    assert found.risk_metrics.annualized_volatility is None
    assert found.risk_metrics.max_drawdown is None
    assert warning in found.metadata.warnings


def test_an_account_without_sessions_has_no_metrics():
    found = risk_metrics(PORTFOLIO, None, [], 90)
    assert not found.available
    assert found.risk_metrics is None
    assert found.metadata.reason == "no_snapshots"


def test_a_portfolio_not_heard_of_has_no_market_risk():
    found = market_risk(PORTFOLIO, None)
    assert (found.available, found.reason, found.data) == (False, "not_calculated_yet", None)
