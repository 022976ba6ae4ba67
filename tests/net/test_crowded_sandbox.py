"""A pod with root fills its own namespace: jobs stay short, and its DEL goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from cni.net.addresses import get_addresses, get_routes, read_addresses
from cni.net.errors import TooManyListed
from cni.net.kernel import Kernel
from cni.net.sandboxes import KernelSandboxes
from cni.net.workers import SANDBOX_MOST, Worker
from planes.run.clock import SystemClock
from tests.net.names import link_names
from tests.support.node.chained import call_of, conf_of, plug_in, previous
from tests.support.node.netns import Namespace, Node
from tests.support.node.plugins import ours

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(60)]

ADDRESS = "10.9.0.2/24"


def fill_with_routes(sandbox: Namespace, count: int) -> None:
    sandbox.ip("link", "set", "lo", "up")
    addresses = (f"10.{one >> 16}.{one >> 8 & 255}.{one & 255}" for one in range(count))
    sandbox.run("ip", "-batch", "-", text="".join(f"route add {at} dev lo\n" for at in addresses))


async def test_no_more_is_listed_than_the_bound(kernel: Kernel, a_node: Node) -> None:
    """The error says what to do; the thread and the namespace can be used as before."""
    fill_with_routes(a_node.sandbox, SANDBOX_MOST + 10)
    with pytest.raises(TooManyListed, match="cannot list routes: the sandbox has more than"):
        await kernel.facts(a_node.sandbox.path)
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}


async def test_a_sandbox_can_be_used_after_a_listing_that_is_too_long(
    kernel: Kernel, a_node: Node
) -> None:
    """In the same job, as steps do that handle the error."""
    fill_with_routes(a_node.sandbox, 64)

    def job(worker: Worker) -> list[str]:
        with worker.sandbox(a_node.sandbox.path, most=32) as sandbox:
            with pytest.raises(TooManyListed):
                sandbox.channel.dump(get_routes(4))
            found = read_addresses(sandbox.channel.dump(get_addresses()))
            return [str(one.address) for one in found]

    assert "127.0.0.1/8" in await kernel.run(job)


async def test_del_of_sbr_goes_on_with_rules_by_the_thousand(kernel: Kernel, a_node: Node) -> None:
    """All rules from the address are its own to remove, also more than one send can have."""
    plug_in(a_node, ADDRESS)
    conf, call = conf_of("sbr", previous(a_node, ADDRESS)), call_of(a_node)
    native = ours(kernel)
    await native.add(call, conf)
    rules = "".join(f"rule add from 10.9.0.2 pref {one + 1} table 77\n" for one in range(6000))
    a_node.sandbox.run("ip", "-batch", "-", text=rules)
    await native.delete(call, conf)
    assert "10.9.0.2" not in a_node.sandbox.ip("rule")


async def test_a_sandbox_of_very_many_links_is_still_known_by_its_inode(
    kernel: Kernel, a_node: Node
) -> None:
    """A teardown needs no more, and must not fail."""
    a_node.sandbox.ip("link", "add", "va", "type", "veth", "peer", "name", "vb")
    found = await KernelSandboxes(kernel, SystemClock(), most=2).survey(a_node.sandbox.path)
    assert (found.inode, found.names) == (Path(a_node.sandbox.path).stat().st_ino, frozenset())
