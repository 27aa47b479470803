"""What the risk engine refuses."""

from common.errors import ErrorCode, Spec


class Code(ErrorCode):
    """What the risk engine refuses, and why."""

    ERR_RISK_001 = Spec(
        404,
        "No metric of this name can be explained.",
        "GET /api/v1/analytics/portfolio/{id}/explain lists the ones that can.",
    )
