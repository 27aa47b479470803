"""Quotes and company profiles, by the field names that clients know.

What no provider says is null.
"""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel


class QuoteOut(BaseModel):
    """A security's newest bar. Prices in US dollars."""

    symbol: str
    last_price: float
    """The close of `as_of`."""
    bid: float | None = None
    ask: float | None = None
    bid_size: int | None = None
    ask_size: int | None = None
    volume: int
    day_change: float | None
    """Since the close before, in dollars; null when that is missing."""
    day_change_percent: float | None
    """Since the close before, in percent of it."""
    day_high: float
    day_low: float
    as_of: date
    """The NYSE session."""
    timestamp: datetime
    """When that session closed."""
    provider: str


class MissingQuote(BaseModel):
    """A symbol without a quote, and why."""

    symbol: str
    reason: str


class QuotesMetadata(BaseModel):
    """What was asked for, and how much of it there is."""

    requested_symbols: list[str]
    successful_quotes: int
    failed_quotes: int
    missing: list[MissingQuote]
    provider: str
    timestamp: datetime


class Quotes(BaseModel):
    """Quotes in the order of the request."""

    quotes: list[QuoteOut]
    metadata: QuotesMetadata


class CompanyProfile(BaseModel):
    """What is known of a security. Growth, margins and yields are fractions."""

    symbol: str
    company_name: str | None = None
    sector: str | None = None
    industry: str | None = None
    exchange: str | None = None
    country: str | None = None
    market_cap: float | None = None
    description: str | None = None
    is_etf: bool | None = None
    is_fund: bool | None = None
    ceo: str | None = None
    employees: int | None = None
    website: str | None = None
    pe_ratio: float | None = None
    forward_pe: float | None = None
    dividend_yield: float | None = None
    beta: float | None = None
    week_52_high: float | None = None
    week_52_low: float | None = None
    target_mean_price: float | None = None
    target_high_price: float | None = None
    target_low_price: float | None = None
    number_of_analyst_opinions: int | None = None
    recommendation_mean: float | None = None
    recommendation_key: str | None = None
    forward_eps: float | None = None
    earnings_growth: float | None = None
    revenue_growth: float | None = None
    earnings_quarterly_growth: float | None = None
    profit_margins: float | None = None
    operating_margins: float | None = None
    gross_margins: float | None = None
    return_on_assets: float | None = None
    return_on_equity: float | None = None
    total_revenue: float | None = None
    current_year_revenue_avg: float | None = None
    current_year_revenue_low: float | None = None
    current_year_revenue_high: float | None = None
    current_year_revenue_growth: float | None = None
    current_year_earnings_avg: float | None = None
    current_year_earnings_low: float | None = None
    current_year_earnings_high: float | None = None
    current_year_end_date: date | None = None
    next_year_revenue_avg: float | None = None
    next_year_revenue_low: float | None = None
    next_year_revenue_high: float | None = None
    next_year_revenue_growth: float | None = None
    next_year_earnings_avg: float | None = None
    next_year_earnings_low: float | None = None
    next_year_earnings_high: float | None = None
    next_year_end_date: date | None = None
    data_source: str
    last_updated: datetime
    created_at: datetime
    updated_at: datetime


class ProfilesMeta(BaseModel):
    """What was asked for, and what is missing."""

    query_type: Literal["symbols"] = "symbols"
    requested_symbols: list[str]
    returned_profiles: int
    missing_profiles: list[str]
    as_of: datetime


class CompanyProfiles(BaseModel):
    """Profiles in the order of the request."""

    profiles: list[CompanyProfile]
    meta: ProfilesMeta
