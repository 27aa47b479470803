"""What shares are bid and asked at the close."""

from datetime import date

import numpy as np

from simulator.market import Market
from simulator.quotes import closing_quotes

SESSION = date(2026, 1, 12)


def test_the_close_lies_between_bid_and_ask_which_are_a_cent_apart_at_least():
    market = Market()
    symbols = market.symbols()[::7]
    bars = market.bars(symbols, SESSION, SESSION)
    quotes = closing_quotes(market, symbols, SESSION)
    close = dict(zip(bars.symbols, bars.close[0], strict=True))
    assert len(quotes) > 500
    for symbol, (bid, ask) in quotes.items():
        assert 0 < bid <= close[symbol] <= ask, symbol
        assert ask - bid > 0.0099, symbol


def test_what_is_traded_more_is_quoted_tighter():
    market = Market()
    symbols = [s for s in market.symbols() if market.profile(s).kind == "stock"]
    quotes = closing_quotes(market, symbols, SESSION)
    spread = {s: (ask - bid) / (ask + bid) * 2e4 for s, (bid, ask) in quotes.items()}
    large = np.median([spread[s] for s in ("AAPL", "MSFT", "AMZN", "GOOGL")])
    assert 0 < large < 5
    assert large < np.median(list(spread.values())) < 200


def test_nobody_quotes_an_index_a_fund_at_net_asset_value_or_a_stranger():
    assert closing_quotes(Market(), ["VIX", "SPAXX", "ZZZZ"], SESSION) == {}
    assert closing_quotes(Market(), ["AAPL"], date(2026, 1, 11)) == {}
    assert closing_quotes(Market(), [], SESSION) == {}
