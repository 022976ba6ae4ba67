"""Addresses of a plane are probed on the wire before a pod gets them, with real frames."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cni.net.kernel import Kernel
from planes.model.addresses import parse_address
from tests.net.probed_wire import MACVLAN, PROBE, V4, V6, wire
from tests.support.node.netns import Node, namespace
from tests.support.node.plugins import detach
from tests.support.node.wire import recorded

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]


@pytest.fixture(params=["macvlan", "bridge"])
def conf(request: pytest.FixtureRequest, a_node: Node) -> Iterator[dict[str, Any]]:
    """Two ways to the wire: a macvlan on the card, and a bridge that the card is a port of."""
    if request.param == "bridge":
        a_node.host.ip("link", "add", "br1", "type", "bridge")
        a_node.host.ip("link", "set", "br1", "up")
        a_node.host.ip("link", "set", "eth1", "master", "br1")
        yield {"type": "bridge", "bridge": "br1"}
    else:
        yield MACVLAN


async def test_a_silent_address_is_used_and_announced(
    kernel: Kernel, a_node: Node, tmp_path: Path, conf: dict[str, Any]
) -> None:
    """Three probes from 0.0.0.0, then the announcement of RFC 5227 §2.3."""
    one = wire(kernel, tmp_path, conf)
    call = await one.call(a_node.sandbox.path)
    with recorded(a_node.far) as seen:
        result = await one.plugin().add(call, one.conf)
    mac = bytes.fromhex(result.interfaces[-1].mac.replace(":", ""))
    asked = parse_address("10.9.0.2")
    about = [said for _, said in seen if said.address == asked]
    assert [ip.address for ip in result.ips] == ["10.9.0.2/24"]
    assert about == [(asked, mac, True)] * 3 + [(asked, mac, False)]
    assert one.conflicts == []
    await detach(kernel, one.plugin(), call, one.conf)


async def test_probes_keep_their_distance(kernel: Kernel, a_node: Node, tmp_path: Path) -> None:
    rare = {"count": 2, "intervalMilliseconds": 300, "waitMilliseconds": 50}
    one = wire(kernel, tmp_path, MACVLAN, ipam={**PROBE["ipam"], "probe": rare})
    call = await one.call(a_node.sandbox.path)
    with recorded(a_node.far) as seen:
        await one.plugin().add(call, one.conf)
    times = [at for at, said in seen if said.is_asking and said.address.version == 4]
    assert len(times) == 2
    assert times[1] - times[0] >= 0.2  # the default is 0.1, and a late reader shortens it
    await detach(kernel, one.plugin(), call, one.conf)


async def test_an_address_that_a_host_has_is_not_used(
    kernel: Kernel, a_node: Node, tmp_path: Path, conf: dict[str, Any]
) -> None:
    """The host's own kernel answers; the pod gets the next address within the same ADD."""
    a_node.far.ip("addr", "add", "10.9.0.2/24", "dev", "eth1")
    one = wire(kernel, tmp_path, conf)
    call = await one.call(a_node.sandbox.path)
    result = await one.plugin().add(call, one.conf)
    [far] = a_node.far.ip_json("link", "show", "eth1")
    assert [ip.address for ip in result.ips] == ["10.9.0.3/24"]
    assert await one.held() == ["10.9.0.3"]
    assert one.resting() == {"10.9.0.2": far["address"]}
    [reported] = one.conflicts
    assert reported.text == f"10.9.0.2 ({far['address']})"
    shown = a_node.sandbox.ip("-4", "-br", "addr", "show", "net1")
    assert "10.9.0.3/24" in shown
    assert "10.9.0.2/" not in shown
    await detach(kernel, one.plugin(), call, one.conf)
    assert await one.held() == []


async def test_an_ipv6_address_that_a_host_has_is_not_used(
    kernel: Kernel, a_node: Node, tmp_path: Path, conf: dict[str, Any]
) -> None:
    """Also on a bridge, for which the reference plugin switches the kernel's detection off."""
    a_node.far.ip("addr", "add", "fd00:9::2/64", "dev", "eth1", "nodad")
    one = wire(kernel, tmp_path, conf, subnets=[*V4, *V6])
    call = await one.call(a_node.sandbox.path)
    result = await one.plugin().add(call, one.conf)
    assert "fd00:9::3/64" in [ip.address for ip in result.ips]
    assert list(one.resting()) == ["fd00:9::2"]
    assert "tentative" not in a_node.sandbox.ip("-6", "addr", "show", "net1")
    await detach(kernel, one.plugin(), call, one.conf)


async def test_a_host_that_probes_for_the_same_address_counts(
    kernel: Kernel, a_node: Node, tmp_path: Path
) -> None:
    """Both of them see the probe of the other one (RFC 5227 §2.1.1): here both are pods."""
    one = wire(kernel, tmp_path / "a", MACVLAN)
    with namespace("pod") as second:
        other = wire(kernel, tmp_path / "b", MACVLAN)  # another book, as of another allocator
        calls = [await one.call(a_node.sandbox.path), await other.call(second.path, "c2")]
        results = await asyncio.gather(
            one.plugin().add(calls[0], one.conf),
            other.plugin().add(calls[1], other.conf),
            return_exceptions=True,
        )
        given = [
            ip.address for each in results if not isinstance(each, BaseException) for ip in each.ips
        ]
        assert len(given) == len(set(given))
        assert "10.9.0.2" in {**one.resting(), **other.resting()}
        for wired, call in zip((one, other), calls, strict=True):
            await detach(kernel, wired.plugin(), call, wired.conf)
