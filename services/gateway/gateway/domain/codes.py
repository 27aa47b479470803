"""The gateway's own error codes; those any service may answer with are `common.errors`'."""

from common.errors import ErrorCode, Spec


class Code(ErrorCode):
    """What only the gateway says."""

    ERR_TIMEOUT = Spec(
        504,
        "The service behind this address did not answer in time.",
        "Ask again; a change may have been made all the same, so read before repeating it.",
    )
    ERR_SLOW_BODY = Spec(
        408,
        "The request's body stopped coming.",
        "Send it again over a connection that holds.",
    )
    ERR_RATE_LIMITED = Spec(
        429,
        "Too many requests came from this account or address within a minute.",
        "Wait for the seconds the header Retry-After names.",
    )
    ERR_TOO_MANY_STREAMS = Spec(
        429,
        "The account has as many event streams open as it may have.",
        "Close a stream; one stream of /api/v1/events serves all portfolios.",
    )
    ERR_NO_CATALOGUE = Spec(
        503,
        "This installation was built without the list of error codes.",
        "Generate the documents and start again; every error's own sentence holds all the same.",
    )
