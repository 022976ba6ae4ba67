"""Install, takeover from Multus, uninstall: a node of a cluster ends as it was found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cni.confdir.files import FILE_NAME, SAVED
from cni.confdir.restore import WRITTEN
from planes.model.names import STATIC_IPS_ANNOTATION
from tests.support.node.cluster_node import ClusterNode
from tests.support.node.multus_daemon import multus_daemon
from tests.support.node.netns import Namespace
from tests.support.node.node import addresses_in, eventually
from tests.support.node.uninstalling import bin_dir, install, tree, uninstall

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
THIN = {**MULTUS, "type": "multus"}


@pytest.fixture
def node(cluster: ClusterNode) -> Iterator[ClusterNode]:
    bin_dir(cluster).mkdir(exist_ok=True)
    yield cluster
    cluster.stop()
    assert cluster.remains() == []


def places(node: ClusterNode) -> tuple[Path, ...]:
    return node.conf_dir, bin_dir(node), node.state, node.socket.parent


def holders(node: ClusterNode) -> str:
    """Return what the cluster has written down of static addresses."""
    blocks: list[dict[str, Any]] = node.api.get("ipblocks")["items"]
    return "".join(address for block in blocks for address in block.get("holders", {}))


def program(node: ClusterNode, name: str) -> None:
    """Put a program of Multus into the bin dir."""
    (bin_dir(node) / name).write_text("#!/bin/sh\n")
    (bin_dir(node) / name).chmod(0o755)


def test_a_node_that_took_over_from_multus_is_given_back(
    node: ClusterNode,
    sandboxes: Sandboxes,
) -> None:
    (sandbox,) = sandboxes(1)
    run = node.socket.parent.with_name(f"{node.socket.parent.name}-multus")
    multus = {**MULTUS, "daemonSocketDir": str(run)}
    (node.conf_dir / "00-multus.conf").write_text(json.dumps(multus))
    program(node, "multus-shim")
    before = tree(*places(node)[:3])
    assert install(node).returncode == 0
    node.options = ("--replace-multus",)
    node.start()
    eventually((node.conf_dir / FILE_NAME).exists)
    eventually((node.conf_dir / f"00-multus.conf{SAVED}").exists)
    # It is saved before ours is written, and set aside after that.
    eventually(lambda: not (node.conf_dir / "00-multus.conf").exists())
    node.put_pod("web", STATIC)
    assert node.call("ADD", "c1", sandbox, pod="web").status == 0
    assert addresses_in(sandbox).keys() == ALL
    assert "192.168.100.9" in holders(node)
    node.remove_pod("web")
    node.stop()
    assert node.call("DEL", "c1", sandbox, pod="web").status == 0
    with multus_daemon(run):
        done = uninstall(node, "--kubeconfig", str(node.kubeconfig))
    run.rmdir()
    assert done.returncode == 0, done.stderr
    assert tree(*places(node)[:3]) == before
    assert not node.socket.parent.exists()
    assert addresses_in(sandbox) == {}
    assert "192.168.100.9" not in holders(node)
    (node.conf_dir / "00-multus.conf").unlink()
    (bin_dir(node) / "multus-shim").unlink()


@pytest.mark.parametrize(
    ("token", "why"), [("", ""), ("void", "cannot get Pod kube-system/")], ids=["good", "void"]
)
def test_a_thin_multus_gets_its_file_back_where_its_token_may_still_read_pods(
    node: ClusterNode, token: str, why: str
) -> None:
    """Deleting its DaemonSet leaves program and kubeconfig, whose token the API server voids."""
    kubeconfig = node.home / "multus.kubeconfig"
    node.api.write_kubeconfig(kubeconfig, token or node.api.token())
    thin = {**THIN, "kubeconfig": str(kubeconfig)}
    saved = node.conf_dir / f"00-multus.conf{SAVED}"
    saved.write_text(json.dumps(thin))
    program(node, "multus")
    done = uninstall(node, "--kubeconfig", str(node.kubeconfig))
    assert done.returncode == 0, done.stderr
    restored = node.conf_dir / "00-multus.conf"
    assert restored.exists() == (not why)
    assert why in done.stderr
    for path in (restored, saved, kubeconfig, bin_dir(node) / "multus"):
        path.unlink(missing_ok=True)


def test_a_cluster_network_that_is_a_nad_is_the_nodes_own_file_without_multus(
    node: ClusterNode,
) -> None:
    """The daemon's role may list NADs: nothing else is asked for."""
    config = {"cniVersion": "1.0.0", "name": "lab", "type": "bridge"}
    node.api.apply(
        {
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": {"name": "lab", "namespace": "kube-system"},
            "spec": {"config": json.dumps(config)},
        }
    )
    saved = node.conf_dir / f"00-multus.conf{SAVED}"
    saved.write_text(json.dumps({**MULTUS, "clusterNetwork": "lab"}))
    done = uninstall(node, "--kubeconfig", str(node.kubeconfig))
    assert done.returncode == 0, done.stderr
    written = node.conf_dir / WRITTEN
    assert json.loads(written.read_text())["name"] == "lab"
    assert not (node.conf_dir / "00-multus.conf").exists()
    written.unlink()
    saved.unlink()
