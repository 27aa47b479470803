"""A host that cannot start says why in one sentence, and nothing else."""

from pathlib import Path

from tests.support.databases import FreshDatabase
from tests.support.system import System


def test_a_broker_that_is_away_is_one_sentence(database: FreshDatabase, tmp_path: Path):
    away = "amqp://guest:guest@127.0.0.1:1/"
    system = System(tmp_path / "home", database.url, away, database.namespace)
    system.process.start()
    assert system.process.ended(within=60) == 1
    [sentence] = system.process.tail().splitlines()
    assert sentence.startswith("the broker does not answer")
