"""Chat's error codes."""

from common.errors import ErrorCode, Spec


class Code(ErrorCode):
    """Chat's error codes."""

    ERR_CHAT_001 = Spec(
        503,
        "Conversations and insights are not built yet.",
        "Read the results themselves at /api/v1/analytics/portfolio/{id}/report.",
    )
