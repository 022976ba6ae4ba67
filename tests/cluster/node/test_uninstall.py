"""Install, takeover from Multus, uninstall: a node of a cluster ends as it was found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cni.conf_files import FILE_NAME, SAVED
from planes.model.names import STATIC_IPS_ANNOTATION
from tests.support.cluster_node import ClusterNode
from tests.support.netns import Namespace
from tests.support.node import addresses_in, eventually
from tests.support.uninstalling import bin_dir, install, tree, uninstall

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

Sandboxes = Callable[[int], list[Namespace]]
ALL = {"eth0", "net1", "san0"}
STATIC = {STATIC_IPS_ANNOTATION: '{"business": ["192.168.100.9"]}'}
MULTUS = {
    "cniVersion": "0.3.1",
    "name": "multus-cni-network",
    "type": "multus-shim",
    "clusterNetwork": "/host/etc/cni/net.d/10-cluster.conflist",
}


@pytest.fixture
def node(cluster: ClusterNode) -> Iterator[ClusterNode]:
    bin_dir(cluster).mkdir(exist_ok=True)
    yield cluster
    cluster.stop()
    assert cluster.remains() == []


def places(node: ClusterNode) -> tuple[Path, ...]:
    return node.conf_dir, bin_dir(node), node.state, node.socket.parent


def holders(node: ClusterNode) -> str:
    """What the cluster has written down of static addresses."""
    blocks: list[dict[str, Any]] = node.api.get("ipblocks")["items"]
    return "".join(address for block in blocks for address in block.get("holders", {}))


def test_a_node_that_took_over_from_multus_is_given_back(
    node: ClusterNode,
    sandboxes: Sandboxes,
) -> None:
    (sandbox,) = sandboxes(1)
    (node.conf_dir / "00-multus.conf").write_text(json.dumps(MULTUS))
    before = tree(*places(node)[:3])
    assert install(node).returncode == 0
    node.options = ("--replace-multus",)
    node.start()
    eventually((node.conf_dir / FILE_NAME).exists)
    eventually((node.conf_dir / f"00-multus.conf{SAVED}").exists)
    assert not (node.conf_dir / "00-multus.conf").exists()
    node.put_pod("web", STATIC)
    assert node.call("ADD", "c1", sandbox, pod="web").status == 0
    assert addresses_in(sandbox).keys() == ALL
    assert "192.168.100.9" in holders(node)
    node.remove_pod("web")
    node.stop()
    assert node.call("DEL", "c1", sandbox, pod="web").status == 0
    done = uninstall(node, "--kubeconfig", str(node.kubeconfig))
    assert done.returncode == 0, done.stderr
    assert tree(*places(node)[:3]) == before
    assert not node.socket.parent.exists()
    assert addresses_in(sandbox) == {}
    assert "192.168.100.9" not in holders(node)
    (node.conf_dir / "00-multus.conf").unlink()
