"""An ADD that fails names the cause on a real node: a taken MAC, master or file, and its owner."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cni.scene import NOTHING, leftovers, pod_object, set_up
from tests.support.node.daemon import CniError, Place
from tests.support.node.netns import Node, namespace

pytestmark = pytest.mark.kernel

JsonObject = dict[str, Any]
MAC = "02:00:00:00:00:11"


def nad(name: str, **conf: Any) -> JsonObject:
    capabilities = {"ips": True, "mac": True}
    whole = {"cniVersion": "1.0.0", "type": "macvlan", "capabilities": capabilities, **conf}
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"config": json.dumps(whole)},
    }


def add(daemon: Place, netns: str, pod: str) -> str:
    """Attach a pod; return the error, "" where there is none."""
    told = ""
    try:
        daemon.call("ADD", netns, pod=f"shop/{pod}", container=f"c-{pod}")
    except CniError as error:
        told = str(error.msg)
    if told:
        assert told.startswith("cannot attach net1 to NAD shop/")
        assert " on node node-a: " in told
    return told


def second_card(here: Node) -> None:
    """Return the node a card that no plane is on."""
    here.host.ip("link", "add", "up1", "type", "veth", "peer", "name", "up2")
    here.host.ip("link", "set", "up1", "up")


def remove(daemon: Place, here: Node, *pods: str) -> None:
    for pod in pods:
        daemon.call("DEL", "", pod=f"shop/{pod}", container=f"c-{pod}")
    assert leftovers(daemon, here) == NOTHING


def test_a_mac_that_is_in_use_is_named_with_its_wire_and_pod(daemon: Place, here: Node) -> None:
    set_up(daemon)
    second_card(here)
    asked = json.dumps([{"name": "mv", "mac": MAC}])
    pods = [pod_object(name, asked) for name in ("first", "second")]
    daemon.manifest("more", nad("mv", master="up1"), *pods)
    daemon.start()
    with namespace("other") as other:
        assert add(daemon, here.sandbox.path, "first") == ""
        assert add(daemon, other.path, "second").endswith(
            f"cannot bring up net1: its MAC {MAC} is in use on up1, by net1 of pod shop/first"
        )
        remove(daemon, here, "first", "second")


def test_on_the_wire_of_a_plane_it_is_refused_before_anything_is_made(
    daemon: Place, here: Node
) -> None:
    set_up(daemon)
    asked = json.dumps([{"name": "mv", "mac": MAC}])
    pods = [pod_object(name, asked) for name in ("first", "second")]
    daemon.manifest("more", nad("mv", master="eth1"), *pods)
    daemon.start()
    with namespace("other") as other:
        daemon.call("ADD", here.sandbox.path, pod="shop/first", container="c-first")
        with pytest.raises(CniError, match=f"MAC {MAC}: pod shop/first has it on that wire"):
            daemon.call("ADD", other.path, pod="shop/second", container="c-second")
        remove(daemon, here, "first", "second")


def test_a_pod_of_another_namespace_that_is_in_the_way_is_not_named(
    daemon: Place, here: Node
) -> None:
    """The text is in events of the pod that failed: a tenant would learn who has which MAC."""
    set_up(daemon)
    second_card(here)
    asked = json.dumps([{"name": "mv", "namespace": "shop", "mac": MAC}])
    bank = pod_object("vault", asked)
    bank["metadata"]["namespace"] = "bank"
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bank"}}
    daemon.manifest("more", nad("mv", master="up1"), space, bank, pod_object("thief", asked))
    daemon.start()
    with namespace("other") as other:
        daemon.call("ADD", here.sandbox.path, pod="bank/vault", container="c-vault")
        told = add(daemon, other.path, "thief")
        assert told.endswith(
            f"its MAC {MAC} is in use on up1, by net1 of a pod of another namespace"
        )
        daemon.call("DEL", "", pod="bank/vault", container="c-vault")
        remove(daemon, here, "thief")


def test_a_mac_of_the_master_itself_is_nobody_elses(daemon: Place, here: Node) -> None:
    set_up(daemon)
    [link] = [one for one in here.host.ip_json("link") if one["ifname"] == "eth1"]
    asked = json.dumps([{"name": "mv", "mac": link["address"]}])
    daemon.manifest("more", nad("mv", master="eth1"), pod_object("twin", asked))
    daemon.start()
    assert add(daemon, here.sandbox.path, "twin").endswith(
        f"its MAC {link['address']} is in use on eth1, by an interface that Netplane did not attach"
    )
    remove(daemon, here, "twin")


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("mv", "alone", "a macvlan in mode passthru must be alone on its master, and up1 has"),
        ("alone", "mv", "up1 has a macvlan in mode passthru, which must be alone"),
    ],
)
def test_a_passthru_beside_others_is_said_to_be_that(
    daemon: Place, here: Node, first: str, second: str, told: str
) -> None:
    set_up(daemon)
    second_card(here)
    nads = [nad("mv", master="up1"), nad("alone", master="up1", mode="passthru")]
    daemon.manifest("more", *nads, pod_object("first", first), pod_object("second", second))
    daemon.start()
    with namespace("other") as other:
        assert add(daemon, here.sandbox.path, "first") == ""
        assert told in add(daemon, other.path, "second")
        remove(daemon, here, "first", "second")


def test_a_master_that_is_used_otherwise_is_said_to_be_that(daemon: Place, here: Node) -> None:
    set_up(daemon)
    second_card(here)
    here.host.ip("link", "add", "br-x", "type", "bridge")
    here.host.ip("link", "set", "up1", "master", "br-x")
    daemon.manifest("more", nad("mv", master="up1"), pod_object("late", "mv"))
    daemon.start()
    assert "up1 is used otherwise" in add(daemon, here.sandbox.path, "late")
    remove(daemon, here, "late")


def test_a_master_that_is_missing_is_told_with_those_there_are(daemon: Place, here: Node) -> None:
    """The ends of pods, of which there may be hundreds, come last."""
    set_up(daemon)
    second_card(here)
    daemon.manifest("more", nad("mv", master="enp1s0"), pod_object("lost", "mv"))
    daemon.start()
    told = add(daemon, here.sandbox.path, "lost")
    assert "cannot find master device enp1s0 on this node: it has " in told
    names = told.partition("it has ")[2].split(", ")
    assert {"cni0", "up1", "up2"} <= set(names[:3])
    remove(daemon, here, "lost")


def test_a_tenant_is_not_told_which_devices_the_node_has(daemon: Place, here: Node) -> None:
    """Others' bridges are among them; whose master is missing knows what he wrote."""
    set_up(daemon)
    daemon.manifest("more", nad("mv", master="br-none"), pod_object("lost", "mv"))
    daemon.start("--nads", "guarded")
    told = add(daemon, here.sandbox.path, "lost")
    assert told.endswith("cannot find master device br-none on this node")
    assert "cni0" not in told
    remove(daemon, here, "lost")


def test_a_plane_s_missing_master_is_told_with_those_there_are(daemon: Place, here: Node) -> None:
    """Its administrator named it: that no tenant can bring about."""
    set_up(daemon)
    manifest = daemon.directory / "manifests" / "shop.yaml"
    manifest.write_text(manifest.read_text().replace('"eth1"', '"eth99"'))
    daemon.manifest("more", pod_object("lost", ""))
    daemon.start("--nads", "guarded")
    with pytest.raises(CniError, match="cannot find master device eth99 on this node: it has cni0"):
        daemon.call("ADD", here.sandbox.path, pod="shop/lost", container="c-lost")
    remove(daemon, here, "lost")


@pytest.mark.parametrize("owner", ["dead-container", "c-first"])
def test_an_address_that_is_taken_names_the_file_and_its_container(
    daemon: Place, here: Node, owner: str
) -> None:
    """The container may be gone for long (podman#3759): then the file is what has to go."""
    set_up(daemon)
    ipam = {
        "type": "host-local",
        "dataDir": str(daemon.directory / "host-local"),
        "subnet": "10.87.0.0/29",
    }
    asked = [{"name": "hl", "ips": ["10.87.0.5/29"]}]
    pods = [pod_object("first", ""), pod_object("second", json.dumps(asked))]
    daemon.manifest("more", nad("hl", master="eth1", ipam=ipam), *pods)
    daemon.start()
    path = daemon.directory / "host-local" / "hl" / "10.87.0.5"
    path.parent.mkdir(parents=True)
    path.write_text(f"{owner}\r\nnet1")
    with namespace("other") as other:
        assert add(daemon, here.sandbox.path, "first") == ""
        told = add(daemon, other.path, "second")
        assert f'"{path}" has it for container "{owner}"' in told
        is_known = "which is pod shop/first of this node" in told
        assert is_known == (owner == "c-first")
        path.unlink()
        remove(daemon, here, "first", "second")
