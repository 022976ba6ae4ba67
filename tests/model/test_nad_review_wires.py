"""What planes have against a NAD that is about to be written."""

from __future__ import annotations

import pytest

from planes.model.decide.nad_review import review_nad
from planes.model.spec.nad_policy import NadPolicy
from tests.model.test_nad_review import OPEN, nad
from tests.support.model import make_catalog, make_namespace, make_plane

ON_WIRE = {"cniVersion": "1.0.0", "name": "backup", "type": "macvlan", "master": "eth1"}
POOL = {"type": "host-local", "subnet": "192.168.20.0/24"}


def test_a_nad_on_a_plane_s_wire_is_for_namespaces_that_joined_it() -> None:
    policy = NadPolicy(is_guarded=True, interfaces=("eth1",))
    business = make_plane()
    one, catalog = nad(ON_WIRE), make_catalog(business, nad_policy=policy)
    (refused,) = review_nad(one, catalog, namespace=make_namespace()).errors
    assert "cannot write it here: it is on interface eth1, the wire of plane" in refused.message
    assert refused.status == 403
    assert not review_nad(one, catalog, namespace=make_namespace(business="enabled")).errors
    found = review_nad(one, make_catalog(business), namespace=make_namespace())
    assert not found.errors, "the namespace may join yet: open warns"
    assert any("the wire of plane business" in each.message for each in found.warnings)


@pytest.mark.parametrize("policy", [NadPolicy(is_guarded=True, interfaces=("eth1",)), OPEN])
def test_a_nad_hands_out_no_addresses_of_the_plane_it_stands_on(policy: NadPolicy) -> None:
    one = nad({**ON_WIRE, "ipam": POOL})
    joined = make_namespace(business="enabled")
    (refused,) = review_nad(
        one, make_catalog(make_plane(), nad_policy=policy), namespace=joined
    ).errors
    assert "given out twice" in refused.message
    shared = make_plane(network={"type": "macvlan", "master": "eth1", "shared": True})
    assert not review_nad(one, make_catalog(shared, nad_policy=policy), namespace=joined).errors
