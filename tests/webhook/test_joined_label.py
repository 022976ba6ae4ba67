"""Which namespaces carry the mark, beyond those whose planes are plain to see."""

from __future__ import annotations

import pytest

from planes.model.state.catalog import Catalog
from tests.support.model import make_catalog, make_namespace, make_plane
from webhook.joined_label import needs_joined_label

ELSEWHERE = {"matchLabels": {"team": "other"}}


@pytest.mark.parametrize("catalog", [make_catalog(), make_catalog(make_plane("business"))])
def test_a_namespace_that_requires_a_plane_is_marked_whether_there_is_one(
    catalog: Catalog,
) -> None:
    assert needs_joined_label(make_namespace(business="required"), catalog)


def test_it_is_marked_even_where_the_plane_selects_other_namespaces() -> None:
    """The policy netplane-required wants each of its pods reviewed, whatever the plane says."""
    catalog = make_catalog(make_plane("business", namespaceSelector=ELSEWHERE))
    assert needs_joined_label(make_namespace(business="required"), catalog)
    assert not needs_joined_label(make_namespace(business="enabled"), catalog)
