"""The options desk of a market: chains, quotes and the implied volatilities behind them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import NamedTuple

import numpy as np

from simulator import options, pricing
from simulator.draws import Floats
from simulator.market import Market
from simulator.options import Contract, Quotes, Right, Valued
from simulator.pricing import Flags, Terms
from simulator.surface import BOND_SMILE, SMILES, Surface
from simulator.truth import Truth
from simulator.universe import load_universe
from simulator.volatility_index import VOLATILITY_INDEX, future_level

_FUNDS_WITHOUT_OPTIONS = ("mutual_fund", "money_market")
_MATURITIES = np.array([1 / 12, 0.25, 0.5, 1.0, 2.0, 5.0])
_RIGHTS: tuple[Right, ...] = ("call", "put")
_VIX_VOLATILITY, _VIX_CALM = 1.1, 2.0
"""Of a future on it with no time left, and how fast that falls with maturity."""


class Future(NamedTuple):
    """A future on the volatility index."""

    expiry: date
    price: float
    """In points of the index."""


@dataclass(frozen=True)
class Desk:
    """Quotes options on what the market lists; European on indices, American on the rest."""

    market: Market

    def quotes_on(self, symbol: str) -> bool:
        """Say whether options on a symbol are ever listed."""
        security = load_universe().securities.get(symbol)
        return security is not None and security.profile.kind not in _FUNDS_WITHOUT_OPTIONS

    def surface(self, symbol: str, session: date) -> Surface | None:
        """Return an underlying's surface at a session's close; None where nothing traded then.

        LookupError for a symbol that has no options.
        """
        kind = self.market.profile(symbol).kind
        if kind in _FUNDS_WITHOUT_OPTIONS or symbol == VOLATILITY_INDEX:
            raise LookupError(f"the simulated market has no options on a price of {symbol!r}")
        bars = self.market.bars([symbol], session, session)
        if not bars.sessions or not bars.traded[0, 0]:
            return None
        truth = Truth(self.market)
        scene = self.market.scene(session)
        at = scene.place(session)
        curve = scene.yields(_MATURITIES)[at]
        of_groups = truth.group_variance([symbol])[0]
        means = np.append(of_groups, truth.own_variance([symbol]))
        rates = [group.name for group in load_universe().groups].index("rates")
        is_bond = of_groups[rates] > means.sum() / 2
        return Surface(
            spot=float(bars.close[0, 0]),
            dividend_yield=load_universe().securities[symbol].dividend_yield,
            rates=(_MATURITIES, curve),
            means=means,
            ratios=np.append(
                truth.variance_ratios(session, at_close=True),
                truth.own_variance_ratio([symbol], session, at_close=True),
            ),
            smile=BOND_SMILE if is_bond else SMILES[kind],
        )

    def chain(self, symbol: str, session: date) -> tuple[Contract, ...]:
        """Return the contracts listed on an underlying, by expiry, strike and right.

        Empty where nothing traded; LookupError for a symbol that has no options.
        """
        if symbol == VOLATILITY_INDEX:
            listed = [
                (future.expiry, options.strikes(future.price, _VIX_VOLATILITY, 0.5))
                for future in self.futures(session)
            ]
        elif (surface := self.surface(symbol, session)) is None:
            listed = []
        else:
            listed = [
                (expiry, self._strikes(surface, options.years_to(expiry, session)))
                for expiry in options.expiries(session)
            ]
        return tuple(
            Contract(symbol, expiry, strike, right)
            for expiry, strikes in listed
            for strike, right in product(strikes, _RIGHTS)
        )

    def value(self, contracts: Sequence[Contract], session: date) -> Valued:
        """Return the truth of contracts on one underlying that expire after the session.

        NaN where the underlying did not trade. LookupError for what has no options, ValueError for
        contracts on none or several underlyings, that have expired or can never be.
        """
        underlyings = {contract.underlying for contract in contracts}
        if len(underlyings) != 1:
            raise ValueError(f"contracts on one underlying, not on {len(underlyings)}")
        [symbol] = underlyings
        years = np.array([options.years_to(contract.expiry, session) for contract in contracts])
        if (years <= 0).any():
            raise ValueError(f"a contract on {symbol} has expired by {session}")
        strike = np.array([contract.strike for contract in contracts])
        if not ((strike > 0) & (strike < np.inf)).all():
            raise ValueError(f"a contract on {symbol} has a strike that is no price")
        if symbol == VOLATILITY_INDEX:
            return self._value_on_futures(contracts, session, years)
        surface = self.surface(symbol, session)
        if surface is None:
            nothing = np.full(len(years), np.nan)
            return Valued(nothing, nothing, years, nothing)
        volatility = surface.implied_volatility(strike, years)
        terms = Terms(
            is_call=_calls(contracts),
            spot=np.full(len(years), surface.spot),
            strike=strike,
            years=years,
            volatility=volatility,
            rate=surface.rate(years),
            dividend_yield=np.full(len(years), surface.dividend_yield),
        )
        is_index = self.market.profile(symbol).kind == "index"
        price = pricing.european(terms) if is_index else pricing.american(terms)
        return Valued(volatility, price, years, terms.spot)

    def quotes(self, contracts: Iterable[Contract], session: date) -> Quotes:
        """Return the quotes of contracts at a session's close, underlying by underlying.

        What cannot be quoted is left out: all on a day without a session, what has expired or
        expires on none, what has no options, and what is on something that did not trade.
        """
        by_underlying: dict[str, list[Contract]] = {}
        has_session = session in self.market.scene(session).sessions
        for contract in contracts:
            if has_session and options.can_be_open(contract, session):
                by_underlying.setdefault(contract.underlying, []).append(contract)
        parts = [
            self._quotes(symbol, asked, session)
            for symbol, asked in by_underlying.items()
            if self.quotes_on(symbol)
        ]
        return Quotes(
            contracts=tuple(contract for part in parts for contract in part.contracts),
            bid=np.concatenate([part.bid for part in parts] or [np.empty(0)]),
            ask=np.concatenate([part.ask for part in parts] or [np.empty(0)]),
            open_interest=np.concatenate(
                [part.open_interest for part in parts] or [np.empty(0, np.int64)]
            ),
            volume=np.concatenate([part.volume for part in parts] or [np.empty(0, np.int64)]),
            underlying_price=np.concatenate(
                [part.underlying_price for part in parts] or [np.empty(0)]
            ),
        )

    def futures(self, session: date) -> tuple[Future, ...]:
        """Return the futures on the volatility index: what the surface says the index will be.

        Empty for a day without a session.
        """
        scene = self.market.scene(session)
        if session not in scene.sessions:
            return ()
        at = scene.place(session)
        return tuple(
            Future(expiry, round(float(future_level(scene, years)[at]), 2))
            for expiry in options.expiries(session)[:9]
            if (years := options.years_to(expiry, session)) > 0
        )

    def _quotes(self, symbol: str, contracts: list[Contract], session: date) -> Quotes:
        valued = self.value(contracts, session)
        known = np.isfinite(valued.price)
        kept = [contract for contract, is_known in zip(contracts, known, strict=True) if is_known]
        of_known = Valued(
            valued.implied_volatility[known],
            valued.price[known],
            valued.years[known],
            valued.underlying_price[known],
        )
        return options.quote(self.market.seed, session, kept, of_known, self._liquidity(symbol))

    def _value_on_futures(
        self, contracts: Sequence[Contract], session: date, years: Floats
    ) -> Valued:
        scene = self.market.scene(session)
        at = scene.place(session)
        forward = np.array([future_level(scene, ahead)[at] for ahead in years])
        volatility = _VIX_VOLATILITY / np.sqrt(1 + _VIX_CALM * years)
        rate = np.interp(years, _MATURITIES, scene.yields(_MATURITIES)[at])
        strike = np.array([contract.strike for contract in contracts])
        terms = Terms(_calls(contracts), forward, strike, years, volatility, rate, rate)
        price = pricing.european(terms)
        return Valued(volatility, price, years, np.round(forward, 2))

    def _strikes(self, surface: Surface, years: float) -> list[float]:
        maturity = np.array([years])
        [at_the_money] = surface.implied_volatility(surface.forward(maturity), maturity)
        return options.strikes(surface.spot, float(at_the_money), years)

    def _liquidity(self, symbol: str) -> float:
        security = load_universe().securities[symbol]
        if security.profile.kind == "index":
            return 1.0
        dollars = security.price * security.volume
        return float(np.clip((np.log10(dollars) - 5.5) / 4.5, 0.1, 1.0))


def _calls(contracts: Sequence[Contract]) -> Flags:
    return np.array([contract.right == "call" for contract in contracts], bool)
