"""The CSV template users start from. Uploaded untouched it is a valid book.

Its comments hold no commas and no quotes, so a spreadsheet saves them as it found them, and its
open option expires late enough to stay valid for years.
"""

from onboarding.domain.columns import Column

FILENAME = "sigmasight_portfolio_template.csv"

_INTRODUCTION = """\
# SigmaSight portfolio template
# Replace the examples below by your own positions and upload the file.
# Required columns: Symbol / Quantity / Entry Price Per Share / Entry Date
# Dates are written YYYY-MM-DD. Numbers have no thousands separators and no currency signs.
# Quantity: at most 6 decimals; negative for a short position. Prices: at most 2 decimals.
# Investment Class: PUBLIC or OPTIONS or PRIVATE; understood from the other columns if blank.
# PUBLIC subtypes: STOCK ETF MUTUAL_FUND BOND CASH
# PRIVATE subtypes: PRIVATE_EQUITY VENTURE_CAPITAL HEDGE_FUND PRIVATE_REIT REAL_ESTATE \
CRYPTOCURRENCY ART MONEY_MARKET TREASURY_BILLS CASH COMMODITY OTHER
# Options: the OCC symbol tells the four option columns; if you fill them they must agree.
# Closed positions: fill both Exit Date and Exit Price Per Share.
# Currency: the ISO code of what the prices are in such as EUR; USD if blank. Positions in another \
currency than USD are listed but count in no total.
# Lines that start with a hash sign are comments.
"""

_EXAMPLES = """\
# Example 1: a long stock position
AAPL,100,158.00,2024-01-15,PUBLIC,STOCK,,,,,,,
# Example 2: a long call option; quantity in contracts and price per share of the underlying
SPY311219C00450000,10,5.50,2024-02-01,OPTIONS,CALL,SPY,450.00,2031-12-19,CALL,,,
# Example 3: an exchange-traded fund
SPY,50,445.20,2024-01-20,PUBLIC,ETF,,,,,,,
# Example 4: a short position
SHOP,-25,62.50,2024-02-10,PUBLIC,STOCK,,,,,,,
# Example 5: cash in a money market fund
SPAXX,10000,1.00,2024-01-01,PUBLIC,CASH,,,,,,,
# Example 6: a closed position
TSLA,50,185.00,2023-12-01,PUBLIC,STOCK,,,,,2024-01-15,215.00,
"""

TEMPLATE = f"{_INTRODUCTION}{','.join(Column)}\n{_EXAMPLES}"
