"""Mistakes that a person could make in the risk engine, and the tests that must notice each.

`file` is inside the package `risk_engine`, `old` stands in it exactly once. `judge` is a file
of `tests/unit/risk_engine`.
"""

from dataclasses import dataclass
from pathlib import Path

from risk_engine.domain.engines import EngineName


@dataclass(frozen=True)
class Mutation:
    """One mistake; `why` somebody could make it."""

    name: str
    engine: EngineName
    file: str
    old: str
    new: str
    why: str
    judge: str
    names: tuple[str, ...] = ()

    @property
    def tests(self) -> tuple[str, ...]:
        """Return what must notice: tests of the judge by name, or all of its file."""
        return tuple(f"{self.judge}::{name}" for name in self.names) or (self.judge,)

    @property
    def module(self) -> str:
        """Return the name of the module that is changed."""
        return "risk_engine." + self.file.removesuffix(".py").replace("/", ".")

    def apply(self, package: Path) -> None:
        """Change the file in a copy of the package.

        Raises:
            ValueError: the text to change is not there, or more than once.
        """
        path = package / self.file
        text = path.read_text()
        if (times := text.count(self.old)) != 1:
            raise ValueError(f"{self.name}: {self.file} has the text {times} times, not once")
        path.write_text(text.replace(self.old, self.new))
