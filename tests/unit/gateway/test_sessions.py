"""Sessions that were ended before their tokens."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from gateway.domain.sessions import RevokedSessions

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def test_a_session_is_refused_until_its_tokens_have_ended_by_themselves():
    revoked, session = RevokedSessions(), uuid4()
    revoked.revoke(session, NOW + timedelta(hours=1))
    revoked.forget_expired(NOW)
    assert session in revoked
    revoked.forget_expired(NOW + timedelta(hours=1))
    assert session not in revoked


def test_learning_from_the_table_takes_nothing_back():
    revoked, heard, told = RevokedSessions(), uuid4(), uuid4()
    revoked.revoke(heard, NOW + timedelta(hours=1))
    revoked.learn({told: NOW + timedelta(hours=1)})
    assert heard in revoked
    assert told in revoked
