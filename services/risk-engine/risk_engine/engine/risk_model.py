"""What is known of a chunk's factor model, as portfolios' risk is made of it."""

import numpy as np

from risk_engine.engine.factor_model import FactorModel
from risk_engine.quant.factor_risk import RiskModel
from risk_engine.quant.factors import FACTORS


def risk_model(model: FactorModel) -> RiskModel:
    """Return the model of its available factors, in their order: one that is not known is left out.

    What it did is then in the specific variances. Without the market the other factors are nothing
    by themselves, and no underlying is known.
    """
    use = model.available
    specific = model.specific_variance
    if not use[FACTORS.index("MKT")]:
        specific = np.full_like(specific, np.nan)
    return RiskModel(model.loadings[:, use], model.covariance[np.ix_(use, use)], specific)
