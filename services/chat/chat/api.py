"""Chat over HTTP: every address of conversations and insights says that there are none yet."""

from fastapi import APIRouter

from chat.domain import Code
from common.errors import ServiceError

router = APIRouter()

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


# Left out of the OpenAPI document: what is not built has no contract.
@router.api_route("/api/v1/chat", methods=METHODS, include_in_schema=False)
@router.api_route("/api/v1/chat/{path:path}", methods=METHODS, include_in_schema=False)
@router.api_route("/api/v1/insights", methods=METHODS, include_in_schema=False)
@router.api_route("/api/v1/insights/{path:path}", methods=METHODS, include_in_schema=False)
async def not_built() -> None:
    """Refuse with ERR_CHAT_001 (503)."""
    raise ServiceError(Code.ERR_CHAT_001)
