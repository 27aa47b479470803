"""In which order the workers of `make test` are given files, played without any worker."""

from dataclasses import dataclass, field
from types import SimpleNamespace

from tests.support.lanes import AT_ONCE, SYSTEMS, Lanes

COUNTS = {
    "tests/unit/test_many.py": 9,
    "tests/unit/test_few.py": 3,
    "tests/integration/test_service.py": 5,
    "tests/contract/test_bus.py": 4,
    "tests/e2e/test_a.py": 6,
    "tests/e2e/test_b.py": 4,
    "tests/e2e/test_c.py": 4,
    "tests/e2e/test_d.py": 1,
}
TESTS = [f"{name}::test_{number}" for name, count in COUNTS.items() for number in range(count)]


@dataclass(eq=False)
class Worker:
    """Runs a test when it is told the one after it, or that none is, as xdist's workers do."""

    name: str
    given: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    shutting_down: bool = False

    @property
    def gateway(self) -> SimpleNamespace:
        return SimpleNamespace(id=self.name)

    def send_runtest_some(self, indices: list[int]) -> None:
        assert not self.shutting_down
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    def next(self) -> int | None:
        waiting = self.given[len(self.done) :]
        return waiting[0] if len(waiting) > 1 or (waiting and self.shutting_down) else None


def files(indices: list[int]) -> list[str]:
    return list(dict.fromkeys(TESTS[index].partition("::")[0] for index in indices))


def play(count: int) -> list[Worker]:
    """Let workers run everything, a test each in turn, and return them."""
    workers = [Worker(f"gw{number}") for number in range(count)]
    config = SimpleNamespace(
        getvalue=lambda _: [f"{count}*popen"], option=SimpleNamespace(loadscopereorder=True)
    )
    lanes = Lanes(config)
    for worker in workers:
        lanes.add_node(worker)
        lanes.add_node_collection(worker, TESTS)
    lanes.schedule()
    while running := [worker for worker in workers if worker.next() is not None]:
        started = [TESTS[index] for worker in running if (index := worker.next()) is not None]
        assert sum(test.startswith(SYSTEMS) for test in started) <= AT_ONCE
        for worker in running:
            index = worker.next()
            assert index is not None
            worker.done.append(index)
            lanes.mark_test_complete(worker, index)
    assert lanes.tests_finished
    return workers


def test_every_test_is_run_once_and_a_file_by_one_worker():
    for count in (1, 2, 3, 4, 7):
        workers = play(count)
        assert sorted(index for worker in workers for index in worker.done) == [*range(len(TESTS))]
        run = [name for worker in workers for name in files(worker.done)]
        assert sorted(run) == sorted(COUNTS)


def test_systems_are_begun_first_on_two_workers_while_the_others_take_the_rest():
    workers = play(4)
    first = [files(worker.given)[0] for worker in workers]
    assert first == [
        "tests/e2e/test_a.py",
        "tests/e2e/test_b.py",
        "tests/contract/test_bus.py",
        "tests/integration/test_service.py",
    ]


def test_a_worker_alone_runs_what_waits_before_what_calculates():
    assert files(play(1)[0].done) == [
        "tests/e2e/test_a.py",
        "tests/e2e/test_b.py",
        "tests/e2e/test_c.py",
        "tests/e2e/test_d.py",
        "tests/contract/test_bus.py",
        "tests/integration/test_service.py",
        "tests/unit/test_many.py",
        "tests/unit/test_few.py",
    ]
