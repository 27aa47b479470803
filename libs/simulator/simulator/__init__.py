"""The simulated market: prices whose true parameters are known."""
