"""Type `sriov`, and `host-device` by PCI address, on real virtual functions (`make vm`)."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cni.net.kernel import Kernel
from cni.plugins.device_taken import DeviceTaken
from planes.model.errors import BadInput, Conflict, NotFound, PlanesError
from planes.model.wire.netconf import NetConf
from tests.support.node.netns import namespace, run
from tests.support.node.vf_pods import (
    Pods,
    address,
    netconf,
    pings,
    settings_of,
    with_previous,
)
from tests.support.node.virtual_functions import (
    Function,
    bound_to,
    physical_function,
    virtual_functions,
    why_no_virtual_functions,
)

pytestmark = [pytest.mark.kernel, pytest.mark.sriov, pytest.mark.timeout(240)]

SETTINGS = {"vlan": 100, "vlanQoS": 3, "spoofchk": "off", "trust": "on", "max_tx_rate": 500}


@pytest.fixture(autouse=True)
def _has_functions() -> None:
    if reason := why_no_virtual_functions():
        pytest.skip(reason)


@pytest.fixture
def functions() -> Iterator[list[Function]]:
    with virtual_functions(2) as made:
        yield made


@pytest.fixture
def here() -> Iterator[Kernel]:
    """The kernel of the root namespace, where the functions are."""
    made = Kernel()
    yield made
    made.close()


@pytest.fixture
def pods(here: Kernel, tmp_path: Path) -> Iterator[Pods]:
    with namespace("pod") as one, namespace("pod") as other:
        yield Pods(here, tmp_path / "state", one, other)


async def test_a_function_is_in_the_sandbox_with_its_settings(
    functions: list[Function], pods: Pods
) -> None:
    """Settings are those of the netconf, and after DEL those of before, files and link too."""
    function = functions[0]
    conf, call = netconf(function, ipam=address(7), **SETTINGS), pods.call()
    link = function.shown()
    before = settings_of(function, link)
    result = await pods.plugin().add(call, conf)
    [inside] = pods.one.ip_json("addr", "show", "net1")
    assert (inside["address"], "UP" in inside["flags"]) == (link["address"], True)
    assert "10.9.0.7" in {one["local"] for one in inside["addr_info"]}
    now = function.settings()
    assert (now["vlan_list"][0]["vlan"], now["vlan_list"][0]["qos"]) == (100, 3)
    assert (now["spoofchk"], now["trust"], now["rate"]["max_tx"]) == (False, True, 500)
    assert result.interfaces[0].to_json() == {
        "name": "net1",
        "mac": link["address"],
        "mtu": 1500,
        "sandbox": call.netns,
    }
    assert pods.one.sysctl("ipv6/conf/net1/optimistic_dad") == "1"
    await pods.plugin().check(call, with_previous(conf, result))
    await pods.delete(call, conf)
    assert (settings_of(function, link), function.shown()) == (before, link)
    assert pods.left() == []
    await pods.delete(call, conf)


@pytest.mark.parametrize(
    "harm",
    [("vlan", "7"), ("spoofchk", "on"), ("trust", "off"), ("max_tx_rate", "600")],
    ids=lambda one: one[0],
)
async def test_check_sees_a_changed_setting(
    harm: tuple[str, str], functions: list[Function], pods: Pods
) -> None:
    conf, call = netconf(functions[0], **SETTINGS), pods.call()
    checked = with_previous(conf, await pods.plugin().add(call, conf))
    await pods.plugin().check(call, checked)
    functions[0].set(*harm)
    with pytest.raises(Conflict, match="settings of virtual function"):
        await pods.plugin().check(call, checked)
    await pods.delete(call, checked)


async def test_a_function_has_the_mac_that_is_asked_for(
    functions: list[Function], pods: Pods
) -> None:
    """As its own and as the administrative one; after DEL it has the MAC of before."""
    function, mac = functions[0], "c2:11:22:33:44:55"
    link = function.shown()
    before = settings_of(function, link)
    conf, call = netconf(function, mac=mac.upper()), pods.call()
    result = await pods.plugin().add(call, conf)
    assert pods.one.ip_json("link", "show", "net1")[0]["address"] == mac
    assert (function.settings()["address"], result.interfaces[0].mac) == (mac, mac)
    await pods.delete(call, conf)
    assert (settings_of(function, link), function.shown()) == (before, link)


async def test_a_function_serves_one_pod_at_a_time(functions: list[Function], pods: Pods) -> None:
    """Also for a daemon that started later; the refused ADD changes nothing of the first."""
    conf, first = netconf(functions[0], **SETTINGS), pods.call()
    second = pods.call("c2", pods.other)
    await pods.plugin().add(first, conf)
    held, inside = functions[0].settings(), pods.one.ip_json("link")
    with pytest.raises(DeviceTaken, match=f"{functions[0].address}: container.*c1.*has it"):
        await pods.plugin().add(second, netconf(functions[0], vlan=7))
    await pods.delete(second, conf)
    assert (functions[0].settings(), pods.one.ip_json("link")) == (held, inside)
    await pods.delete(first, conf)
    await pods.plugin().add(second, conf)
    await pods.delete(second, conf)
    assert pods.left() == []


async def test_a_function_comes_back_from_a_sandbox_that_is_gone(
    functions: list[Function], pods: Pods
) -> None:
    """The kernel gives the link back under the pod's name, and everything else is restored."""
    function, link = functions[0], functions[0].shown()
    before = settings_of(function, link)
    with namespace("pod") as gone:
        call = pods.call("c1", gone)
        await pods.plugin().add(call, netconf(function, mac="c2:11:22:33:44:55", vlan=100))
    function.shown()  # the kernel gives it back in its own time
    await pods.delete(replace(call, netns=""), netconf(function))
    assert (settings_of(function, link), function.shown()) == (before, link)
    assert pods.left() == []


async def test_the_next_pod_gets_a_function_that_was_not_detached(
    functions: list[Function], pods: Pods
) -> None:
    """Without MAC and VLAN of the pod before, whose late DEL changes nothing."""
    function, link = functions[0], functions[0].shown()
    before, first, conf = settings_of(function, link), pods.call(), netconf(function)
    with namespace("pod") as gone:
        first = pods.call("c1", gone)
        await pods.plugin().add(first, netconf(function, mac="c2:11:22:33:44:55", vlan=100))
    function.shown()
    second = pods.call("c2", pods.other)
    await pods.plugin().add(second, conf)
    [inside] = pods.other.ip_json("link", "show", "net1")
    assert (inside["address"], function.settings()["vlan_list"]) == (link["address"], [{}])
    await pods.delete(replace(first, netns=""), conf)
    assert "net1" in pods.other.ip("link")
    await pods.delete(second, conf)
    assert (settings_of(function, link), function.shown()) == (before, link)
    assert pods.left() == []


async def test_what_sriov_cni_attached_is_given_back(functions: list[Function], pods: Pods) -> None:
    """By its file alone, which lacks what is ours."""
    function, link = functions[0], functions[0].shown()
    before, call = settings_of(function, link), pods.call()
    await pods.plugin().add(call, netconf(function, mac="c2:11:22:33:44:55", **SETTINGS))
    shutil.rmtree(pods.folder / "devices")
    path = pods.folder / "sriov/c1-net1"
    ours = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in ours.items() if k not in {"netns", "changed"}}))
    await pods.delete(call, netconf(function))
    assert (settings_of(function, link), function.shown()) == (before, link)
    assert pods.left() == []


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"ipam": {"type": "static"}, "mac": "c2:11:22:33:44:55"}, "missing IP config"),
        ({"link_state": "disable"}, "leave link_state out"),
        ({"min_tx_rate": 100}, "leave min_tx_rate and max_tx_rate out"),
    ],
)
async def test_a_failed_add_leaves_the_function_as_it_was(
    more: dict[str, Any], text: str, functions: list[Function], pods: Pods
) -> None:
    """Where the driver (igb) refuses a setting, and where there is no address."""
    function = functions[0]
    link = function.shown()
    before = settings_of(function, link)
    conf = netconf(function, vlan=100, trust="on", **more)
    with pytest.raises(PlanesError) as caught:
        await pods.plugin().add(pods.call(), conf)
    assert text in str(caught.value)
    assert (settings_of(function, link), function.shown()) == (before, link)
    assert pods.left() == []


async def test_pods_of_one_vlan_reach_each_other_and_others_do_not(
    functions: list[Function], pods: Pods
) -> None:
    """Real frames through the device's switch."""
    calls = [pods.call(), pods.call("c2", pods.other)]
    confs = [netconf(one, vlan=100, ipam=address(at)) for at, one in enumerate(functions, 7)]
    for call, conf in zip(calls, confs, strict=True):
        await pods.plugin().add(call, conf)
    assert pings(pods.one, "10.9.0.8")
    await pods.delete(calls[1], confs[1])
    apart = netconf(functions[1], vlan=200, ipam=address(8))
    await pods.plugin().add(calls[1], apart)
    assert not pings(pods.one, "10.9.0.8", 4.0)
    await pods.delete(calls[0], confs[0])
    await pods.delete(calls[1], apart)


async def test_a_function_of_a_program_is_set_through_the_physical_one(
    functions: list[Function], pods: Pods
) -> None:
    """Settings and addresses, no link; the MAC is the administrative one."""
    function, mac = functions[0], "c2:11:22:33:44:55"
    with bound_to(function, "vfio-pci"):
        before = function.settings()
        conf, call = netconf(function, mac=mac, vlan=100, ipam=address(7)), pods.call()
        result = await pods.plugin().add(call, conf)
        assert (function.settings()["address"], result.interfaces[0].mac) == (mac, mac)
        assert [one["ifname"] for one in pods.one.ip_json("link")] == ["lo"]
        await pods.plugin().check(call, with_previous(conf, result))
        await pods.delete(call, conf)
        assert (function.settings(), pods.left()) == (before, [])


@pytest.mark.parametrize("path", ["here", "gone"])
async def test_host_device_takes_a_function_by_its_address(
    path: str, functions: list[Function], pods: Pods
) -> None:
    """It comes back under its name, from a sandbox that is gone too, and in spite of the pod."""
    function, link = functions[0], functions[0].shown()
    conf = NetConf({**netconf(function).raw, "type": "host-device", "pciBusID": function.address})
    with namespace("pod") as sandbox:
        call = pods.call("c1", sandbox)
        await pods.plugin("host-device").add(call, conf)
        sandbox.ip("link", "set", "net1", "down")
        sandbox.ip("link", "set", "net1", "name", "mine", "alias", "other", "mtu", "1400")
        if path == "here":
            await pods.delete(call, conf)
    if path == "gone":
        function.shown()
    await pods.delete(replace(call, netns=""), conf)
    assert function.shown() == link
    assert pods.left() == []


async def test_host_device_takes_the_next_pod_where_the_last_one_was_not_detached(
    functions: list[Function], pods: Pods
) -> None:
    """The kernel gave the link back as net1; the name that counts is that of before."""
    function, link = functions[0], functions[0].shown()
    conf = NetConf({**netconf(function).raw, "type": "host-device", "pciBusID": function.address})
    with namespace("pod") as gone:
        await pods.plugin("host-device").add(pods.call("c1", gone), conf)
    function.shown()
    second = pods.call("c2", pods.other)
    await pods.plugin("host-device").add(second, conf)
    await pods.delete(replace(pods.call(), netns=""), conf)
    await pods.delete(second, conf)
    assert function.shown() == link
    assert pods.left() == []


async def test_what_is_no_function_is_named(functions: list[Function], pods: Pods) -> None:
    physical = os.path.basename(os.path.realpath(f"/sys/class/net/{physical_function()}/device"))
    for given, kind, text in (
        ("0000:77:00.0", NotFound, "this node has no such device"),
        (physical, NotFound, "it is no virtual function"),
        ("../../etc", BadInput, "it is no PCI address"),
    ):
        conf = NetConf({**netconf(functions[0]).raw, "deviceID": given})
        with pytest.raises(kind, match=text):
            await pods.plugin().add(pods.call(), conf)
    assert "net1" not in run("ip", "link")
