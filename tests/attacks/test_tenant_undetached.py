"""A tenant whose network can never be detached: its plugin refuses each DEL, for ever.

Each attempt to start a pod is a sandbox of its own, and left a journal entry that was tried again
for ever: memory, disk and plugin runs of a node without bound, from one NAD with a wrong subnet.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cni.host.exec import Completed
from cni.journal.undetached import MOST_UNDETACHED
from planes.model.errors import PlanesError, Unavailable
from planes.model.objects import Nad, Namespace, Pod
from tests.cni.runtime_scene import INSIDE, bench, shop_store
from tests.cni.scene import pod_object, set_up
from tests.support.cni.exec import PluginCall, failed, plain
from tests.support.cni.runtime import Bench
from tests.support.node.daemon import CniError, Place
from tests.support.node.netns import Node, why_no_reference


async def _refuse(_: PluginCall) -> Completed:
    return failed("invalid CIDR address: 10.1.0.0/33")


async def _no_del(call: PluginCall) -> Completed:
    return await (_refuse if call.verb == "DEL" else plain)(call)


async def _world(root: Path) -> Bench:
    """Return a node where pod shop/web has NADs of its own, and bank/safe has one too."""
    store = shop_store(networks="chain")
    store.put_pod(Pod("shop", "only", uid="u2", annotations={}))
    store.put_namespace(Namespace("bank"))
    store.put_nad(Nad("bank", "inside", json.dumps(INSIDE)))
    names = {"k8s.v1.cni.cncf.io/networks": "inside"}
    store.put_pod(Pod("bank", "safe", uid="u3", annotations=names))
    return await bench(root, store)


async def _fill(made: Bench, plugin: str = "two") -> None:
    """Leave as many sandboxes of shop/web as may be, whose namespaces are gone."""
    made.exec.scripts[plugin] = _refuse
    for number in range(MOST_UNDETACHED):
        with pytest.raises(PlanesError):
            await made.call("ADD", container=f"c{number}")
    assert made.leftovers()["calls"] == MOST_UNDETACHED


async def test_tenant_leaves_so_many_sandboxes_that_cannot_be_detached_and_no_more(
    tmp_path: Path,
) -> None:
    made = await _world(tmp_path)
    await _fill(made)
    for number in range(3):
        with pytest.raises(Unavailable) as caught:
            await made.call("ADD", container=f"more{number}")
    text = str(caught.value)
    assert f"{MOST_UNDETACHED} sandboxes of namespace shop could not be detached" in text
    assert "invalid CIDR address: 10.1.0.0/33" in text
    assert made.leftovers()["calls"] == MOST_UNDETACHED


async def test_tenant_s_sandboxes_that_cannot_be_detached_are_no_other_tenant_s_matter(
    tmp_path: Path,
) -> None:
    """Nor that of pods of its own that have planes and the cluster network alone."""
    made = await _world(tmp_path)
    await _fill(made)
    await made.call("ADD", pod="bank/safe", container="bank")
    await made.call("DEL", pod="bank/safe", container="bank")
    await made.call("ADD", pod="shop/only", container="only")


async def test_tenant_s_pods_start_again_when_its_sandboxes_could_be_detached(
    tmp_path: Path,
) -> None:
    made = await _world(tmp_path)
    await _fill(made)
    made.exec.scripts["two"] = plain
    made.clock.advance(600)
    await made.reconciler.reconcile()
    assert made.leftovers()["calls"] == 0
    await made.call("ADD", container="again")


async def test_what_the_cluster_network_leaves_keeps_no_tenant_from_its_networks(
    tmp_path: Path,
) -> None:
    """A node without iptables is its administrator's to mend; pods go on starting as before."""
    made = await _world(tmp_path)
    made.exec.scripts["one"] = _no_del
    for number in range(MOST_UNDETACHED + 1):
        await made.call("ADD", container=f"c{number}")
        with pytest.raises(Unavailable):
            await made.call("DEL", container=f"c{number}")
    await made.call("ADD", container="more")


@pytest.mark.kernel
def test_tenant_s_nad_with_a_wrong_subnet_is_kept_for_later_on_a_node(
    daemon: Place, here: Node
) -> None:
    """The specimen, with the reference plugins: neither ADD nor DEL gets past the configuration."""
    if reason := why_no_reference("ipvlan"):
        pytest.skip(reason)
    set_up(daemon)
    ipam = {"type": "host-local", "subnet": "10.1.0.0/33"}
    conf = {"cniVersion": "1.0.0", "name": "t", "type": "ipvlan", "master": "br-t", "ipam": ipam}
    nad = {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "t", "namespace": "shop"},
        "spec": {"config": json.dumps(conf)},
    }
    daemon.manifest("nad", nad, pod_object("thief", "t"))
    daemon.start("--nads", "guarded", "--native", "ipvlan=false")
    refused = ""
    for number in range(MOST_UNDETACHED + 2):
        with pytest.raises(CniError) as caught:
            daemon.call("ADD", here.sandbox.path, container=f"c{number}", pod="shop/thief")
        refused = str(caught.value)
    assert "could not be detached from networks of their own" in refused
    journal = daemon.state / "journal"
    assert len([path for path in journal.rglob("*") if path.is_file()]) == MOST_UNDETACHED
