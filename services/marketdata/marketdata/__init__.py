"""Marketdata: the security master, raw prices, coverage and immutable panels."""
