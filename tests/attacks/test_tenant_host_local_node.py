"""A tenant's NADs on a real node: what they may not have is refused, and the node serves on."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cni.scene import NOTHING, leftovers, pod_object, set_up
from tests.support.node.daemon import CniError, Place
from tests.support.node.netns import Node

kernel = pytest.mark.kernel
SOON = 15.0


@kernel
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "plugin",
    [
        {"type": "bridge", "ipam": {"resolvConf": "{fifo}"}},
        {"type": "bridge", "ipam": {"resolvConf": "/dev/zero"}},
        {"type": "bridge", "ipam": {"dataDir": "/etc"}},
        {"type": "flannel", "subnetFile": "{fifo}"},
        {"type": "flannel", "subnetFile": "/dev/zero"},
        {"type": "flannel", "subnetFile": "{lease}", "dataDir": "/etc/netplane-test"},
        {"type": "bridge", "bridge": "br%d", "ipam": {}},
        {"type": "bridge", "bridge": "br%d", "vlan": 7, "ipam": {}},
    ],
)
def test_tenant_nad_is_refused_and_the_node_serves_on(
    daemon: Place, here: Node, plugin: dict[str, Any]
) -> None:
    set_up(daemon)
    fifo, lease = daemon.directory / "fifo", daemon.directory / "lease"
    os.mkfifo(fifo)
    lease.write_text(
        "FLANNEL_NETWORK=10.7.0.0/16\nFLANNEL_SUBNET=10.7.1.1/24\nFLANNEL_MTU=1450\n"
        "FLANNEL_IPMASQ=false\n"
    )
    text = json.dumps({"cniVersion": "1.0.0", **plugin}).replace("{fifo}", str(fifo))
    nad = json.loads(text.replace("{lease}", str(lease)))
    if "ipam" in nad:
        nad["ipam"] = {"type": "host-local", "subnet": "172.20.0.0/24", **nad["ipam"]}
    daemon.manifest(
        "evil",
        {
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": {"name": "evil", "namespace": "shop"},
            "spec": {"config": json.dumps(nad)},
        },
        pod_object("evil", "evil"),
    )
    daemon.start()
    links = {link["ifname"] for link in here.host.ip_json("link")}
    began = time.monotonic()
    with pytest.raises(CniError):
        daemon.call("ADD", here.sandbox.path, pod="shop/evil")
    daemon.call("DEL", here.sandbox.path, pod="shop/evil")
    assert time.monotonic() - began < SOON
    assert not Path("/etc/netplane-test").exists()
    assert {link["ifname"] for link in here.host.ip_json("link")} - links <= {"cni0"}
    daemon.call("ADD", here.sandbox.path, container="c2", pod="shop/web")
    daemon.call("DEL", here.sandbox.path, container="c2", pod="shop/web")
    assert leftovers(daemon, here) == NOTHING


@kernel
def test_tenant_interface_that_the_kernel_would_number_is_refused(
    daemon: Place, here: Node
) -> None:
    set_up(daemon)
    daemon.manifest("evil", pod_object("evil", "store@net%d"))
    daemon.start()
    with pytest.raises(CniError, match="net%d"):
        daemon.call("ADD", here.sandbox.path, pod="shop/evil")
    with pytest.raises(CniError, match="eth%d"):
        daemon.call("ADD", here.sandbox.path, ifname="eth%d", pod="shop/web")
    assert leftovers(daemon, here) == NOTHING
