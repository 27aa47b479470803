"""Which currency a row's prices are in: what its cell says, else its symbol, else the account's.

The codes are those of ISO 4217's list one as published on 1 January 2026, but for XTS (tests) and
XXX (no currency). The standard's maintenance agency announces each change; this list and the date
above follow it, and so does the count in the tests.
"""

from onboarding.domain.checks import RowCheck
from onboarding.domain.codes import Code
from onboarding.domain.columns import Column
from onboarding.domain.positions import ACCOUNT_CURRENCY, CASH_PREFIX

_LIST_ONE = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP
GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR
KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN
MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX
USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD
XPF XPT XSU XUA YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_LIST_ONE.split())

_HUNDREDTHS = {"GBX": "GBP", "GBP": "GBP", "ZAC": "ZAR", "ZAR": "ZAR", "ILA": "ILS"}
_OTHER_SPELLINGS = {"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP", "CNH": "CNY", "RMB": "CNY"}


def read_currency(check: RowCheck, symbol: str) -> str | None:
    """Return the ISO 4217 code of what the row's prices are in; None, and a fault, for no code.

    A blank cell means the account's currency, unless `symbol`, in capitals, is cash that names its
    own: CASH_EUR.
    """
    column = Column.CURRENCY
    text = check.text(column)
    if not text:
        named = symbol.removeprefix(CASH_PREFIX) if symbol.startswith(CASH_PREFIX) else ""
        return named if named in CURRENCIES else ACCOUNT_CURRENCY
    code = text.upper()
    if code in CURRENCIES and not _is_in_hundredths(text):
        return code
    check.note(Code.ERR_POS_032, column, f"{check.named(column)} is no ISO 4217 code.", _hint(text))
    return None


def _is_in_hundredths(text: str) -> bool:
    # Brokers write pence as GBp and cents as ZAc: two capitals and a small letter.
    return text[:-1].isupper() and text[-1].islower()


def _hint(text: str) -> str | None:
    code = text.upper()
    whole = _HUNDREDTHS.get(code)
    if whole is not None:
        return f"Write {whole}, and the prices in it: 100 {text} are 1 {whole}."
    meant = _OTHER_SPELLINGS.get(code)
    return meant and f"Write {meant}."
