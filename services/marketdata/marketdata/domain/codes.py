"""Marketdata's error codes."""

from common.errors import ErrorCode, Spec


class Code(ErrorCode):
    """What marketdata refuses, and why."""

    ERR_MARKET_001 = Spec(
        404,
        "No panel was published under this session and version.",
        "Use as_of and panel_version of a prices.ready or prices.incomplete event.",
    )
    ERR_MARKET_002 = Spec(
        422,
        "The query names no symbol, or too many.",
        "Give one to 500 symbols, separated by commas.",
    )
    ERR_MARKET_003 = Spec(
        422,
        "A symbol has a character that cannot be printed.",
        "Give symbols as a portfolio has them: letters, digits, '.', '_' and '-'.",
    )
