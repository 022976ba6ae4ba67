"""The status of planes whose addresses are also another plane's, or the cluster's own."""

from __future__ import annotations

from planes.kube.resources import EVENTS, NODES, PLANES, SERVICE_CIDRS
from planes.model.errors import NotFound
from tests.webhook.controller.running_controller import RunningController

WIDE, NARROW = [{"cidr": "192.168.0.0/16"}], [{"cidr": "192.168.9.0/24"}]


async def test_the_later_of_two_planes_is_not_accepted_until_the_earlier_one_goes(
    controller: RunningController,
) -> None:
    controller.put_plane(subnets=WIDE)
    controller.put_plane("storage", subnets=NARROW)
    controller.start()
    await controller.settle(20)
    assert controller.condition("Accepted") == ("True", "Valid")
    assert controller.condition("Accepted", "storage") == ("False", "AddressesTaken")
    (event,) = [e for e in controller.kube.objects(EVENTS) if e["reason"] == "AddressesTaken"]
    assert event["type"] == "Warning"
    assert event["involvedObject"]["name"] == "storage"
    assert "which plane business hands out" in event["message"]
    controller.kube.remove_object(PLANES, "business")
    await controller.settle()
    assert controller.condition("Accepted", "storage") == ("True", "Valid")


async def test_a_plane_on_the_clusters_own_networks_says_so_and_is_in_force(
    controller: RunningController,
) -> None:
    controller.kube.put_object(
        NODES,
        {
            "metadata": {"name": "node7"},
            "spec": {"podCIDRs": ["10.244.7.0/24", "nonsense"]},
            "status": {"addresses": [{"type": "InternalIP", "address": "10.1.0.7"}, "nonsense"]},
        },
    )
    services = {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": ["10.96.0.0/12"]}}
    controller.kube.put_object(SERVICE_CIDRS, services)
    for name, cidr, vlan in (
        ("pods", "10.244.0.0/16", 2),
        ("services", "10.97.0.0/16", 3),
        ("nodes", "10.1.0.0/24", 4),
        ("fine", "10.2.0.0/24", 5),
    ):
        network = {"type": "vlan", "master": "eth1", "vlan": vlan}
        controller.put_plane(name, network=network, subnets=[{"cidr": cidr}])
    controller.start()
    await controller.settle(60)
    for name in ("pods", "services", "nodes"):
        assert controller.condition("Accepted", name) == ("True", "Valid")
        assert controller.condition("Overlapping", name) == ("True", "ClusterOverlap")
    assert controller.condition("Overlapping", "fine") == ("False", "NoOverlap")
    told = {
        each["involvedObject"]["name"]: each["message"]
        for each in controller.kube.objects(EVENTS)
        if each["reason"] == "ClusterOverlap"
    }
    assert told == {
        "pods": "10.244.0.0/16 overlaps 10.244.7.0/24, which is of the cluster's pods "
        "(spec.podCIDRs of node node7)",
        "services": "10.97.0.0/16 overlaps 10.96.0.0/12, which is of the cluster's Services",
        "nodes": "10.1.0.7, which it hands out, is the address of node node7",
    }


async def test_a_plane_that_spares_the_nodes_addresses_may_be_on_their_network(
    controller: RunningController,
) -> None:
    address = {"type": "InternalIP", "address": "10.1.0.7"}
    controller.kube.put_object(
        NODES, {"metadata": {"name": "node7"}, "status": {"addresses": [address]}}
    )
    controller.put_plane(subnets=[{"cidr": "10.1.0.0/24", "ranges": ["10.1.0.100-10.1.0.200"]}])
    controller.start()
    await controller.settle(20)
    assert controller.condition("Overlapping") == ("False", "NoOverlap")


async def test_an_api_server_without_service_cidrs_is_no_fault(
    controller: RunningController,
) -> None:
    controller.kube.fail_next(NotFound("cannot list"), verb="list", resource=SERVICE_CIDRS, times=9)
    node = {"metadata": {"name": "n"}, "spec": {"podCIDRs": ["10.9.0.0/25"]}}
    controller.kube.put_object(NODES, node)
    controller.put_plane()
    controller.start()
    await controller.settle(20)
    assert controller.condition("Overlapping") == ("True", "ClusterOverlap")
