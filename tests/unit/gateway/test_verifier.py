"""Tokens at the door."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest

from common.errors import ServiceError
from common.identity import CLOCKS_APART_SECONDS
from gateway.api.sessions import SessionVerifier
from gateway.domain.sessions import RevokedSessions
from tests.support.neighbours import Neighbours

USER = uuid4()


class Auth:
    """Gives its keys after a moment, and counts how often it was asked."""

    def __init__(self, neighbours):
        public = jwt.algorithms.OKPAlgorithm.to_jwk(neighbours._key.public_key(), as_dict=True)
        self.keys = {"keys": [{**public, "kid": "test", "alg": "EdDSA"}]}
        self.asked = 0

    async def __call__(self):
        self.asked += 1
        await asyncio.sleep(0.01)
        return self.keys


async def test_a_thousand_first_requests_ask_for_the_keys_once():
    neighbours = Neighbours()
    auth = Auth(neighbours)
    verifier = SessionVerifier(auth, RevokedSessions())
    tokens = [neighbours.token(USER) for _ in range(1000)]
    callers = await asyncio.gather(*(verifier.verify(token) for token in tokens))
    assert {caller.user_id for caller in callers} == {USER}
    assert auth.asked == 1


async def test_a_token_that_was_fine_is_refused_once_it_has_ended():
    neighbours = Neighbours()
    verifier = SessionVerifier(Auth(neighbours), RevokedSessions())
    seconds_left = 4  # enough for a machine that pauses in between
    token = neighbours.token(USER, expires_in=seconds_left - int(CLOCKS_APART_SECONDS))
    await verifier.verify(token)
    await asyncio.sleep(seconds_left + 0.1)
    with pytest.raises(ServiceError, match="expired"):
        await verifier.verify(token)


async def test_a_token_that_was_fine_is_refused_once_its_session_is_revoked():
    neighbours, revoked, session = Neighbours(), RevokedSessions(), uuid4()
    verifier = SessionVerifier(Auth(neighbours), revoked)
    token = neighbours.token(USER, session_id=session)
    await verifier.verify(token)
    revoked.revoke(session, datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(ServiceError, match="ended"):
        await verifier.verify(token)
