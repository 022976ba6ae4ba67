"""Addresses come back on a whole cluster: from full planes, other IPAMs, and nodes that are lost.

The nodes are lost before the first test and the facts about them are stated before the second, so
that what Kubernetes takes a minute for goes on under the other tests.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import pytest

from tests.cluster.e2e.conftest import Spaces
from tests.cluster.e2e.figures import Figures
from tests.cluster.e2e.lost_nodes import STAYS, LostNodes, planes
from tests.cluster.lab.cluster import Cluster
from tests.cluster.netplane import NETWORKS, SYSTEM, Netplane, Workspace, address, status_of
from tests.cluster.test_adoption import GROUP, definition
from tests.cluster.workloads import deployment, is_ready, lacked, pod
from tests.support.planes import plane_object

# Run alone, the first test waits for the cluster.
pytestmark = pytest.mark.timeout(600)

WITHIN: Final = 60
"""Seconds from a fencing fact until the replacement is ready."""
PODS: Final = 120
IPAM: Final = {"mode": "Plane"}
OLD: Final = {"5": ("a", "node1"), "6": ("b", "node2"), "9": ("c", "node2")}
"""Pods with addresses of whereabouts, and their nodes, by the last byte."""


@pytest.fixture(scope="module")
def lost(netplane: Netplane) -> Iterator[LostNodes]:
    """Three nodes that have just been lost."""
    nodes = LostNodes(netplane)
    with nodes.running():
        nodes.lose()
        yield nodes


@pytest.fixture(scope="module")
def stated(lost: LostNodes) -> LostNodes:
    """The same, after people have stated what became of them."""
    lost.state()
    return lost


def addresses(space: Workspace) -> list[str]:
    """Return the addresses of the pods that are ready in their plane."""
    return [address(status_of(one), "net1") for one in space.pods() if is_ready(one)]


def test_a_plane_is_used_to_its_last_address_and_then_says_why(
    cluster: Cluster, spaces: Spaces, lost: LostNodes
) -> None:
    subnets = [{"cidr": "10.70.0.0/25", "gateway": "10.70.0.1"}]
    usable = {str(one) for one in ipaddress.ip_network("10.70.0.0/25").hosts()} - {"10.70.0.1"}
    space = spaces()
    with planes(cluster, plane_object("crowded", subnets=subnets, ipam=IPAM)):
        cluster.kubectl("label", "namespace", space.name, "plane.netplane.io/crowded=required")
        space.apply(deployment("many", PODS, needs=("net1",)))
        space.kubectl("rollout", "status", "deployment/many", "--timeout=150s", seconds=160)
        assert len({one["spec"]["nodeName"] for one in space.pods()}) == 2
        space.apply(deployment("last", len(usable) - PODS + 1, needs=("net1",)))
        cluster.wait_for("125 addresses", lambda: len(addresses(space)) == len(usable), seconds=180)
        found = addresses(space)
        assert set(found) == usable
        assert len(found) == len(usable)

        (waiting,) = [one for one in space.pods() if not is_ready(one)]
        name, node = waiting["metadata"]["name"], waiting["spec"]["nodeName"]
        (other,) = {"node1", "node2"} - {node}

        def why() -> list[str]:
            said = space.messages("FailedCreatePodSandBox", name)
            return [one for one in said if f"{other}" in one.partition("belong to")[2]]

        cluster.wait_for("the reason", why, seconds=90)
        text = why()[-1]
        assert "cannot take an IPv4 address in plane crowded: of 125 addresses" in text
        assert f"node {node} has " in text
        assert "give the plane wider ranges or another subnet" in text

        space.kubectl("scale", "deployment/many", f"--replicas={PODS - 10}")
        # The other node had none free, so it is asked again after half a minute.
        space.wait_ready(name, seconds=90)
        assert address(space.networks(name), "net1") in usable
        assert [one for one in space.pods() if lacked(one)] == []


def nad(ip: str) -> dict[str, Any]:
    """Return a network that gives one address, as whereabouts would have chosen it."""
    ipam = {"type": "static", "addresses": [{"address": f"{ip}/28"}]}
    config = {"cniVersion": "1.0.0", "name": "old", "type": "macvlan", "master": "eth1"}
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": f"old-{ip.rpartition('.')[2]}", "namespace": SYSTEM},
        "spec": {"config": json.dumps({**config, "ipam": ipam})},
    }


def sandbox(cluster: Cluster, space: Workspace, name: str) -> str:
    """Return the container ID of a pod's sandbox."""
    found = space.get("pod", name)
    labels = {
        "io.kubernetes.pod.uid": found["metadata"]["uid"],
        "io.cri-containerd.kind": "sandbox",
    }
    wanted = ",".join(f'labels."{key}"=={value}' for key, value in labels.items())
    node = cluster.node(found["spec"]["nodeName"])
    return node.run("ctr", "-n", "k8s.io", "containers", "list", "-q", wanted).strip()


def pool(cluster: Cluster, space: Workspace) -> list[dict[str, Any]]:
    """Return a pool of whereabouts with its reservations, as its program writes them."""
    head = {"apiVersion": f"{GROUP}/v1alpha1"}
    refs = {
        last: {"podref": f"{space.name}/{name}", "ifname": "old0"}
        for last, (name, _) in OLD.items()
    }
    allocations = {
        last: {**refs[last], "id": sandbox(cluster, space, name)} for last, (name, _) in OLD.items()
    }
    return [
        {
            **head,
            "kind": "IPPool",
            "metadata": {"name": "10.73.0.0-28"},
            "spec": {"range": "10.73.0.0/28", "allocations": allocations},
        },
        *(
            {
                **head,
                "kind": "OverlappingRangeIPReservation",
                "metadata": {"name": f"10.73.0.{last}"},
                "spec": ref,
            }
            for last, ref in refs.items()
        ),
    ]


@pytest.fixture
def whereabouts(cluster: Cluster) -> Iterator[None]:
    """The kinds of whereabouts, and networks that stand for those that it served."""
    networks = [nad(f"10.73.0.{last}") for last in OLD]
    cluster.server.apply(*networks)
    kinds = {
        "ippools": "IPPool",
        "overlappingrangeipreservations": "OverlappingRangeIPReservation",
    }
    cluster.server.apply(*(definition(plural, kind) for plural, kind in kinds.items()))
    names = [f"crd/{plural}.{GROUP}" for plural in kinds]
    cluster.kubectl("wait", "--for=condition=Established", *names, "--timeout=20s")
    yield
    cluster.kubectl("delete", *names)
    old = [one["metadata"]["name"] for one in networks]
    cluster.kubectl("-n", SYSTEM, "delete", "net-attach-def", *old)


@pytest.mark.usefixtures("whereabouts", "stated")
def test_no_address_of_a_pool_of_whereabouts_is_handed_out_while_its_pods_run(
    cluster: Cluster, netplane: Netplane, spaces: Spaces
) -> None:
    old, new = spaces(business="enabled"), spaces()
    for last, (name, node) in OLD.items():
        asked = {NETWORKS: f"{SYSTEM}/old-{last}@old0"}
        old.apply(pod(name, node=node, annotations=asked))
    old.wait_ready()
    old.apply(*pool(cluster, old))
    taken = {f"10.73.0.{last}" for last in OLD}
    with planes(cluster, plane_object("pooled", subnets=[{"cidr": "10.73.0.0/28"}], ipam=IPAM)):
        for node in ("node1", "node2"):
            said = netplane.on_node(node, "adopt", "--plane", "pooled", "--output=json")
            found = {one["address"]: one for one in json.loads(said)["addresses"]}
            own = {f"10.73.0.{last}" for last, (_, where) in OLD.items() if where == node}
            assert {ip for ip, one in found.items() if one["verdict"] == "hold"} == own
            assert all("whereabouts" in one["sources"] for one in found.values())
            netplane.on_node(node, "adopt", "--plane", "pooled", "--apply")
        cluster.kubectl("label", "namespace", new.name, "plane.netplane.io/pooled=required")
        free = {str(one) for one in ipaddress.ip_network("10.73.0.0/28").hosts()} - taken
        new.apply(deployment("all", len(free) + 1, needs=("net1",)))
        cluster.wait_for("all free ones", lambda: len(addresses(new)) >= len(free), seconds=180)
        cluster.wait_for("one that waits", lambda: new.messages("FailedCreatePodSandBox"))
        assert sorted(addresses(new)) == sorted(free)
        for node in ("node1", "node2"):
            cluster.wait_for("no findings", partial(netplane.on_node, node, "check-addresses"))
        old.kubectl("delete", "pod", "a", "--wait")
        # Its first DEL finds the attachment in the journal; a minute later the address is free.
        cluster.wait_for("the address of a", lambda: "10.73.0.5" in addresses(new), seconds=150)
        assert len(set(addresses(new))) == len(free) + 1


def test_a_pod_of_a_node_out_of_service_keeps_its_address_elsewhere(
    stated: LostNodes, figures: Figures
) -> None:
    figures.note("address kept, node out of service", stated.moved_after("shut", seconds=WITHIN))
    assert stated.holder("shut") == STAYS


def test_a_pod_of_a_deleted_node_keeps_its_address_elsewhere(
    stated: LostNodes, figures: Figures
) -> None:
    figures.note("address kept, node deleted", stated.moved_after("forced", seconds=WITHIN))
    # Kubernetes itself takes 40 to 60 s to delete a pod that nobody deletes by force.
    found = stated.moved_after("deleted", seconds=2 * WITHIN)
    figures.note("address kept, node deleted, pod left to Kubernetes", found)
    assert {stated.holder(name) for name in ("forced", "deleted")} == {STAYS}


def test_addresses_of_a_deleted_node_are_used_by_pods_of_others(
    cluster: Cluster, stated: LostNodes
) -> None:
    stated.leaving.wait_ready(*(f"wants-{number}" for number in range(6)), seconds=90)
    found = addresses(stated.leaving)
    assert len(set(found)) == len(found) == 6
    assert set(found) > stated.had
    blocks = cluster.server.get("ipb", "--field-selector=spec.plane=leaving")["items"]
    assert {one["spec"]["node"] for one in blocks if one["spec"]["use"] == "Node"} == {STAYS}


def test_a_pod_that_is_cut_off_keeps_its_address_until_its_node_is_back(
    cluster: Cluster, stated: LostNodes
) -> None:
    """What answers on the wire is shown by a third pod, which asks every second.

    A node that was out of service is back then, too, and takes nothing back.
    """
    before = stated.answers()
    (old,) = set(before)
    assert stated.pod("cut")["metadata"]["uid"] != stated.first["cut"]
    cluster.wait_for("waits", lambda: stated.why_waiting("cut"))
    assert all("may still run there" in one for one in stated.why_waiting("cut"))
    assert stated.holder("cut") == stated.cut.name
    assert not is_ready(stated.pod("cut"))
    answered = len(before)
    cluster.wait_for("more answers", lambda: len(stated.answers()) > answered + 3)
    assert set(stated.answers()) == {old}

    stated.mend()
    stated.homes.wait_ready("cut-0", seconds=90)
    new = stated.mac("cut")
    cluster.wait_for("its answers", lambda: stated.answers()[-1] == new)
    found = stated.answers()
    assert found == [old] * found.count(old) + [new] * found.count(new)
    assert {stated.holder(name) for name in ("cut", "shut")} == {STAYS}
