"""The list of mutations fits the sources, so that `make mutants` can be run at any time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.mutants import mutated
from tests.chaos.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_a_mutation_changes_one_place_and_names_tests_that_exist(mutation: Mutation) -> None:
    text = (ROOT / mutation.path).read_text()
    compile(mutated(mutation, text), mutation.path, "exec")
    assert mutation.tests
    assert all((ROOT / test).is_file() for test in mutation.tests)
