"""What a message on RabbitMQ is read as, whoever wrote it."""

from types import SimpleNamespace

import pytest

from common.bus.rabbitmq.messages import delivery_of


@pytest.mark.parametrize(("written", "attempt"), [(2, 3), (-5, 1), ("many", 1), (None, 1)])
def test_attempts_that_a_hand_has_written_give_a_message_no_more_of_them(written, attempt):
    message = SimpleNamespace(headers={"attempts": written}, body=b"{}", routing_key="a.b.v1")
    assert delivery_of(message, "orders").attempts == attempt  # type: ignore[arg-type]  # a stand-in
