"""The services around the one under test: one small app that signs tokens and answers as told."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from common.claims import ALGORITHM, ISSUER
from common.identity import JWKS_PATH

Answer = Callable[[Request], Response]


class Neighbours:
    """Stands for every other service. `answers` maps "METHOD /path" to a function or a payload."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.answers: dict[str, Any] = {}
        self.requests: list[Request] = []
        self.app = Starlette()
        self.app.add_route(JWKS_PATH, self._keys)
        self.app.add_route("/{path:path}", self._answer, methods=["GET", "POST", "PUT", "DELETE"])

    def token(
        self,
        user_id: UUID,
        *,
        role: str = "user",
        session_id: UUID | None = None,
        expires_in: int = 600,
    ) -> str:
        """Return an access token as auth would sign it."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": str(user_id),
            "email": "someone@example.com",
            "role": role,
            "sid": str(session_id or uuid4()),
            "portfolio_id": None,
            "iat": now,
            "exp": now + expires_in,
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": "test"})

    def bearer(self, user_id: UUID, **options: Any) -> dict[str, str]:
        """Return the header that proves to be this user."""
        return {"Authorization": f"Bearer {self.token(user_id, **options)}"}

    async def _keys(self, _request: Request) -> Response:
        public = jwt.algorithms.OKPAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return JSONResponse({"keys": [{**public, "kid": "test", "alg": ALGORITHM}]})

    async def _answer(self, request: Request) -> Response:
        await request.body()
        self.requests.append(request)
        answer = self.answers.get(f"{request.method} {request.url.path}")
        if answer is None:
            return JSONResponse({"detail": "Not Found"}, 404)
        if callable(answer):
            response: Response = answer(request)
            return response
        return JSONResponse(answer)
