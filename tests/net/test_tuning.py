"""Type `tuning` on a real kernel: sysctls and settings of an interface, kept and restored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cni.native.types.tuning_conf import DATA_DIR
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.errors import PlanesError
from planes.model.wire.netconf import NetConf
from tests.support.node.chained import CONTAINER, MAC, call_of, conf_of, plug_in, previous
from tests.support.node.netns import Node
from tests.support.node.plugins import Ours, ours

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

KEPT = Path(DATA_DIR, f"{CONTAINER}_eth0.json")
NEW_MAC = "c2:11:22:33:44:55"
ALL = {"mac": NEW_MAC, "promisc": True, "mtu": 1400, "allmulti": True, "txQLen": 321}
NOTIFY = "net.ipv4.conf.IFNAME.arp_notify"


def seen(node: Node) -> dict[str, Any]:
    (link,) = node.sandbox.ip_json("link", "show", "eth0")
    flags = set(link["flags"]) & {"PROMISC", "ALLMULTI"}
    return {key: link[key] for key in ("address", "mtu", "txqlen")} | {"flags": flags}


def tuned(node: Node, **more: Any) -> dict[str, Any]:
    return conf_of("tuning", previous(node), **more)


def with_result(conf: dict[str, Any], raw: bytes) -> dict[str, Any]:
    return {**conf, "prevResult": json.loads(raw)}


@pytest.fixture
def native(kernel: Kernel, a_node: Node) -> Iterator[Ours]:
    plug_in(a_node)
    absent = [place for place in (KEPT.parent, KEPT.parent.parent) if not place.exists()]
    yield ours(kernel)
    assert not KEPT.exists()
    for place in absent:
        if place.exists():
            place.rmdir()


async def test_each_setting_is_made_and_restored(native: Ours, a_node: Node) -> None:
    before, call, conf = seen(a_node), call_of(a_node), tuned(a_node, **ALL)
    raw = await native.add(call, conf)
    assert seen(a_node) == {
        "address": NEW_MAC,
        "mtu": 1400,
        "txqlen": 321,
        "flags": {"PROMISC", "ALLMULTI"},
    }
    macs = {one["name"]: one["mac"] for one in json.loads(raw)["interfaces"]}
    assert macs["eth0"] == NEW_MAC
    assert json.loads(KEPT.read_text()) == {
        "mac": MAC,
        "promisc": False,
        "mtu": 1500,
        "allmulti": False,
        "txQLen": before["txqlen"],
    }
    await native.check(call, with_result(conf, raw))
    await native.delete(call, with_result(conf, raw))
    assert seen(a_node) == before
    await native.delete(call, with_result(conf, raw))


async def test_sysctls_are_written_in_the_sandbox_only(native: Ours, a_node: Node) -> None:
    """They stay at DEL, as with the reference."""
    host = a_node.host.sysctl("ipv4/ip_default_ttl")
    call = call_of(a_node)
    conf = tuned(a_node, sysctl={NOTIFY: "1", "net/ipv4/ip_default_ttl": "33"})
    raw = await native.add(call, conf)
    await native.check(call, with_result(conf, raw))
    await native.delete(call, with_result(conf, raw))
    assert a_node.sandbox.sysctl("ipv4/conf/eth0/arp_notify") == "1"
    assert a_node.sandbox.sysctl("ipv4/ip_default_ttl") == "33"
    assert a_node.host.sysctl("ipv4/ip_default_ttl") == host


async def test_args_come_before_the_netconf(native: Ours, a_node: Node) -> None:
    """Also without `sysctl` in the netconf, where the reference ends by a panic."""
    call = call_of(a_node)
    args = {"cni": {"mtu": 1300, "promisc": False, "txQLen": 7, "sysctl": {NOTIFY: "1"}}}
    conf = tuned(a_node, mtu=1400, promisc=True, allmulti=False, args=args)
    await native.add(call, conf)
    assert seen(a_node) == {"address": MAC, "mtu": 1300, "txqlen": 7, "flags": set()}
    assert a_node.sandbox.sysctl("ipv4/conf/eth0/arp_notify") == "1"
    await native.delete(call, conf)


@pytest.mark.parametrize(
    ("cni_args", "conf", "mac"),
    [
        ((), {"mac": "C2:11:22:00:00:01"}, "c2:11:22:00:00:01"),
        ((("MAC", "c2:11:22:00:00:02"),), {"mac": NEW_MAC}, "c2:11:22:00:00:02"),
        (
            (("MAC", NEW_MAC),),
            {"runtimeConfig": {"mac": "c2:11:22:00:00:03"}},
            "c2:11:22:00:00:03",
        ),
        (
            (),
            {
                "runtimeConfig": {"mac": NEW_MAC},
                "args": {"cni": {"mac": "c2:11:22:00:00:04"}},
            },
            "c2:11:22:00:00:04",
        ),
    ],
    ids=["conf", "cni-args", "runtime", "args"],
)
async def test_the_mac_comes_from_the_last_of_four_places(
    cni_args: tuple[tuple[str, str], ...],
    conf: dict[str, Any],
    mac: str,
    native: Ours,
    a_node: Node,
) -> None:
    call = call_of(a_node, "eth0", *cni_args)
    made = tuned(a_node, **conf)
    raw = await native.add(call, made)
    assert seen(a_node)["address"] == mac
    await native.check(call, with_result(made, raw))
    await native.delete(call, made)
    assert seen(a_node)["address"] == MAC


@pytest.mark.parametrize(
    "harm",
    [
        ("link", "set", "eth0", "mtu", "1399"),
        ("link", "set", "eth0", "address", "c2:11:22:00:00:09"),
        ("link", "set", "eth0", "promisc", "off"),
        ("link", "set", "eth0", "allmulticast", "off"),
        ("link", "set", "eth0", "txqueuelen", "5"),
        ("link", "del", "eth0"),
    ],
    ids=" ".join,
)
async def test_check_sees_each_change(harm: tuple[str, ...], native: Ours, a_node: Node) -> None:
    call, conf = call_of(a_node), tuned(a_node, **ALL)
    conf = with_result(conf, await native.add(call, conf))
    a_node.sandbox.ip(*harm)
    with pytest.raises(PlanesError):
        await native.check(call, conf)
    await native.delete(call, conf)


async def test_check_sees_a_sysctl_changed_and_promiscuity_nobody_asked_for(
    native: Ours, a_node: Node
) -> None:
    """Numbers are compared, not the tabs that the kernel puts between them."""
    call = call_of(a_node)
    conf = tuned(a_node, sysctl={"net.ipv4.ip_local_port_range": "2000 3000"})
    conf = with_result(conf, await native.add(call, conf))
    await native.check(call, conf)
    a_node.sandbox.ip("link", "set", "eth0", "promisc", "on")
    with pytest.raises(PlanesError, match="promiscuous mode is True, not False"):
        await native.check(call, conf)
    a_node.sandbox.ip("link", "set", "eth0", "promisc", "off")
    a_node.sandbox.run("sh", "-c", "echo 4000 5000 > /proc/sys/net/ipv4/ip_local_port_range")
    with pytest.raises(PlanesError, match="cannot confirm sysctl"):
        await native.check(call, conf)


@pytest.mark.parametrize(
    "more",
    [
        {"sysctl": {NOTIFY: "1", "net.ipv4.no_such": "1"}},
        {"sysctl": {NOTIFY: "1", "net.ipv4.ip_default_ttl": "9000"}},
        {"sysctl": {NOTIFY: "1"}, "mtu": 1 << 30},
        {"sysctl": {NOTIFY: "1"}, **ALL, "mtu": 1 << 30},
        {"sysctl": {NOTIFY: "1"}, "mtu": 1400, "dataDir": "/proc/nowhere"},
    ],
    ids=["no sysctl", "bad value", "mtu", "mtu among others", "file"],
)
async def test_a_failed_add_leaves_nothing(
    more: dict[str, Any], native: Ours, a_node: Node
) -> None:
    """Sysctls are restored then, too."""
    before, call = seen(a_node), call_of(a_node)
    with pytest.raises(PlanesError, match=r"^cannot "):
        await native.add(call, tuned(a_node, **more))
    assert seen(a_node) == before
    assert a_node.sandbox.sysctl("ipv4/conf/eth0/arp_notify") == "0"
    await native.delete(call, tuned(a_node, **more))


@pytest.mark.parametrize("netns", ["", "/run/netns/np-t-none"])
async def test_delete_without_namespace_removes_the_file(
    netns: str, native: Ours, a_node: Node
) -> None:
    """The reference leaves the file behind."""
    conf = tuned(a_node, mtu=1400)
    await native.add(call_of(a_node), conf)
    assert KEPT.exists()
    await native.delete(Call(CONTAINER, netns, "eth0"), {**conf, "prevResult": None})


async def test_a_damaged_file_is_removed_and_changes_nothing(native: Ours, a_node: Node) -> None:
    conf, call = tuned(a_node, mtu=1400), call_of(a_node)
    await native.add(call, conf)
    KEPT.write_text('{"mtu": 70000000000, "mac": 5}')
    await native.delete(call, conf)
    assert seen(a_node)["mtu"] == 1400


async def test_only_the_interface_of_the_call_is_changed(native: Ours, a_node: Node) -> None:
    """IFNAME is the interface of the call, and dots of its name are part of it."""
    plug_in(a_node, ifname="net1.5", host_link="veth0000cafe")
    call = call_of(a_node, "net1.5")
    conf = tuned(a_node, mtu=1400, sysctl={NOTIFY: "1"})
    await native.add(call, conf)
    assert seen(a_node)["mtu"] == 1500
    assert a_node.sandbox.sysctl("ipv4/conf/eth0/arp_notify") == "0"
    assert a_node.sandbox.sysctl("ipv4/conf/net1.5/arp_notify") == "1"
    await native.delete(call, conf)


async def test_a_missing_interface_is_named(native: Ours, a_node: Node) -> None:
    with pytest.raises(PlanesError, match="cannot find link net9"):
        await native.add(call_of(a_node, "net9"), tuned(a_node, mtu=1400))


async def test_a_previous_result_is_needed(native: Ours, a_node: Node) -> None:
    conf = conf_of("tuning", None, mtu=1400)
    with pytest.raises(PlanesError, match="prevResult missing"):
        await native.add(call_of(a_node), conf)
    with pytest.raises(PlanesError, match="prevResult missing"):
        await native.check(call_of(a_node), conf)


def test_no_netconf_needs_the_binary(native: Ours) -> None:
    assert native.plugin("tuning").unsupported(NetConf(conf_of("tuning", None, **ALL))) == ""
