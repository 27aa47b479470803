"""The mistakes of `tests/mutation` can still be made: `make mutate` tries whether they are noticed.

That takes minutes; a formula that is written anew is found to have lost its mistake here.
"""

from pathlib import Path

import pytest

import risk_engine
from tests.mutation.books import BOOKS
from tests.mutation.models import MODELS
from tests.mutation.mutation import Mutation
from tests.mutation.risks import RISKS

PACKAGE = Path(str(risk_engine.__file__)).parent
HERE = Path(__file__).parent


@pytest.mark.parametrize("mutation", [*BOOKS, *MODELS, *RISKS], ids=lambda one: one.name)
def test_a_mistake_can_be_made_once_and_its_judges_are_there(mutation: Mutation):
    assert (PACKAGE / mutation.file).read_text().count(mutation.old) == 1
    judge = (HERE / mutation.judge).read_text()
    assert all(f"def {name.partition('[')[0]}(" in judge for name in mutation.names)
