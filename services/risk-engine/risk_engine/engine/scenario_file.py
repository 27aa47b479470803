"""Read stress scenarios and historical windows, and say all that is wrong with them.

The shipped file is part of the program; a user's own is read beside it. Its form is explained in
docs/methodology/stress.md.
"""

import hashlib
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import resources
from typing import Any, Final, Protocol, TypeVar

from risk_engine.domain.scenarios import (
    FUNDS,
    LEGS,
    MARKET,
    RATES,
    Scenario,
    ScenarioSet,
    Window,
)
from risk_engine.engine.scenario_fields import MOVES, SCENARIO, SPREAD, WINDOW, Check

FORM_VERSION: Final = 1
SHIPPED: Final = "scenarios.toml"
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "total": (MARKET, RATES, *FUNDS),
    "relative": (MARKET, RATES, *LEGS),
}
"""What a scenario may shock, by its basis."""
_FILE_FIELDS = ("version", "scenario", "window", "enable", "disable")


@dataclass(frozen=True)
class Fault:
    """What is wrong with a field of a scenario, and what to do about it."""

    file: str
    scenario: str
    field: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.scenario}: {self.field}: {self.problem}. {self.remedy}"


class InvalidScenarios(ValueError):
    """A file of scenarios cannot be used; `faults` say why, all of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, faults)))


class _Named(Protocol):
    @property
    def id(self) -> str: ...


NamedT = TypeVar("NamedT", bound=_Named)


@cache
def shipped_scenarios() -> ScenarioSet:
    """Return the scenarios that come with the program."""
    return scenario_set([(SHIPPED, _shipped_text())])


def with_own_scenarios(file: str, text: str) -> ScenarioSet:
    """Return the shipped scenarios and those of a user's `text`; `file` is what faults call it.

    Raises:
        InvalidScenarios: it cannot be used.
    """
    return scenario_set([(SHIPPED, _shipped_text()), (file, text)])


def scenario_set(files: Iterable[tuple[str, str]]) -> ScenarioSet:
    """Read files, each a name and its text, one after the other.

    Raises:
        InvalidScenarios: one cannot be used, or two scenarios have one id.
    """
    faults: list[Fault] = []
    scenarios: dict[str, Scenario] = {}
    windows: dict[str, Window] = {}
    for file, text in files:
        document = _document(file, text, faults)
        _add(file, document.get("scenario", []), _scenario, scenarios, faults)
        _add(file, document.get("window", []), _window, windows, faults)
        _switch(file, document, scenarios, faults)
    if faults:
        raise InvalidScenarios(faults)
    # `repr` of a float is the shortest text that reads back as the same one.
    contents = repr((tuple(scenarios.values()), tuple(windows.values())))
    return ScenarioSet(
        tuple(scenarios.values()),
        tuple(windows.values()),
        hashlib.sha256(contents.encode()).hexdigest(),
    )


def _shipped_text() -> str:
    return resources.files("risk_engine").joinpath("data", SHIPPED).read_text(encoding="utf-8")


def _document(file: str, text: str, faults: list[Fault]) -> Mapping[str, Any]:
    def blame(field: str, problem: str, remedy: str) -> Mapping[str, Any]:
        faults.append(Fault(file, "(file)", field, problem, remedy))
        return {}

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return blame("(syntax)", f"it is not TOML: {error}", "Mend the line it names.")
    if document.get("version") != FORM_VERSION:
        return blame("version", "the form is not known", f"Write: version = {FORM_VERSION}")
    for name in sorted(document.keys() - set(_FILE_FIELDS)):
        blame(name, "there is no such field", f"Known are: {', '.join(_FILE_FIELDS)}.")
    for name in ("scenario", "window"):
        records = document.get(name, [])
        if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
            return blame(name, "it is no list of tables", f"Begin each one with: [[{name}]]")
    return document


def _add(
    file: str,
    records: Sequence[Mapping[str, Any]],
    read: Callable[[Mapping[str, Any], Callable[[str, str, str], None]], NamedT | None],
    known: dict[str, NamedT],
    faults: list[Fault],
) -> None:
    for place, record in enumerate(records, start=1):
        name = record.get("id")
        called = name if isinstance(name, str) and name else f"number {place}"

        def blame(field: str, problem: str, remedy: str, called: str = called) -> None:
            faults.append(Fault(file, called, field, problem, remedy))

        one = read(record, blame)
        if one is not None and one.id in known:
            blame("id", "it is taken", f"Choose another. Taken are: {', '.join(known)}.")
        elif one is not None:
            known[one.id] = one


def _scenario(record: Mapping[str, Any], blame: Callable[[str, str, str], None]) -> Scenario | None:
    if not _has_form(record, Scenario, SCENARIO, blame):
        return None
    basis, shocks = record["basis"], record["shocks"]
    sound = _sound_moves("shocks", shocks, NAMES[basis], blame)
    if basis == "total":
        for factor, legs in LEGS.items():
            lacking = [leg for leg in (*legs, MARKET) if leg not in shocks]
            if lacking and any(leg in shocks for leg in legs):
                blame(
                    f"shocks.{factor}",
                    f"its funds move, but nothing is said of {', '.join(lacking)}",
                    f"State {', '.join((*legs, MARKET))} together, or use basis = 'relative'.",
                )
                sound = False
    if not shocks and "volatility" not in record:
        blame("shocks", "the scenario moves nothing", "State a shock, or volatility.")
        sound = False
    return Scenario(**{**record, "shocks": _floats(shocks)}) if sound else None


def _window(record: Mapping[str, Any], blame: Callable[[str, str, str], None]) -> Window | None:
    if not _has_form(record, Window, WINDOW, blame):
        return None
    moves = record.get("moves", {})
    sound = _sound_moves("moves", moves, NAMES["relative"], blame)
    if record["end"] <= record["start"]:
        blame("end", "it is not after the start", "Write the later session's date.")
        sound = False
    if moves and not record.get("source"):
        blame("source", "nothing says where the moves are from", "Name the source.")
        sound = False
    return Window(**{**record, "moves": _floats(moves)}) if sound else None


def _switch(
    file: str,
    document: Mapping[str, Any],
    scenarios: dict[str, Scenario],
    faults: list[Fault],
) -> None:
    for name, active in (("enable", True), ("disable", False)):
        wanted = document.get(name, [])
        if not isinstance(wanted, list):
            faults.append(Fault(file, "(file)", name, "it is no list", "Write ids in brackets."))
            continue
        for one in wanted:
            if isinstance(one, str) and one in scenarios:
                scenarios[one] = replace(scenarios[one], active=active)
            else:
                remedy = f"Known are: {', '.join(scenarios)}."
                faults.append(Fault(file, "(file)", name, f"{one!r} is no scenario", remedy))


def _has_form(
    record: Mapping[str, Any],
    kind: type[Scenario] | type[Window],
    checks: Mapping[str, tuple[bool, Check]],
    blame: Callable[[str, str, str], None],
) -> bool:
    known = [one.name for one in fields(kind)]
    sound = True
    for name in sorted(record.keys() - checks.keys()):
        blame(name, "there is no such field", f"Known are: {', '.join(known)}.")
        sound = False
    for name, (required, check) in checks.items():
        if name in record:
            wanted = check(record[name])
            if wanted is not None:
                blame(name, f"it is {record[name]!r}", f"Write {wanted}.")
                sound = False
        elif required:
            blame(name, "it is missing", f"Write {check(None)}.")
            sound = False
    return sound


def _sound_moves(
    field: str,
    moves: Mapping[str, Any],
    names: Sequence[str],
    blame: Callable[[str, str, str], None],
) -> bool:
    sound = True
    for name, move in moves.items():
        if name not in names:
            blame(f"{field}.{name}", "there is no such factor", f"Known are: {', '.join(names)}.")
            sound = False
        elif (wanted := MOVES.get(name, SPREAD)(move)) is not None:
            blame(f"{field}.{name}", f"it is {move!r}", f"Write {wanted}.")
            sound = False
    return sound


def _floats(moves: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(move) for name, move in moves.items()}
