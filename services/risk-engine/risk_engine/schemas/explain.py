"""Why a number is what it is: definition, formula, unit, sign, source, and what it was made of."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID

from pydantic import Field, TypeAdapter

from risk_engine.domain import EngineName
from risk_engine.repository import Known
from risk_engine.schemas.base import Answer
from risk_engine.schemas.engines import engines_of
from risk_engine.schemas.summary import Summary, summary, valuation_of
from risk_engine.schemas.valuation import NoteOut

SCENARIO = "scenario"
"""Explains every stress scenario by its id."""
METHODOLOGY = "docs/{page}.md"
"""In the repository: see `docs/methodology.md`."""


class Ingredient(Answer):
    """Something that a metric is made of, and where it stands.

    `fields` are shown of each row: names, or ways into a field, which give its first name.
    """

    name: str
    at: str
    engine: EngineName | None = None
    fields: tuple[str, ...] = ()


class Metric(Answer):
    """What is said of a metric, whoever's it is."""

    engine: EngineName
    at: str
    title: str
    definition: str
    formula: str
    unit: str
    sign: str
    null_when: str
    source: str
    page: str
    inputs: tuple[Ingredient, ...]


class Input(Answer):
    """What a metric was made of."""

    name: str
    engine: EngineName
    at: str = Field(description="The way into the engine's result in the report")
    value: Any = Field(description="As the report shows it; null where it is not known")


class Explanation(Summary):
    """A number, and everything a reader needs to make it again."""

    portfolio_id: UUID
    metric: str
    title: str
    engine: EngineName
    value: float | None = Field(description="Null where it is not known: see `why_null`")
    why_null: str | None = Field(description="What must be missing for this metric to be null")
    notes: list[NoteOut] = Field(description="What the engine says of the whole of its result")
    definition: str
    formula: str
    unit: str
    sign: str
    source: str
    methodology: str = Field(description="The page that says how it is made")
    at: str = Field(description="The way into the engine's result in the report")
    inputs: list[Input]


class MetricName(Answer):
    """A metric that can be explained."""

    metric: str
    title: str
    engine: EngineName
    unit: str


class Metrics(Answer):
    """What can be explained of a portfolio."""

    portfolio_id: UUID
    metrics: list[MetricName]


@cache
def catalogue() -> Mapping[str, Metric]:
    """Return the metrics by name; `SCENARIO` is of every scenario."""
    content = files("risk_engine").joinpath("data/metrics.toml").read_text("utf-8")
    return TypeAdapter(dict[str, Metric]).validate_python(tomllib.loads(content))


def metrics(portfolio_id: UUID, known: Known | None) -> Metrics:
    """List what can be explained: the catalogue, and the scenarios that were calculated."""
    scenario = catalogue()[SCENARIO]
    listed = [
        MetricName(metric=name, title=one.title, engine=one.engine, unit=one.unit)
        for name, one in catalogue().items()
        if name != SCENARIO
    ]
    listed += [
        MetricName(metric=name, title=title, engine=scenario.engine, unit=scenario.unit)
        for name, title in _scenarios(engines_of(known)).items()
    ]
    return Metrics(portfolio_id=portfolio_id, metrics=listed)


def engines_behind(name: str) -> frozenset[EngineName]:
    """Return the engines that a metric is explained from; a scenario's for a name of none."""
    metric = catalogue().get(name, catalogue()[SCENARIO])
    return frozenset((metric.engine, *(one.engine or metric.engine for one in metric.inputs)))


def explanation(portfolio_id: UUID, known: Known | None, name: str) -> Explanation | None:
    """Explain a metric of a portfolio; None where there is no such metric."""
    engines = engines_of(known)
    metric = catalogue().get(name) if name != SCENARIO else None
    if metric is None:
        title = _scenarios(engines).get(name)
        if title is None:
            return None
        metric = _of_scenario(name, title)
    shown = {engine: result.model_dump(mode="json") for engine, result in engines.items()}
    value = _found(shown.get(metric.engine), metric.at)
    return Explanation(
        **summary(known, valuation_of(known), metric.engine),
        portfolio_id=portfolio_id,
        metric=name,
        title=metric.title,
        engine=metric.engine,
        value=value,
        why_null=None if value is not None else _why_null(metric, known, shown),
        notes=(shown.get(metric.engine) or {}).get("notes", []),
        definition=metric.definition,
        formula=metric.formula,
        unit=metric.unit,
        sign=metric.sign,
        source=metric.source,
        methodology=METHODOLOGY.format(page=metric.page),
        at=metric.at,
        inputs=[_input(one, metric.engine, shown) for one in metric.inputs],
    )


def _input(one: Ingredient, engine: EngineName, shown: Mapping[EngineName, Any]) -> Input:
    of = one.engine or engine
    value = _found(shown.get(of), one.at.removesuffix("/*"))
    if one.fields and isinstance(value, list):
        value = [{_name(field): _found(row, f"/{field}") for field in one.fields} for row in value]
    return Input(name=one.name, engine=of, at=one.at, value=value)


def _name(field: str) -> str:
    return field.partition("/")[0]


def _found(tree: Any, at: str) -> Any:
    for step in at.split("/")[1:]:
        if tree is None:
            return None
        tree = _row(tree, step) if isinstance(tree, list) else tree[step]
    return tree


def _row(rows: Sequence[Any], step: str) -> Any:
    wanted = dict(part.split("=", 1) for part in step.split("&"))
    return next(
        (row for row in rows if all(str(row[key]) == value for key, value in wanted.items())), None
    )


def _why_null(metric: Metric, known: Known | None, shown: Mapping[EngineName, Any]) -> str:
    if known is not None and metric.engine in known.failures:
        return known.failures[metric.engine].message
    if metric.engine not in shown:
        return "The portfolio has not been calculated yet."
    return metric.null_when


def _scenarios(engines: Mapping[EngineName, Any]) -> Mapping[str, str]:
    stress = engines.get("stress")
    return {} if stress is None else {one.id: one.name for one in stress.scenarios}


def _of_scenario(name: str, title: str) -> Metric:
    metric = catalogue()[SCENARIO]
    return metric.model_copy(
        update={
            "title": title,
            "at": metric.at.format(id=name),
            "inputs": tuple(
                one.model_copy(
                    update={
                        "at": one.at.format(id=name),
                        "fields": tuple(field.format(id=name) for field in one.fields),
                    }
                )
                for one in metric.inputs
            ),
        }
    )
