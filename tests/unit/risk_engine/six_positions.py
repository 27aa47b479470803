"""One small book, worked by hand: the same six positions for valuation, Greeks, exposure, stress.

Plain data, with the arithmetic beside it. The account opens at the close of Monday 5 January 2026
with 300,000 dollars and is looked at on Friday 9 January, in between nothing splits or pays.

At the opening (quantity x multiplier x price):
    AAPL   400 x 190 = 76,000       XOM   -300 x 102 = -30,600      calls  5 x 100 x 8 = 4,000
    puts  -1 x 100 x 60 = -6,000    KO     100 x  65 =   6,500      fund          50,000
    together 99,900, so opening cash is 300,000 - 99,900 = 200,100.
On 7 January KO is sold: 100 x 66 = 6,600 of cash, a realized gain of 100 x (66 - 60) = 600.

On 9 January, market values:
    AAPL   400 x 200 = 80,000       XOM   -300 x 100 = -30,000
    calls  5 x 100 x 7.2787 = 3,639.35      puts  -1 x 100 x 45.7809 = -4,578.09
    long  80,000 + 3,639.35 = 83,639.35     short -30,000 - 4,578.09 = -34,578.09
    gross 118,217.44                        net    49,061.26
    carried: the fund at its stated 50,000; cash 200,100 + 6,600 = 206,700
    NAV   206,700 + 49,061.26 + 50,000 = 305,761.26, a gain of 5,761.26 since the opening
    (AAPL 400 x 10 = 4,000; XOM -300 x -2 = 600; calls 500 x -.7213 = -360.65;
     puts -100 x -14.2191 = 1,421.91; KO 100 x 1 = 100).
Unrealized, since entry: AAPL 400 x (200 - 150) = 20,000; XOM -300 x (100 - 120) = 6,000;
    calls 500 x (7.2787 - 6) = 639.35; puts -100 x (45.7809 - 70) = 2,421.91; together 29,061.26.

The call, on a share without dividends (so the American one is worth the European one), .4 years:
    volatility x root = .25 x .6324555 = .1581139; d1 = (.05 + .03125) x .4 / .1581139 = .2055480;
    d2 = .0474342; N(d1) = .5814280; N(d2) = .5189164; discount e^-.02 = .9801987
    price 58.14280 - 98.01987 x .5189164 = 7.278685         delta .5814280
    gamma n(d1) / (100 x .1581139) = .3906030 / 15.81139 = .02470390
    vega 100 x .3906030 x .6324555 / 100 = .2470390 per volatility point
The put, on an index (European), .4 years, the index yielding 1 %:
    volatility x root = .1264911; ln(2000/1900) = .0512933;
    d1 = (.0512933 + (.04 + .02) x .4) / .1264911 = .5952458; d2 = .4687547;
    N(-d1) = .2758396; N(-d2) = .3196225; e^-.004 = .9960080
    price 1,900 x .9801987 x .3196225 - 2,000 x .9960080 x .2758396 = 45.780864
    delta -.9960080 x .2758396 = -.2747384
    gamma .9960080 x .3341727 / (2,000 x .1264911) = .001315660
    vega 2,000 x .9960080 x .3341727 x .6324555 / 100 = 4.210114 per volatility point
"""

from datetime import date
from typing import NamedTuple

OPENING, AS_OF, EXPIRY = date(2026, 1, 5), date(2026, 1, 9), date(2026, 6, 4)
ENTRY, SALE = date(2024, 3, 1), date(2026, 1, 7)
EQUITY, OPENING_CASH, CASH, NAV = 300_000.0, 200_100.0, 206_700.0, 305_761.26
RATE, YEARS = 0.05, 146 / 365
NO_VOLUME = float("nan")


class Contract(NamedTuple):
    """Terms of an option, what its model is told, and its Greeks per share of the underlying."""

    is_call: bool
    is_american: bool
    strike: float
    volatility: float
    dividend_yield: float
    delta: float
    gamma: float
    vega: float


class Line(NamedTuple):
    """A position. Prices are dollars per share at the opening and at `AS_OF`; None: no market.

    `beta` is of the underlying, to the market; `daily_volume` the shares or contracts of an
    ordinary session.
    """

    symbol: str
    position_type: str
    underlying: str
    quantity: float
    multiplier: float
    entry_price: float
    opening_price: float | None
    price: float | None
    spot: float
    beta: float
    daily_volume: float
    sector: str | None
    contract: Contract | None = None
    exit_date: date | None = None
    exit_price: float | None = None


CALL = Contract(
    is_call=True,
    is_american=True,
    strike=100.0,
    volatility=0.25,
    dividend_yield=0.0,
    delta=0.5814280187,
    gamma=0.0247039040,
    vega=0.2470390398,
)
PUT = Contract(
    is_call=False,
    is_american=False,
    strike=1_900.0,
    volatility=0.20,
    dividend_yield=0.01,
    delta=-0.2747384496,
    gamma=0.0013156605,
    vega=4.2101135499,
)
LONG = Line(
    symbol="AAPL",
    position_type="LONG",
    underlying="AAPL",
    quantity=400.0,
    multiplier=1.0,
    entry_price=150.0,
    opening_price=190.0,
    price=200.0,
    spot=200.0,
    beta=1.2,
    daily_volume=50e6,
    sector="Technology",
)
SHORT = Line(
    symbol="XOM",
    position_type="SHORT",
    underlying="XOM",
    quantity=-300.0,
    multiplier=1.0,
    entry_price=120.0,
    opening_price=102.0,
    price=100.0,
    spot=100.0,
    beta=0.8,
    daily_volume=15e6,
    sector="Energy",
)
LONG_CALL = Line(
    symbol="XOM260604C00100000",
    position_type="LC",
    underlying="XOM",
    quantity=5.0,
    multiplier=100.0,
    entry_price=6.0,
    opening_price=8.0,
    price=7.2787,
    spot=100.0,
    beta=0.8,
    daily_volume=10.0,
    sector="Energy",
    contract=CALL,
)
SHORT_PUT = Line(
    symbol="RUT260604P01900000",
    position_type="SP",
    underlying="RUT",
    quantity=-1.0,
    multiplier=100.0,
    entry_price=70.0,
    opening_price=60.0,
    price=45.7809,
    spot=2_000.0,
    beta=1.1,
    daily_volume=50.0,
    sector="Index",
    contract=PUT,
)
CLOSED = Line(
    symbol="KO",
    position_type="LONG",
    underlying="KO",
    quantity=100.0,
    multiplier=1.0,
    entry_price=60.0,
    opening_price=65.0,
    price=67.0,
    spot=67.0,
    beta=0.6,
    daily_volume=12e6,
    sector="Consumer Staples",
    exit_date=SALE,
    exit_price=66.0,
)
PRIVATE = Line(
    symbol="EVERGREEN_FUND",
    position_type="LONG",
    underlying="EVERGREEN_FUND",
    quantity=1.0,
    multiplier=1.0,
    entry_price=50_000.0,
    opening_price=None,
    price=None,
    spot=50_000.0,
    beta=1.43,
    daily_volume=NO_VOLUME,
    sector=None,
)
SIX_POSITIONS = (LONG, SHORT, LONG_CALL, SHORT_PUT, CLOSED, PRIVATE)
