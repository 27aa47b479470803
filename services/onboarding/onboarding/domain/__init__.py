"""The rules of onboarding: what a file, a position and a portfolio must be. No I/O, no clock.

`imports.read_positions` is the way in for a file, `portfolio.check_portfolio` for the form.
"""

from onboarding.domain.codes import Code

__all__ = ["Code"]
