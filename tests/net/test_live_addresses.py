"""The addresses of sandboxes are listed by the namespaces that runtimes mount."""

from __future__ import annotations

import subprocess
from ipaddress import ip_address

import pytest

from cni.net.kernel import Kernel
from cni.net.live_addresses import LiveKernel
from tests.support.node.netns import Node

pytestmark = pytest.mark.kernel


async def test_each_address_is_listed_with_its_interface(kernel: Kernel, a_node: Node) -> None:
    a_node.sandbox.ip("link", "add", "net1", "type", "veth", "peer", "name", "other")
    a_node.sandbox.ip("addr", "add", "10.9.0.7/24", "dev", "net1")
    a_node.sandbox.ip("addr", "add", "fd00:9::7/64", "dev", "net1", "nodad")
    found = {one.netns: one.addresses for one in await LiveKernel(kernel).by_sandbox([])}
    assert set(found[f"/run/netns/{a_node.sandbox.name}"]) == {
        ("net1", ip_address("10.9.0.7")),
        ("net1", ip_address("fd00:9::7")),
    }


async def test_the_host_s_own_namespace_is_no_sandbox(kernel: Kernel, a_node: Node) -> None:
    """It is mounted beside the others where tests have a host of their own."""
    a_node.host.ip("addr", "add", "10.9.0.8/32", "dev", "lo")
    found = await LiveKernel(kernel).by_sandbox([a_node.host.path])
    assert a_node.host.path not in {one.netns for one in found}


async def test_a_namespace_that_a_process_made_for_itself_is_no_sandbox(
    kernel: Kernel, a_node: Node
) -> None:
    commands = "ip link set lo up; ip addr add 10.9.0.9/32 dev lo; echo; exec cat"
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", commands],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        live = LiveKernel(kernel)
        address = ip_address("10.9.0.9")
        listed = {ip for one in await live.by_sandbox([]) for _, ip in one.addresses}
        assert address not in listed
        assert address in await live.addresses([])
        process.communicate(b"")


async def test_a_path_that_is_no_namespace_is_passed_over(kernel: Kernel, a_node: Node) -> None:
    found = await LiveKernel(kernel).by_sandbox(["/etc/hostname", "/run/netns/np-t-none", "\0"])
    assert {one.netns for one in found}.isdisjoint({"/etc/hostname", "\0"})
