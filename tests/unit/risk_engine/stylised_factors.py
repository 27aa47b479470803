"""The covariance C10's figures are made with: ETFs of one market, as betas and specific risk.

Annual figures: market volatility 17 %; VTV and VUG have specific returns correlated by -0.7.
"""

import numpy as np

SESSIONS = 252
ETFS = ("SPY", "VTV", "VUG", "MTUM", "QUAL", "IWM", "USMV")
BETAS = np.array([1.0, 0.80, 1.18, 1.05, 0.97, 1.15, 0.62])
SPECIFIC = np.array([0.0, 0.055, 0.06, 0.09, 0.035, 0.10, 0.06])
MARKET_VOLATILITY = 0.17

FACTORS = ("MKT", "RATES", "SIZE", "VALUE", "MOM", "QUAL", "LOWVOL")
MARKET, RATES = 0, 1
LONG_SHORT = {
    "MKT": ("SPY", None),
    "SIZE": ("IWM", "SPY"),
    "VALUE": ("VTV", "VUG"),
    "MOM": ("MTUM", "SPY"),
    "QUAL": ("QUAL", "SPY"),
    "LOWVOL": ("USMV", None),
}
RATES_VOLATILITY = 0.0095
"""Of the ten year yield, per year: daily variance 3.6e-7."""


def etf_covariance():
    """Return the daily covariance of the ETFs' returns."""
    specific = np.diag(SPECIFIC**2)
    vtv, vug = ETFS.index("VTV"), ETFS.index("VUG")
    specific[vtv, vug] = specific[vug, vtv] = -0.7 * SPECIFIC[vtv] * SPECIFIC[vug]
    return (np.outer(BETAS, BETAS) * MARKET_VOLATILITY**2 + specific) / SESSIONS


def legs():
    """Return what each factor holds, (factors, ETFs and the yield last)."""
    table = np.zeros((len(FACTORS), len(ETFS) + 1))
    for factor, (long, short) in LONG_SHORT.items():
        table[FACTORS.index(factor), ETFS.index(long)] = 1
        if short:
            table[FACTORS.index(factor), ETFS.index(short)] = -1
    table[RATES, -1] = 1
    return table


def raw_covariance():
    """Return the daily covariance of the factors before the market is taken out of the spreads."""
    whole = np.zeros((len(ETFS) + 1, len(ETFS) + 1))
    whole[:-1, :-1] = etf_covariance()
    whole[-1, -1] = RATES_VOLATILITY**2 / SESSIONS
    return legs() @ whole @ legs().T


def market_slopes():
    """Return how much of the market each raw spread holds, 0 for the market and the yield."""
    slopes = raw_covariance()[:, MARKET] / raw_covariance()[MARKET, MARKET]
    slopes[[MARKET, RATES]] = 0
    return slopes


def residual_covariance():
    """Return the daily covariance of the factors as the model defines them."""
    take_out = np.eye(len(FACTORS))
    take_out[:, MARKET] -= market_slopes()
    return take_out @ raw_covariance() @ take_out.T


def shocks(**stated):
    """Return one scenario's shocks, NaN where nothing is stated."""
    return np.array([[stated.get(factor, np.nan) for factor in FACTORS]])
