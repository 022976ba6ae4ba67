"""A client that knows no pods (cnitool and the like): a namespace, a netconf, CNI variables."""

from __future__ import annotations

import json

import pytest

from planes.model.wire.cniversion import SUPPORTED
from tests.support.node.netns import Namespace, namespace
from tests.support.node.node import LiveNode, addresses_in, netconf

pytestmark = pytest.mark.kernel

JOINED = netconf(namespace="shop", delegate={})


def test_the_planes_of_the_namespace_in_the_netconf_are_attached(
    node: LiveNode, sandbox: Namespace
) -> None:
    node.call("ADD", "c1", sandbox, stdin=JOINED)
    found = addresses_in(sandbox)
    assert found.keys() == {"eth0", "san0"}
    assert found["eth0"][0].startswith("192.168.10.")
    assert found["san0"][0].startswith("10.8.0.")
    node.call("DEL", "c1", sandbox, stdin=JOINED)


def test_the_result_tells_what_the_kernel_has(node: LiveNode, sandbox: Namespace) -> None:
    result = node.call("ADD", "c1", sandbox, stdin=JOINED).result
    names = [link["name"] for link in result["interfaces"]]
    told = {names[ip["interface"]]: [ip["address"]] for ip in result["ips"]}
    macs = {link["ifname"]: link["address"] for link in sandbox.ip_json("link")}
    assert told == addresses_in(sandbox)
    assert {link["name"]: link["mac"] for link in result["interfaces"]}.items() <= macs.items()
    assert {link["sandbox"] for link in result["interfaces"]} == {sandbox.path}
    node.call("DEL", "c1", sandbox, stdin=JOINED)


def test_planes_named_in_the_netconf_are_attached_whatever_the_namespace(
    node: LiveNode, sandbox: Namespace
) -> None:
    asked = netconf(planes=["storage"], delegate={})
    node.call("ADD", "c1", sandbox, stdin=asked)
    assert addresses_in(sandbox).keys() == {"eth0"}
    node.call("DEL", "c1", sandbox, stdin=asked)


def test_without_a_default_network_the_first_plane_is_what_the_call_asks_for(
    node: LiveNode, sandbox: Namespace
) -> None:
    asked = netconf(planes=["business"], delegate={})
    args = "IP=192.168.100.7;MAC=02:00:00:00:00:07"
    result = node.call("ADD", "c1", sandbox, stdin=asked, CNI_IFNAME="lan7", CNI_ARGS=args).result
    assert addresses_in(sandbox) == {"lan7": ["192.168.100.7/16"]}
    assert sandbox.ip_json("link", "show", "lan7")[0]["address"] == "02:00:00:00:00:07"
    assert [link["name"] for link in result["interfaces"]] == ["lan7"]
    node.call("DEL", "c1", sandbox, stdin=asked, CNI_IFNAME="lan7", CNI_ARGS=args)


def test_capability_arguments_ask_for_the_same(node: LiveNode, sandbox: Namespace) -> None:
    runtime = {"ips": ["192.168.100.8/16"], "mac": "02:00:00:00:00:08"}
    asked = netconf(namespace="shop", delegate={}, runtimeConfig=runtime)
    node.call("ADD", "c1", sandbox, stdin=asked)
    found = addresses_in(sandbox)
    assert found["eth0"] == ["192.168.100.8/16"]
    assert found.keys() == {"eth0", "san0"}
    assert sandbox.ip_json("link", "show", "eth0")[0]["address"] == "02:00:00:00:00:08"
    node.call("DEL", "c1", sandbox, stdin=asked)


def test_an_address_that_the_plane_does_not_give_is_refused(
    node: LiveNode, sandbox: Namespace
) -> None:
    asked = netconf(planes=["business"], delegate={})
    error = node.call("ADD", "c1", sandbox, stdin=asked, CNI_ARGS="IP=10.0.0.1").error
    # No path of an annotation: nobody wrote any.
    assert "default/c1: cannot give the pod 10.0.0.1: it is outside plane business" in error["msg"]
    error = node.call("ADD", "c1", sandbox, stdin=netconf(delegate={}), CNI_ARGS="IP=1.2.3.4").error
    assert "its netconf names no plane and no default network" in error["msg"]
    error = node.call("ADD", "c1", sandbox, stdin=asked, CNI_ARGS="IP=nonsense").error
    assert error["code"] == 4
    assert addresses_in(sandbox) == {}


def test_networks_of_one_container_do_not_collide(node: LiveNode, sandbox: Namespace) -> None:
    asked = netconf(planes=["business"], delegate={})
    for name in ("eth0", "eth1"):
        node.call("ADD", "c1", sandbox, stdin=asked, CNI_IFNAME=name)
    third = netconf(planes=["business", "storage"], delegate={})
    node.call("ADD", "c1", sandbox, stdin=third, CNI_IFNAME="eth2")
    assert addresses_in(sandbox).keys() == {"eth0", "eth1", "eth2", "san0"}
    for name in ("eth0", "eth1", "eth2"):
        assert node.call("DEL", "c1", sandbox, CNI_IFNAME=name).status == 0
    assert addresses_in(sandbox) == {}


def test_planes_beside_default_networks_of_one_container_do_not_collide(
    node: LiveNode, sandbox: Namespace
) -> None:
    for name in ("eth0", "eth1"):
        node.call("ADD", "c1", sandbox, stdin=netconf(planes=["business"]), CNI_IFNAME=name)
    assert addresses_in(sandbox).keys() == {"eth0", "net1", "eth1", "net2"}
    for name in ("eth0", "eth1"):
        node.call("DEL", "c1", sandbox, CNI_IFNAME=name)


def test_behind_another_plugin_of_a_chain_planes_keep_their_own_names(
    node: LiveNode, sandbox: Namespace
) -> None:
    """The interface, the address and the MAC of the call are that plugin's."""
    sandbox.ip("link", "add", "eth0", "type", "bridge")
    before = {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox": sandbox.path}]}
    asked = netconf(planes=["business"], delegate={}, prevResult=before)
    result = node.call("ADD", "c1", sandbox, stdin=asked, CNI_ARGS="IP=10.0.0.1").result
    assert [link["name"] for link in result["interfaces"]] == ["eth0", "net1"]
    node.call("DEL", "c1", sandbox, stdin=asked)
    sandbox.ip("link", "del", "eth0")


def test_without_namespace_and_planes_there_is_the_cluster_network_alone(
    node: LiveNode, sandbox: Namespace
) -> None:
    """The first foreign config of the conf dir is the cluster network."""
    result = node.call("ADD", "c1", sandbox).result
    assert addresses_in(sandbox).keys() == {"eth0"}
    assert result["ips"][0]["address"].startswith("10.244.1.")
    node.call("DEL", "c1", sandbox)


def test_the_cluster_network_comes_first_and_planes_after_it(
    node: LiveNode, sandbox: Namespace
) -> None:
    result = node.call("ADD", "c1", sandbox, stdin=netconf(namespace="shop")).result
    inside = [link["name"] for link in result["interfaces"] if link.get("sandbox")]
    assert inside == ["eth0"]
    assert addresses_in(sandbox).keys() == {"eth0", "net1", "san0"}
    node.call("DEL", "c1", sandbox)


def test_a_delegate_in_the_netconf_is_the_default_network(
    node: LiveNode, sandbox: Namespace
) -> None:
    delegate = {"cniVersion": "1.0.0", "name": "mine", **node.bridge_conf("10.99.0.0/24")}
    asked = netconf(delegate=delegate | {"bridge": "cni1"}, planes=["business"])
    node.call("ADD", "c1", sandbox, stdin=asked)
    found = addresses_in(sandbox)
    assert found.keys() == {"eth0", "net1"}
    assert found["eth0"][0].startswith("10.99.0.")
    node.call("DEL", "c1", sandbox, stdin=asked)


def test_check_confirms_what_was_attached(node: LiveNode, sandbox: Namespace) -> None:
    added = node.call("ADD", "c1", sandbox, stdin=JOINED).result
    checked = node.call("CHECK", "c1", sandbox, stdin=JOINED | {"prevResult": added})
    assert (checked.status, checked.stdout) == (0, b"")
    node.call("DEL", "c1", sandbox, stdin=JOINED)


def test_check_names_an_interface_that_was_removed(node: LiveNode, sandbox: Namespace) -> None:
    node.call("ADD", "c1", sandbox, stdin=JOINED)
    sandbox.ip("link", "del", "eth0")
    error = node.call("CHECK", "c1", sandbox, stdin=JOINED).error
    assert "): the interface is missing" in error["msg"]
    assert ": eth0 (plane " in error["msg"]
    assert "netplane-system/business" in error["msg"]
    assert "san0" not in error["msg"]
    assert error["details"] == "recreate the pod"
    node.call("DEL", "c1", sandbox, stdin=JOINED)


def test_check_names_an_address_that_was_removed(node: LiveNode, sandbox: Namespace) -> None:
    node.call("ADD", "c1", sandbox, stdin=JOINED)
    [address] = addresses_in(sandbox)["san0"]
    sandbox.ip("addr", "del", address, "dev", "san0")
    error = node.call("CHECK", "c1", sandbox, stdin=JOINED).error
    assert address in error["msg"]
    assert "san0" in error["msg"]
    node.call("DEL", "c1", sandbox, stdin=JOINED)


def test_check_of_a_sandbox_that_nobody_attached_says_so(
    node: LiveNode, sandbox: Namespace
) -> None:
    error = node.call("CHECK", "never", sandbox, stdin=JOINED).error
    assert error["code"] == 3
    assert "never" in error["msg"]


def test_del_leaves_nothing(node: LiveNode, sandbox: Namespace) -> None:
    asked = netconf(namespace="shop")
    node.call("ADD", "c1", sandbox, stdin=asked)
    deleted = node.call("DEL", "c1", sandbox, stdin=asked)
    assert (deleted.status, deleted.stdout) == (0, b"")
    assert addresses_in(sandbox) == {}
    assert sandbox.ip_json("route") == []
    assert node.remains() == []


def test_del_may_come_twice(node: LiveNode, sandbox: Namespace) -> None:
    node.call("ADD", "c1", sandbox, stdin=JOINED)
    deleted = [node.call("DEL", "c1", sandbox, stdin=JOINED) for _ in range(2)]
    assert [(one.status, one.stdout) for one in deleted] == [(0, b"")] * 2


def test_del_needs_no_sandbox(node: LiveNode) -> None:
    """What was attached goes although the namespace has gone before."""
    gone = _made_and_gone(node)
    deleted = node.call("DEL", "c1", gone.path, stdin=netconf(namespace="shop"))
    assert (deleted.status, deleted.stdout) == (0, b"")
    assert node.remains() == []


def test_del_needs_no_netns_path(node: LiveNode) -> None:
    _made_and_gone(node)
    assert node.call("DEL", "c1").status == 0
    assert node.remains() == []


def test_a_second_add_is_refused_and_the_first_stays_whole(
    node: LiveNode, sandbox: Namespace
) -> None:
    added = node.call("ADD", "c1", sandbox, stdin=JOINED).result
    before = addresses_in(sandbox)
    error = node.call("ADD", "c1", sandbox, stdin=JOINED).error
    assert "attached already" in error["msg"]
    assert "DEL" in error["details"]
    assert addresses_in(sandbox) == before
    assert node.call("CHECK", "c1", sandbox, stdin=JOINED | {"prevResult": added}).status == 0
    node.call("DEL", "c1", sandbox, stdin=JOINED)


def test_an_add_after_a_del_attaches_anew(node: LiveNode, sandbox: Namespace) -> None:
    for _ in range(2):
        assert node.call("ADD", "c1", sandbox, stdin=JOINED).status == 0
        assert addresses_in(sandbox).keys() == {"eth0", "san0"}
        assert node.call("DEL", "c1", sandbox, stdin=JOINED).status == 0


def test_version_lists_every_version(node: LiveNode) -> None:
    found = json.loads(node.call("VERSION", "", stdin={"cniVersion": "1.0.0"}).stdout)
    assert tuple(found["supportedVersions"]) == SUPPORTED


@pytest.mark.parametrize("version", ["0.2.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_the_result_has_the_version_that_was_asked_for(
    node: LiveNode, sandbox: Namespace, version: str
) -> None:
    asked = JOINED | {"cniVersion": version}
    result = node.call("ADD", "c1", sandbox, stdin=asked).result
    assert result["cniVersion"] == version
    assert node.call("DEL", "c1", sandbox, stdin=asked).status == 0


def test_status_is_silent_where_an_add_could_succeed(node: LiveNode) -> None:
    reply = node.call("STATUS", "", stdin=netconf(cniVersion="1.1.0"))
    assert (reply.status, reply.stdout) == (0, b"")


def test_status_says_what_an_add_would_lack(node: LiveNode) -> None:
    lacking = {"name": "x", "type": "no-such-plugin"}
    error = node.call("STATUS", "", stdin=netconf(cniVersion="1.1.0", delegate=lacking)).error
    assert error["code"] == 50
    assert "no-such-plugin" in error["msg"]


def test_gc_releases_what_the_runtime_no_longer_lists(node: LiveNode) -> None:
    _made_and_gone(node)
    asked = netconf(cniVersion="1.1.0", **{"cni.dev/valid-attachments": []})
    assert node.call("GC", "", stdin=asked).status == 0
    assert node.remains() == []


def _made_and_gone(node: LiveNode) -> Namespace:
    """Attach a sandbox that goes without DEL."""
    with namespace("gone") as made:
        assert node.call("ADD", "c1", made, stdin=netconf(namespace="shop")).status == 0
    return made
