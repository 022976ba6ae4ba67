"""Inputs as people write them today, faults included: understood as they are by a node."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.node.manifests import BUSINESS
from tests.support.node.netns import Namespace, why_no_link_kind
from tests.support.node.node import LiveNode, addresses_in, netconf

pytestmark = pytest.mark.kernel

EXAMPLES = Path(__file__).parents[3] / "shared" / "examples"


@pytest.fixture(autouse=True)
def _examples() -> None:
    if not EXAMPLES.is_dir():
        pytest.skip("the shared examples are not beside the project")


@pytest.fixture
def flannel(own_node: LiveNode) -> LiveNode:
    """A node on Flannel with the NADs of the first example, beside a plane that shares its wire.

    Without `shared` only namespaces that joined the plane could use NADs on eth1.
    """
    home = EXAMPLES / "flannel-planes"
    network = {**BUSINESS["spec"]["network"], "shared": True}
    own_node.put({**BUSINESS, "spec": {**BUSINESS["spec"], "network": network}})
    for name in ("namespaces.yaml", "policies.yaml"):
        shutil.copy(home / name, own_node.manifests)
    own_files = f'"type": "host-local", "dataDir": "{own_node.home / "networks"}"'
    networks = (home / "networks.yaml").read_text().replace('"type": "host-local"', own_files)
    (own_node.manifests / "networks.yaml").write_text(networks)
    shutil.copy(home / "subnet.env", own_node.home)
    conflist = json.loads((home / "10-flannel.conflist").read_text())
    conflist["plugins"][0] |= {
        "subnetFile": str(own_node.home / "subnet.env"),
        "dataDir": str(own_node.home / "flannel"),
        "ipam": {"dataDir": str(own_node.home / "networks")},
    }
    (own_node.conf_dir / "00-flannel.conflist").write_text(json.dumps(conflist))
    own_node.start()
    return own_node


def test_flannels_lease_becomes_eth0(flannel: LiveNode, sandbox: Namespace) -> None:
    flannel.call("ADD", "c1", sandbox)
    [eth0] = [link for link in sandbox.ip_json("link") if link["ifname"] == "eth0"]
    assert addresses_in(sandbox)["eth0"][0].startswith("10.244.1.")
    assert eth0["mtu"] == 1450
    assert flannel.call("DEL", "c1", sandbox).status == 0


def test_of_replicas_that_share_one_address_the_first_gets_it_and_keeps_it(
    flannel: LiveNode, sandboxes: Callable[[int], list[Namespace]]
) -> None:
    first, second = sandboxes(2)
    args = [_created(flannel, "business-app", number) for number in range(2)]
    assert flannel.call("ADD", "c0", first, CNI_ARGS=args[0]).status == 0
    assert addresses_in(first)["net1"] == ["192.168.100.10/16"]
    error = flannel.call("ADD", "c1", second, CNI_ARGS=args[1]).error
    assert "192.168.100.10" in error["msg"]
    assert addresses_in(second) == {}
    assert addresses_in(first)["net1"] == ["192.168.100.10/16"]
    assert flannel.call("DEL", "c0", first).status == 0


def test_a_nad_of_another_namespace_is_named(flannel: LiveNode, sandbox: Namespace) -> None:
    args = _created(flannel, "storage-app", 0)
    error = flannel.call("ADD", "c1", sandbox, CNI_ARGS=args).error
    assert "cannot find a NAD business-network in namespace storage-apps" in error["msg"]
    assert "business-apps/business-network" in error["details"]
    assert addresses_in(sandbox) == {}


def test_a_pod_with_a_static_address_on_ipvlan(own_node: LiveNode, sandbox: Namespace) -> None:
    if reason := why_no_link_kind("ipvlan"):
        pytest.skip(reason)
    shutil.copy(EXAMPLES / "ipvlan-static" / "network-and-pod.yaml", own_node.manifests)
    own_node.start()
    args = "K8S_POD_NAMESPACE=example-multus;K8S_POD_NAME=example-nad-pod"
    assert own_node.call("ADD", "c1", sandbox, CNI_ARGS=args).status == 0
    assert addresses_in(sandbox)["net1"] == ["192.168.122.188/24"]
    assert own_node.call("DEL", "c1", sandbox).status == 0


def test_the_delegate_of_a_multus_file_is_the_default_network(
    own_node: LiveNode, sandbox: Namespace
) -> None:
    shutil.copy(EXAMPLES / "ipvlan-static" / "00-multus.conf", own_node.conf_dir)
    own_node.start()
    error = own_node.call("ADD", "c1", sandbox).error
    assert "calico" in error["msg"]
    assert "multus" not in error["msg"]


@pytest.mark.parametrize("name", ["10-bridge.conf", "20-jumbo.conf", "30-minimal.conf"])
def test_a_bridge_of_a_host_without_pods(own_node: LiveNode, sandbox: Namespace, name: str) -> None:
    network: dict[str, Any] = json.loads((EXAMPLES / "bridge-host" / name).read_text())
    network["ipam"]["dataDir"] = str(own_node.home / "networks")
    asked = netconf(cniVersion=network["cniVersion"], delegate=network)
    own_node.start()
    added = own_node.call("ADD", "c1", sandbox, stdin=asked).result
    assert added["cniVersion"] == network["cniVersion"]
    assert addresses_in(sandbox)["eth0"] == [added["ips"][0]["address"]]
    assert own_node.call("CHECK", "c1", sandbox, stdin=asked | {"prevResult": added}).status == 0
    if network.get("isGateway"):
        sandbox.run("busybox", "ping", "-c", "1", "-W", "2", network["ipam"]["gateway"])
    assert own_node.call("DEL", "c1", sandbox, stdin=asked).status == 0


def _created(node: LiveNode, app: str, number: int) -> str:
    """Create a replica of an application; return its CNI_ARGS."""
    documents = yaml.safe_load_all((EXAMPLES / "flannel-planes" / f"{app}.yaml").read_text())
    deployment = next(one for one in documents if one["kind"] == "Deployment")
    namespace, name = deployment["metadata"]["namespace"], f"{app}-{number}"
    template = deployment["spec"]["template"]
    meta = {**template["metadata"], "name": name, "namespace": namespace, "uid": f"uid-{name}"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
    node.pods.put(pod)
    return f"K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={name};K8S_POD_UID=uid-{name}"
