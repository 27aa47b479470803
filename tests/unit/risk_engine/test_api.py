"""What the reads of the risk engine owe the event loop."""

import inspect
from collections.abc import Iterator

import pytest
from fastapi import Response
from fastapi.routing import APIRoute

from risk_engine import api
from risk_engine.domain import ENGINES
from risk_engine.schemas.explain import catalogue, engines_behind


def reads() -> Iterator[APIRoute]:
    """Every route that answers a client."""
    modules = [part for part in vars(api).values() if inspect.ismodule(part)]
    for module in modules:
        router = getattr(module, "reads", None) or getattr(module, "router", None)
        for route in getattr(router, "routes", ()):
            if isinstance(route, APIRoute) and route.include_in_schema:
                yield route


READS = {route.path: route for route in reads()}


def test_there_are_reads():
    assert len(READS) > 15


@pytest.mark.parametrize("path", sorted(READS))
def test_answers_are_made_and_written_in_a_thread(path):
    """`rendered` returns a response: a model would be validated and written in the loop."""
    endpoint = READS[path].endpoint
    assert inspect.signature(endpoint).return_annotation is Response
    assert READS[path].response_model is not None
    assert "rendered" in inspect.getsource(endpoint)


@pytest.mark.parametrize(
    ("metric", "engines"),
    [
        ("net_asset_value", {"valuation"}),
        ("no such metric", {"stress", "factors", "greeks"}),
    ],
)
def test_a_metric_is_explained_from_the_engines_it_names(metric, engines):
    assert engines_behind(metric) == engines


def test_no_metric_is_explained_from_everything():
    behind = {name: engines_behind(name) for name in catalogue()}
    assert all(one <= set(ENGINES) for one in behind.values())
    assert max(len(one) for one in behind.values()) <= 3
