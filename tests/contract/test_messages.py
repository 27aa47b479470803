"""Whatever a contract's class can hold survives the wire and is as the document describes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.events import COMMANDS, EVENTS, Envelope, Message
from deploy.embedded.documents.asyncapi import producer_of
from tests.support.contracts import faults_of_envelope
from tests.support.instances import instances

CONTRACTS = (*EVENTS, *COMMANDS)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.routing_key())
@given(data=st.data())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_every_message_survives_the_wire_and_is_as_described(contract: type[Message], data):
    message = data.draw(instances(contract))
    envelope = Envelope.of(
        message,
        producer=producer_of(contract),
        run_id=data.draw(st.none() | st.uuids()),
        user_id=data.draw(st.none() | st.uuids()),
        causation_id=data.draw(st.none() | st.uuids()),
        traceparent=data.draw(st.none() | st.just(TRACE)),
    )
    arrived = Envelope.from_bytes(envelope.to_bytes(), envelope.routing_key)
    assert arrived == envelope
    assert arrived.message() == message
    assert faults_of_envelope(envelope) == []
