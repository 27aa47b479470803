"""Somebody who redrives dead letters dies half way: the letters are redriven, perhaps again."""

import asyncio

import pytest

from common.events import Envelope, Unparseable
from tests.support.bus_probe import until
from tests.support.saboteur import Options
from tests.support.system import ROOT, Process
from tests.support.victim import KILLED, Victim

pytestmark = [pytest.mark.fault, pytest.mark.timeout(120)]

LETTERS = 3


async def dead(victim: Victim) -> list[Envelope]:
    """Leave dead letters in a queue, and return what is in them."""
    bus = victim.bus()
    await bus.declare()

    async def refuse(_: Envelope) -> None:
        raise Unparseable("not today")

    subscription = await bus.subscribe("chat", refuse)
    sent = [Envelope(name="risk.calculated", payload={"n": n}) for n in range(LETTERS)]
    await bus.publish(sent)
    while len(await bus.dead_letters("chat")) < LETTERS:
        await asyncio.sleep(0.05)
    await subscription.close()
    await bus.close()
    return sent


async def test_a_redrive_that_is_killed_is_finished_by_the_next(victims, fault, request, tmp_path):
    async with victims() as victim:
        sent = await dead(victim)
        redrive = Process(
            "tests.support.saboteur",
            {**victim.environment(), "PYTHONPATH": str(ROOT)},
            tmp_path / "redrive.log",
            (
                Options(arm="letter.redriven@chat").to_json(),
                *("--", "tests.support.redrive", victim.bus_url(), victim.namespace, "chat"),
            ),
        )
        redrive.start()
        # On Postgres a letter moves in one statement: there is nothing between to die at.
        on_rabbit = request.node.callspec.params["victims"] == "rabbitmq"
        assert await asyncio.to_thread(redrive.ended, within=60) == (KILLED if on_rabbit else 0)
        bus = victim.bus()
        taken: list[Envelope] = []

        async def take(envelope: Envelope) -> None:
            taken.append(envelope)

        subscription = await bus.subscribe("chat", take)
        await bus.redrive("chat")
        await until(lambda: {one.id for one in taken} == {one.id for one in sent})
        while await bus.depth("chat"):
            await asyncio.sleep(0.05)
        await subscription.close()
        letters = await bus.dead_letters("chat")
        await bus.close()
    fault.note(**{"kills of a redrive survived": int(on_rabbit)})
    assert letters == []
    assert len(taken) == (2 * LETTERS if on_rabbit else LETTERS)  # inboxes drop the repeats
