"""A tenant whose own pods fail, so that an administrator's plane looks unavailable.

Of his pod's networks those that stand before the plane are made first, and are in the way: a VRF
that is called as the plane's interface, a sysctl under which its addresses never settle.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cni.planning.plane_health import PlaneHealth
from cni.plugins.attachment import PlannedAttachment
from planes.model.errors import Conflict, NotFound, PlanesError
from planes.model.names import DEFAULT_NETWORK_ANNOTATION
from planes.model.objects import Pod
from planes.run.metrics import Metrics
from tests.cni.planning.reporting_node import BUSINESS, CONFLIST
from tests.cni.planning.test_plane_health import OF_A_POD, Counted, failing, metrics_of
from tests.cni.runtime_scene import bench, shop_store
from tests.cni.scene import pod_object, set_up
from tests.support.clock import FakeClock
from tests.support.node.daemon import CniError, Place
from tests.support.node.netns import Node, why_no_reference
from tests.support.planes import plane_object

OWN = PlannedAttachment("shop/own", CONFLIST, "net1", is_chosen=True)
CLUSTER = PlannedAttachment("cluster", CONFLIST, "eth0", is_default=True)


class Health:
    """A node's count of attempts at plane business."""

    def __init__(self) -> None:
        self.health = PlaneHealth(FakeClock(), "n1", lambda: {"business"})
        self._metrics = Metrics()
        self.health.measure(self._metrics)

    @property
    def failures(self) -> float | None:
        name = "netplane_plane_failures"
        return self._metrics.registry.get_sample_value(name, {"plane": "business"})


@pytest.mark.parametrize("error", OF_A_POD, ids=type)
def test_what_fails_after_a_network_of_the_tenant_s_choice_is_no_fault_of_the_plane(
    error: PlanesError,
) -> None:
    node = Health()
    node.health.failed(BUSINESS, error, [CLUSTER, OWN])
    assert node.failures is None


def test_a_master_that_the_node_lacks_is_told_whatever_the_tenant_s_pods_have() -> None:
    node = Health()
    node.health.failed(BUSINESS, NotFound("cannot find master device eth2"), [CLUSTER, OWN])
    assert node.failures == 1


def test_what_every_pod_has_before_its_planes_excuses_nothing() -> None:
    """The cluster network, other planes, and what Multus' file gives every pod."""
    node = Health()
    further = PlannedAttachment("file", CONFLIST, "net1")
    node.health.failed(BUSINESS, Conflict("x"), [CLUSTER, further, BUSINESS])
    assert node.failures == 1


@pytest.mark.parametrize("in_place", [False, True], ids=["network", "default-network"])
async def test_a_tenant_s_network_before_the_plane_is_seen_in_an_add(
    tmp_path: Path, in_place: bool
) -> None:
    store = shop_store(networks="chain")
    if in_place:
        own = {DEFAULT_NETWORK_ANNOTATION: "shop/inside"}
        store.put_pod(Pod("shop", "web", uid="u1", annotations=own))
    made = await bench(tmp_path, store)
    counted = Counted(made)
    made.exec.scripts["macvlan"] = failing
    with pytest.raises(PlanesError, match="plane business"):
        await made.call("ADD")
    assert counted.failures is None


@pytest.mark.kernel
def test_a_tenant_s_sysctl_makes_no_plane_look_failing_on_a_node(daemon: Place, here: Node) -> None:
    """Duplicate address detection of the plane's address goes on for ever under it."""
    if reason := why_no_reference("tuning"):
        pytest.skip(reason)
    set_up(daemon)
    plane = plane_object(
        "guarded",
        attachment="OnRequest",
        namespaceSelector={"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
        subnets=[{"cidr": "fd10::/112"}],
    )
    sysctl = {"net.ipv6.conf.default.dad_transmits": "1000"}
    plugins = [{"type": "bridge", "bridge": "br-t"}, {"type": "tuning", "sysctl": sysctl}]
    hostile = {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "t", "namespace": "shop"},
        "spec": {"config": json.dumps({"cniVersion": "1.0.0", "name": "t", "plugins": plugins})},
    }
    daemon.manifest("hostile", plane, hostile, pod_object("thief", "t,netplane-system/guarded"))
    daemon.start()
    with pytest.raises(CniError, match="still tentative"):
        daemon.call("ADD", here.sandbox.path, pod="shop/thief")
    assert 'netplane_plane_failures{plane="guarded"}' not in metrics_of(daemon)
