"""JSON Patch: key by key, escaped, and only where something changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.model.errors import BadInput
from planes.model.patch import annotation_patch, apply

MAPS = st.dictionaries(st.text(), st.text(), max_size=4)


def test_the_map_is_created_only_where_it_is_absent() -> None:
    assert annotation_patch({"metadata": {}}, {"a/b": "1"}) == [
        {"op": "add", "path": "/metadata/annotations", "value": {"a/b": "1"}}
    ]
    assert annotation_patch(
        {"metadata": {"annotations": {"c~d": "0"}}}, {"a/b": "1", "c~d": "2"}
    ) == [
        {"op": "add", "path": "/metadata/annotations/a~1b", "value": "1"},
        {"op": "replace", "path": "/metadata/annotations/c~0d", "value": "2"},
    ]


def test_values_that_are_there_need_no_operation() -> None:
    assert annotation_patch({"metadata": {"annotations": {"a": "1"}}}, {"a": "1"}) == []


@given(present=st.none() | MAPS, wanted=MAPS)
def test_applying_the_patch_sets_exactly_the_wanted_annotations(
    present: dict[str, str] | None, wanted: dict[str, str]
) -> None:
    pod = {"metadata": {"name": "x", "annotations": present}}
    patched = apply(annotation_patch(pod, wanted), pod)
    assert (patched["metadata"]["annotations"] or {}) == {**(present or {}), **wanted}
    assert pod["metadata"]["annotations"] == present


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/metadata"},
        {"op": "replace", "path": "/spec", "value": 1},
        {"op": "add", "path": "/spec/a", "value": 1},
        {"op": "add", "path": "", "value": 1},
    ],
)
def test_what_cannot_be_applied_is_refused(operation: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="cannot apply"):
        apply([operation], {"metadata": {}})
