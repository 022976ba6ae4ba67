"""Type `bandwidth` on a real kernel: queueing disciplines, the `ifb` device, and real packets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cni.native.plugin import SteppedPlugin
from cni.native.types.bandwidth_conf import ifb_names
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call
from planes.model.errors import CniCode, PlanesError
from planes.model.wire.netconf import NetConf
from tests.support.node.chained import (
    CONTAINER,
    HOST_LINK,
    call_of,
    conf_of,
    plug_in,
    previous,
)
from tests.support.node.limits import (
    EGRESS,
    IFB,
    INGRESS,
    limited,
    plug_in_pod,
    why_no_qdiscs,
)
from tests.support.node.netns import Node
from tests.support.node.plugins import Ours, ours

BOTH = {**INGRESS, **EGRESS}

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]


@pytest.fixture
def native(kernel: Kernel, a_node: Node) -> Ours:
    if reason := why_no_qdiscs("tbf", "ingress", "u32"):
        pytest.skip(reason)
    plug_in_pod(a_node)
    return ours(kernel)


def with_result(conf: dict[str, Any], raw: bytes) -> dict[str, Any]:
    return {**conf, "prevResult": json.loads(raw)}


def qdiscs(node: Node) -> set[str]:
    found = json.loads(node.host.run("tc", "-j", "qdisc", "show"))
    return {f"{one['dev']} {one['kind']}" for one in found if one["kind"] != "noqueue"}


def links(node: Node) -> set[str]:
    return {one["ifname"] for one in node.host.ip_json("link")}


async def test_both_directions_are_limited_and_delete_removes_the_device(
    native: Ours, a_node: Node
) -> None:
    before, call = links(a_node), call_of(a_node)
    conf = limited(a_node, **BOTH)
    conf = with_result(conf, await native.add(call, conf))
    (ifb,) = a_node.host.ip_json("link", "show", IFB)
    assert conf["prevResult"]["interfaces"][2:] == [{"name": IFB, "mac": ifb["address"]}]
    assert qdiscs(a_node) == {f"{HOST_LINK} tbf", f"{HOST_LINK} ingress", f"{IFB} tbf"}
    await native.check(call, conf)
    await native.delete(call, conf)
    assert links(a_node) == before
    await native.delete(call, conf)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (INGRESS, {f"{HOST_LINK} tbf"}),
        (EGRESS, {f"{HOST_LINK} ingress", f"{IFB} tbf"}),
        ({"runtimeConfig": {"bandwidth": INGRESS}}, {f"{HOST_LINK} tbf"}),
        ({**INGRESS, "runtimeConfig": {"bandwidth": EGRESS}}, {f"{HOST_LINK} tbf"}),
        ({"ingressRate": 0, "runtimeConfig": {"bandwidth": EGRESS}}, set()),
        ({}, set()),
    ],
    ids=str,
)
async def test_what_is_not_asked_for_is_not_limited(
    more: dict[str, Any], expected: set[str], native: Ours, a_node: Node
) -> None:
    """Numbers of the netconf come before those of the pod, also where they are 0."""
    before, call, conf = links(a_node), call_of(a_node), limited(a_node, **more)
    conf = with_result(conf, await native.add(call, conf))
    assert qdiscs(a_node) == expected
    await native.check(call, conf)
    await native.delete(call, conf)
    assert links(a_node) == before


@pytest.mark.parametrize(
    "harm",
    [
        ("tc", "qdisc", "del", "dev", HOST_LINK, "root"),
        ("tc", "qdisc", "del", "dev", HOST_LINK, "ingress"),
        ("tc", "qdisc", "del", "dev", IFB, "root"),
        ("ip", "link", "del", IFB),
        tuple(f"tc qdisc replace dev {IFB} root tbf rate 9mbit burst 9k limit 9k".split()),
        ("ip", "link", "set", HOST_LINK, "netns", "far"),
    ],
    ids=" ".join,
)
async def test_check_sees_each_change(harm: tuple[str, ...], native: Ours, a_node: Node) -> None:
    call, conf = call_of(a_node), limited(a_node, **BOTH)
    conf = with_result(conf, await native.add(call, conf))
    a_node.host.run(*(a_node.far.name if word == "far" else word for word in harm))
    with pytest.raises(PlanesError, match=r"^cannot "):
        await native.check(call, conf)
    await native.delete(call, conf)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"ingressRate": 8000}, "ingressBurst must also be set"),
        ({"egressBurst": 8000}, "egressRate must also be set"),
        ({"ingressRate": -8, "ingressBurst": 8}, "negative"),
        ({"ingressRate": 7, "ingressBurst": 8000}, "less than a byte"),
        ({"ingressRate": 8000, "ingressBurst": 1 << 35}, "more than 4"),
        ({"ingressRate": "fast"}, "integer"),
        ({"runtimeConfig": {"bandwidth": {"egressRate": 8}}}, "egressBurst must also be set"),
        ({**INGRESS, "shapedSubnets": ["a"]}, "cannot read"),
        ({**INGRESS, "shapedSubnets": ["::/0"], "unshapedSubnets": ["::/0"]}, "only one of them"),
        ({**INGRESS, "shapedSubnets": [f"10.{one}.0.0/16" for one in range(65)]}, "at most 64"),
        ({**INGRESS, "prevResult": None}, "chained plugin"),
        ({"prevResult": None}, "chained plugin"),
        ({**INGRESS, "prevResult": {"cniVersion": "1.0.0"}}, "not in the prevResult"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_netconf_that_cannot_work_changes_nothing(
    more: dict[str, Any], words: str, native: Ours, a_node: Node
) -> None:
    conf = {**limited(a_node), **more}
    with pytest.raises(PlanesError, match=words):
        await native.add(call_of(a_node), conf)
    await native.delete(call_of(a_node), conf)
    assert qdiscs(a_node) == set()


async def test_versions_without_chains_are_refused(native: Ours, a_node: Node) -> None:
    conf = {**limited(a_node), "cniVersion": "0.2.0"}
    with pytest.raises(PlanesError) as refused:
        await native.plugin("bandwidth").add(call_of(a_node), NetConf(conf))
    assert refused.value.cni_code == CniCode.INCOMPATIBLE_VERSION


async def test_only_veth_pairs_with_their_other_end_here_are_limited(
    native: Ours, a_node: Node
) -> None:
    """An end in another namespace is not taken for the host's link of its index."""
    pod = a_node.sandbox
    pod.ip("link", "add", "mv0", "link", "eth0", "type", "macvlan")
    pod.ip("link", "add", "net1", "type", "veth", "peer", "name", "far1", "netns", a_node.far.name)
    for ifname, words in (("mv0", "has no veth peer"), ("net1", "is not in host ns")):
        with pytest.raises(PlanesError, match=words):
            await native.add(call_of(a_node, ifname), limited(a_node, **INGRESS))
    assert qdiscs(a_node) == set()


@contextmanager
def in_the_way(node: Node, *argv: str) -> Iterator[set[str]]:
    node.host.run("tc", "qdisc", "add", "dev", HOST_LINK, *argv)
    before = links(node)
    yield qdiscs(node)
    assert links(node) == before


@pytest.mark.parametrize(
    "taken", [("root", "pfifo"), ("ingress",)], ids=["root qdisc", "ingress qdisc"]
)
async def test_a_failed_add_leaves_what_was_there(
    taken: tuple[str, ...], native: Ours, a_node: Node
) -> None:
    """The device and our limits are gone, those of others stay."""
    with in_the_way(a_node, *taken) as before:
        conf = limited(a_node, **BOTH)
        if taken == ("root", "pfifo"):
            a_node.host.run("tc", "qdisc", "del", "dev", HOST_LINK, "root")
            argv = ("qdisc", "add", "dev", HOST_LINK, "root", "handle", "1:", "pfifo")
            a_node.host.run("tc", *argv)
        with pytest.raises(PlanesError, match="something else limits it already"):
            await native.add(call_of(a_node), conf)
        assert qdiscs(a_node) == before
        await native.delete(call_of(a_node), conf)


async def test_links_of_others_with_the_names_of_the_device_stay(
    native: Ours, a_node: Node
) -> None:
    """ADD is refused, and DEL does not take them for its own."""
    names = ifb_names("testnet", CONTAINER, "eth0")
    a_node.host.ip("link", "add", names[0], "type", "veth", "peer", "name", names[1])
    conf = limited(a_node, **BOTH)
    with pytest.raises(PlanesError, match=f"cannot create ifb {names[1]}"):
        await native.add(call_of(a_node), conf)
    assert qdiscs(a_node) == set()
    await native.delete(call_of(a_node), conf)
    assert set(names) <= links(a_node)


async def test_two_interfaces_of_one_network_have_devices_of_their_own(
    native: Ours, a_node: Node
) -> None:
    """The reference refuses the second one, and its DEL takes the first one's device away."""
    plug_in(a_node, ifname="net1", host_link="veth0000cafe")
    calls = [call_of(a_node), call_of(a_node, "net1")]
    confs = []
    for call in calls:
        result = previous(a_node)
        if call.ifname == "net1":
            result["interfaces"] = [{"name": "veth0000cafe"}]
        conf = conf_of("bandwidth", result, **EGRESS)
        confs.append(with_result(conf, await native.add(call, conf)))
    second = confs[1]["prevResult"]["interfaces"][-1]["name"]
    assert second != IFB
    for call, conf in zip(calls, confs, strict=True):
        await native.check(call, conf)
    await native.delete(calls[1], confs[1])
    await native.check(calls[0], confs[0])
    await native.delete(calls[0], {**confs[0], "prevResult": None})
    assert {IFB, second}.isdisjoint(links(a_node))


@pytest.mark.parametrize("netns", ["", "/run/netns/np-t-none"])
async def test_delete_without_namespace_removes_the_device(
    netns: str, native: Ours, a_node: Node
) -> None:
    await native.add(call_of(a_node), limited(a_node, **EGRESS))
    await native.delete(Call(CONTAINER, netns, "eth0"), limited(a_node, **EGRESS))
    assert IFB not in links(a_node)


async def test_limits_of_the_pod_need_not_come_with_delete(native: Ours, a_node: Node) -> None:
    """The result says that there is a device."""
    conf = limited(a_node, capabilities={"bandwidth": True})
    asked = {**conf, "runtimeConfig": {"bandwidth": EGRESS}}
    raw = await native.add(call_of(a_node), asked)
    await native.delete(call_of(a_node), with_result(conf, raw))
    assert IFB not in links(a_node)


def test_nothing_to_limit_leaves_nothing_for_delete(native: Ours, a_node: Node) -> None:
    plugin = native.plugin("bandwidth")
    conf = NetConf(limited(a_node, capabilities={"bandwidth": True}))
    assert plugin.unsupported(conf) == ""
    assert isinstance(plugin, SteppedPlugin)
    assert not plugin.has_release(call_of(a_node), conf)
