"""Which worker runs which file when: files that wait run beside files that calculate.

A file of `tests/e2e` starts whole systems and mostly waits for them. Begun last, as the few tests
that such a file has would order them, they are all that runs at the end, on idle cores. So they are
begun first, on as many workers as a given server has connections for, and any others calculate
meanwhile.
"""

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

FIRST = ("tests/e2e/", "tests/contract/", "tests/integration/")
"""What waits most; the rest follows."""
SYSTEMS = FIRST[0]
AT_ONCE = 2
"""Workers with whole systems: two of seven processes take most of a server's connections."""


class Lanes(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Whole files, those that wait first, and whole systems on a few workers only."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        files = [name for name in self.workqueue if self._may_run(node, name)]
        if not files:
            # What is left is for those who run systems; told so, this one ends its last test.
            node.shutdown()
            return
        self.workqueue.move_to_end(min(files, key=_rank), last=False)
        super()._assign_work_unit(node)

    def _may_run(self, node: WorkerController, name: str) -> bool:
        lanes = [one for one, files in self.assigned_work.items() if self._runs_systems(files)]
        return not name.startswith(SYSTEMS) or node in lanes or len(lanes) < AT_ONCE

    def _runs_systems(self, files: dict[str, dict[str, bool]]) -> bool:
        return any(name.startswith(SYSTEMS) and not all(files[name].values()) for name in files)


def _rank(name: str) -> int:
    """Return how early a file is begun; among equals the queue's order, most tests first, holds."""
    return next((at for at, folder in enumerate(FIRST) if name.startswith(folder)), len(FIRST))
