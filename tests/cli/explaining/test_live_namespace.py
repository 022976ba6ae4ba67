"""`netplane explain namespace/NAME`: which planes it joins, why not the others, its quotas."""

from __future__ import annotations

from typing import Any

import pytest

from planes.kube.resources import NAMESPACES, PLANES
from planes.model.errors import Denied
from tests.cli.explaining.explained_cluster import ExplainedCluster
from tests.support.planes import plane_object


@pytest.fixture
def cluster() -> ExplainedCluster:
    return ExplainedCluster(quota={"attachmentsPerNamespace": 2})


def of(details: dict[str, Any], plane: str) -> dict[str, Any]:
    (found,) = [one for one in details["planes"] if one["plane"] == plane]
    return dict(found)


NETWORKS = {"k8s.v1.cni.cncf.io/networks": "netplane-system/business"}


async def test_it_says_which_planes_join_and_why(cluster: ExplainedCluster) -> None:
    other = {"type": "macvlan", "master": "eth2"}
    cluster.kube.put_object(PLANES, plane_object("storage", network=other))
    found = await cluster.explained_namespace()
    assert found.errors == ()
    assert "Namespace shop joins business." in cluster.out
    assert of(found.details, "business")["joins"] == "yes"
    storage = of(found.details, "storage")
    assert (storage["joins"], storage["why"]) == (
        "no",
        "namespace shop has no label plane.netplane.io/storage",
    )


async def test_quotas_are_shown_with_their_use_and_a_full_one_is_warned_of(
    cluster: ExplainedCluster,
) -> None:
    cluster.pod("a", annotations=NETWORKS)
    found = await cluster.explained_namespace()
    quota = of(found.details, "business")["quota"]["attachments"]
    assert quota == {"used": 1, "limit": 2}
    assert found.warnings == ()
    cluster.pod("b", annotations=NETWORKS)
    (full,) = (await cluster.explained_namespace()).warnings
    assert full.message == "the quota of attachments in plane business is used up: 2 of 2"


async def test_a_required_plane_is_called_so(cluster: ExplainedCluster) -> None:
    cluster.namespace("shop", {"plane.netplane.io/business": "required"})
    found = await cluster.explained_namespace()
    assert of(found.details, "business")["joins"] == "required"


async def test_a_required_plane_that_is_not_there_is_a_fault(cluster: ExplainedCluster) -> None:
    cluster.namespace("shop", {"plane.netplane.io/busines": "required"})
    (error,) = (await cluster.explained_namespace()).errors
    assert error.message == 'cannot attach the required plane "busines": there is none'
    assert "error: Namespace shop: " in cluster.err


async def test_a_label_with_another_value_is_told(cluster: ExplainedCluster) -> None:
    cluster.namespace("shop", {"plane.netplane.io/business": "yes"})
    found = await cluster.explained_namespace()
    assert "neither enabled nor required" in found.warnings[0].message
    assert 'business: "yes", not enabled or required' in of(found.details, "business")["why"]


async def test_a_plane_that_is_not_accepted_is_a_fault_where_it_is_meant(
    cluster: ExplainedCluster,
) -> None:
    broken = plane_object("broken", network={"type": "macvlan", "mode": "odd"})
    cluster.kube.put_object(PLANES, broken)
    found = await cluster.explained_namespace()
    assert found.errors == ()
    assert "not accepted: " in of(found.details, "broken")["why"]
    cluster.namespace("shop", {"plane.netplane.io/broken": "enabled"})
    (error,) = (await cluster.explained_namespace()).errors
    assert error.message.startswith("cannot join plane broken: it is not accepted: ")


async def test_a_plane_that_is_being_deleted_is_called_so(cluster: ExplainedCluster) -> None:
    obj = plane_object("going", network={"type": "macvlan", "master": "eth3"})
    obj["metadata"]["finalizers"] = ["netplane.io/in-use"]
    cluster.kube.put_object(PLANES, obj)
    await cluster.kube.delete(PLANES, "going")
    found = await cluster.explained_namespace()
    assert "the plane is being deleted" in of(found.details, "going")["why"]


async def test_a_plane_whose_addresses_another_one_has_is_a_fault(
    cluster: ExplainedCluster,
) -> None:
    """Of two planes on one wire with the same addresses the lower name of one second counts."""
    cluster.kube.put_object(PLANES, plane_object("later"))
    cluster.namespace("shop", {"plane.netplane.io/later": "enabled"})
    (error,) = (await cluster.explained_namespace()).errors
    assert error.message.startswith("plane later is not in force: ")


async def test_without_the_right_to_list_namespaces_its_own_is_enough(
    cluster: ExplainedCluster,
) -> None:
    refused = Denied("cannot list namespaces: forbidden")
    cluster.kube.fail_next(refused, verb="list", resource=NAMESPACES)
    found = await cluster.explained_namespace()
    assert of(found.details, "business")["joins"] == "yes"
    assert found.details["unknown"] == ["not known: cannot list namespaces: forbidden"]
