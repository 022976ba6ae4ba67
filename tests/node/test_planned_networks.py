"""The planes of an imported plan on a node: pods that ask for nothing get an interface for each."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Interface

import pytest
import yaml

from planes.model.addresses import parse_range
from tests.support.command_line import netplane
from tests.support.node.netns import Namespace
from tests.support.node.node import JsonObject, LiveNode, addresses_in
from tests.support.plans import ARTICLE, ARTICLE_ANSWERS

pytestmark = pytest.mark.kernel

BUSINESS = parse_range("192.168.100.10-192.168.100.200")
STORAGE = parse_range("172.16.1.10-172.16.1.200")


def imported() -> list[JsonObject]:
    found = netplane("plan", "import", str(ARTICLE / "network-plan.json"), *ARTICLE_ANSWERS)
    assert found.status == 0, found.err
    return list(yaml.safe_load_all(found.out))


def created(node: LiveNode, namespace: str, name: str) -> str:
    """Create a pod without annotations; return its CNI_ARGS."""
    meta = {"name": name, "namespace": namespace, "uid": f"uid-{name}"}
    spec = {"containers": [{"name": "main", "image": "app"}]}
    node.pods.put({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    return f"K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={name};K8S_POD_UID=uid-{name}"


def test_pods_of_the_plans_namespaces_get_addresses_of_its_ranges(
    own_node: LiveNode, sandboxes: Callable[[int], list[Namespace]]
) -> None:
    own_node.put(*imported())
    own_node.start()
    places = sandboxes(3)
    names = [("business-apps", "b-0"), ("business-apps", "b-1"), ("storage-apps", "s-0")]
    for number, (place, name) in enumerate(zip(places, names, strict=True)):
        added = own_node.call("ADD", f"c{number}", place, CNI_ARGS=created(own_node, *name))
        assert added.status == 0, added.error
    shown = [addresses_in(place) for place in places]
    assert [sorted(each.keys() - {"lo"}) for each in shown] == [
        ["eth0", "net1"],
        ["eth0", "net1"],
        ["eth0", "net1", "storage0"],
    ]
    business = [IPv4Interface(each["net1"][0]) for each in shown]
    assert len({each.ip for each in business}) == 3
    assert all(each.ip in BUSINESS for each in business)
    assert {each.network.prefixlen for each in business} == {16}
    storage = IPv4Interface(shown[2]["storage0"][0])
    assert storage.ip in STORAGE
    for number, place in enumerate(places):
        assert own_node.call("DEL", f"c{number}", place).status == 0
