"""`ipam-claim-reference` of a network element: where it counts, and what reaches the node."""

from __future__ import annotations

import json
from typing import Any

import pytest

from planes.model.decide.decision import Decision, decide
from planes.model.objects import Namespace, Pod
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from tests.support.planes import make_plane

SHOP = Namespace("shop", {"plane.netplane.io/business": "enabled"})
SUBNETS = [{"cidr": "10.9.0.0/24", "staticRanges": ["10.9.0.200-10.9.0.215"]}]
KEEPING: dict[str, Any] = {"subnets": SUBNETS, "ipam": {"lifecycle": "Persistent"}}


def decided(plane: Plane, **wishes: Any) -> Decision:
    element = {"name": plane.ref.name, "namespace": plane.ref.namespace, **wishes}
    annotations = {"k8s.v1.cni.cncf.io/networks": json.dumps([element])}
    pod = Pod("shop", "web", uid="u1", annotations=annotations)
    return decide(pod, SHOP, Catalog.build([plane]))


def test_the_node_is_told_the_claim() -> None:
    """Where the plane keeps addresses."""
    decision = decided(make_plane(**KEEPING), **{"ipam-claim-reference": "vm.net"})
    assert not decision.denied
    assert decision.attachments[0].claim == "vm.net"


@pytest.mark.parametrize("mode", ["Warn", "Audit"])
def test_a_plane_that_keeps_none_ignores_it_where_it_is_lenient(mode: str) -> None:
    """The pod gets an address that ends with it."""
    plane = make_plane(subnets=SUBNETS, enforcement={"pods": mode})
    decision = decided(plane, **{"ipam-claim-reference": "vm.net"})
    assert not decision.denied
    assert decision.attachments[0].claim == ""


@pytest.mark.parametrize(
    ("spec", "wishes", "text"),
    [
        ({"subnets": SUBNETS}, {"ipam-claim-reference": "vm"}, "its addresses end with their pod"),
        (KEEPING, {"ipam-claim-reference": "../vm"}, "names none"),
        (KEEPING, {"ipam-claim-reference": "bank/vm"}, "names none"),
        (
            {**KEEPING, "staticIPs": {"allow": "Any"}},
            {"ipam-claim-reference": "vm", "ips": ["10.9.0.201"]},
            "asks for addresses with ips, too",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused(spec: Any, wishes: Any, text: str) -> None:
    """A name is one of the pod's own namespace, and becomes the path of a request."""
    decision = decided(make_plane(**spec), **wishes)
    assert decision.status == 403
    assert text in decision.message


@pytest.mark.parametrize("text", ["a" * 254, "A", "x" * 70_000])
def test_a_claim_with_an_impossible_name_is_refused_with_a_short_text(text: str) -> None:
    """The name is shown in part."""
    decision = decided(make_plane(**KEEPING), **{"ipam-claim-reference": text})
    assert decision.denied
    assert len(decision.message) < 1000
