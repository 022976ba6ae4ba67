"""Kernel: namespaces by path, removal in one grace period, cancellation, worker threads."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from cni.net import namespaces, removal
from cni.net.errors import MissingNetns
from cni.net.kernel import Kernel
from cni.net.links import get_link, read_links
from cni.net.sandboxes import KernelSandboxes
from cni.net.workers import Worker
from planes.model.errors import BadInput, Internal, NotFound, PlanesError
from planes.run.clock import SystemClock
from tests.net.names import link_names
from tests.support.node.netns import Node

pytestmark = pytest.mark.kernel


async def test_a_namespace_is_identified_by_its_inode(kernel: Kernel, a_node: Node) -> None:
    found = await KernelSandboxes(kernel, SystemClock()).survey(a_node.sandbox.path)
    assert found.inode == os.stat(a_node.sandbox.path).st_ino


async def test_a_missing_namespace_is_code_8(kernel: Kernel) -> None:
    with pytest.raises(MissingNetns) as caught:
        await link_names(kernel, "/run/netns/np-t-none")
    assert caught.value.cni_code == 8


async def test_a_regular_file_is_no_namespace(kernel: Kernel, tmp_path: Path) -> None:
    """Also on removal: a path that was never a namespace is the caller's mistake."""
    path = tmp_path / "file"
    path.touch()
    for step in (link_names(kernel, str(path)), kernel.remove_links(str(path), ["net1"])):
        with pytest.raises(BadInput) as caught:
            await step
        assert caught.value.cni_code == 8


async def test_a_namespace_of_another_kind_is_refused(kernel: Kernel) -> None:
    with pytest.raises(BadInput, match="another kind"):
        await link_names(kernel, "/proc/self/ns/uts")


async def test_a_fifo_does_not_hang_a_worker(kernel: Kernel, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(BadInput):
        await link_names(kernel, str(tmp_path / "fifo"))


async def test_the_callers_thread_stays_where_it_is(kernel: Kernel, a_node: Node) -> None:
    before = os.stat("/proc/thread-self/ns/net").st_ino
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}
    assert os.stat("/proc/thread-self/ns/net").st_ino == before


async def test_work_is_done_in_the_namespace_passed_as_host(kernel: Kernel, a_node: Node) -> None:
    inode = await kernel.run(lambda _worker: os.stat("/proc/thread-self/ns/net").st_ino)
    assert inode == os.stat(a_node.host.path).st_ino


async def test_links_are_removed_together(
    kernel: Kernel, a_node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one group, so that they share one grace period of the kernel."""
    one_by_one: list[object] = []
    names = [f"v{number}" for number in range(5)]
    for name in names:
        a_node.sandbox.ip("link", "add", name, "type", "veth", "peer", "name", f"{name}p")
    a_node.sandbox.ip("link", "add", "keep", "type", "veth", "peer", "name", "keepp")
    a_node.sandbox.ip("link", "set", "v1", "group", "7")
    a_node.sandbox.ip("link", "set", "keep", "group", "7")
    with monkeypatch.context() as watched:
        watched.setattr(removal, "_remove_each", lambda *given: one_by_one.append(given))
        await kernel.remove_links(a_node.sandbox.path, [*names, "gone"])
    assert one_by_one == []
    await kernel.remove_links(a_node.sandbox.path, ["keep"])
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}


async def test_a_group_of_somebody_else_survives(kernel: Kernel, a_node: Node) -> None:
    """Removal never takes a group number that is in use."""
    for name in ("va", "vb", "theirs"):
        a_node.sandbox.ip("link", "add", name, "type", "veth", "peer", "name", f"{name}p")
    a_node.sandbox.ip("link", "set", "theirs", "group", str(0x6E700000))
    await kernel.remove_links(a_node.sandbox.path, ["va", "vb"])
    assert await link_names(kernel, a_node.sandbox.path) == {"lo", "theirs", "theirsp"}


async def test_one_link_that_cannot_go_does_not_keep_the_others(
    kernel: Kernel, a_node: Node
) -> None:
    """The loopback device cannot be removed; the rest goes one by one, and the error is told."""
    for name in ("va", "vb"):
        a_node.sandbox.ip("link", "add", name, "type", "veth", "peer", "name", f"{name}p")
    with pytest.raises(PlanesError, match="cannot remove link lo"):
        await kernel.remove_links(a_node.sandbox.path, ["va", "lo", "vb"])
    assert await link_names(kernel, a_node.sandbox.path) == {"lo"}


async def test_removal_in_a_namespace_that_is_gone_is_done(kernel: Kernel) -> None:
    await kernel.remove_links("/run/netns/np-t-none", ["net1"])
    await kernel.remove_links("", ["net1"])


async def test_a_refusal_names_the_object(kernel: Kernel) -> None:
    with pytest.raises(NotFound, match="cannot find link nosuch"):
        await kernel.run(lambda worker: worker.host.batch([get_link("nosuch")]))


async def test_a_channel_works_after_a_refusal(kernel: Kernel) -> None:
    """What is left unread of a failed batch never answers a later one."""
    for _round in range(3):
        with pytest.raises(NotFound):
            await kernel.run(
                lambda worker: worker.host.batch([get_link("nosuch"), get_link("eth1")])
            )
        found = await kernel.run(
            lambda worker: read_links(worker.host.batch([get_link("eth1")])[0])
        )
        assert [link.name for link in found] == ["eth1"]


async def test_a_cancelled_step_ends_and_is_undone(kernel: Kernel) -> None:
    """The caller hears of its cancellation only after the undo."""
    steps: list[str] = []
    begun, may_end = threading.Event(), threading.Event()

    def slow(_worker: Worker) -> str:
        begun.set()
        may_end.wait(20)
        steps.append("done")
        return "made"

    task = asyncio.create_task(
        kernel.run(slow, undo=lambda _worker, made: steps.append(f"undone {made}"))
    )
    await asyncio.to_thread(begun.wait, 20)
    task.cancel()
    await asyncio.sleep(0.01)
    task.cancel()  # impatience changes nothing
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["done", "undone made"]


async def test_a_thread_that_is_lost_is_retired(a_node: Node) -> None:
    """After a thread could not come home, work goes on at home in another."""
    kernel = Kernel(a_node.host.path, threads=1)

    def get_lost(worker: Worker) -> None:
        with worker.sandbox(a_node.sandbox.path) as sandbox:
            home, worker._home = worker._home, os.open("/dev/null", os.O_RDONLY)
            try:
                with sandbox.inside():
                    pass
            finally:
                os.close(worker._home)
                worker._home = home

    try:
        with pytest.raises(Internal, match="cannot return"):
            await kernel.run(get_lost)
        here = await kernel.run(lambda _worker: os.stat("/proc/thread-self/ns/net").st_ino)
        assert here == os.stat(a_node.host.path).st_ino
    finally:
        kernel.close()


async def test_many_steps_share_few_threads(kernel: Kernel, a_node: Node) -> None:
    found = await asyncio.gather(*(link_names(kernel, a_node.sandbox.path) for _ in range(200)))
    assert set(found) == {frozenset({"lo"})}


async def test_no_descriptor_is_left_open(kernel: Kernel, a_node: Node) -> None:
    async def work() -> None:
        await asyncio.gather(*(link_names(kernel, a_node.sandbox.path) for _ in range(20)))

    await work()
    before = len(os.listdir("/proc/self/fd"))
    await work()
    assert len(os.listdir("/proc/self/fd")) <= before + 8  # a socket for each new thread


async def test_facts_tell_links_addresses_and_routes(kernel: Kernel, a_node: Node) -> None:
    a_node.host.ip("addr", "add", "10.7.0.1/24", "dev", "eth1")
    a_node.host.ip("route", "add", "default", "via", "10.7.0.9", "metric", "5")
    facts = await kernel.facts()
    link = facts.link("eth1")
    assert link is not None
    assert link.kind == "veth"
    assert "10.7.0.1/24" in {str(one.address) for one in facts.addresses_of(link)}
    default = next(one for one in facts.routes if one.dst == "0.0.0.0/0")
    assert (default.gateways, default.priority, default.device) == (("10.7.0.9",), 5, link.index)


def test_a_missing_host_namespace_is_told_at_once() -> None:
    with pytest.raises(MissingNetns):
        Kernel("/run/netns/np-t-none")


def test_entering_nonsense_is_our_error() -> None:
    fd = os.open("/dev/null", os.O_RDONLY)
    try:
        with pytest.raises(PlanesError):
            namespaces.enter(fd)
    finally:
        os.close(fd)
