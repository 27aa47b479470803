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
    ERR_MARKET_004 = Spec(
        404,
        "No options on this security were quoted in the session.",
        "Ask for a stock, an ETF or an index that traded then; mutual and money-market funds have "
        "no options.",
    )
    ERR_MARKET_005 = Spec(
        422,
        "No NYSE session is known up to this day.",
        "Give a day from 2010 on, or none for the last closed session.",
    )
