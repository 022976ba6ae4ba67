"""The kernel floor of the pod benchmarks: the same three networks by raw netlink batches.

Each pod has a process of its own that does nothing else: no event loop, no check, no journal, no
file and no address to allocate. What remains is the time that the kernel itself takes, also where
several processes wait for its locks.

Invariant: the processes end with their block, and change nothing outside the benchmark's node.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Final

from cni.net.addresses import add_address, add_route
from cni.net.if_link import IFF_UP
from cni.net.link_changes import delete_group, set_bridge_port, set_flags, set_group
from cni.net.links import Link, find_link
from cni.net.new_links import MACVLAN_MODES, Placement, new_macvlan, new_veth
from planes.model.wire.result import Route
from tests.bench.bare_netlink import BareNetlink, ask, at_index, encoded, index_of
from tests.bench.nodes import Burst, Node, move_to
from tests.support.node.netns import Namespace

_BRIDGES: Final = {"br-e": "10.244.0.1/16", "br-f": "10.10.0.1/16"}
_IFNAMES: Final = ("eth0", "net1", "net2")
_NETS: Final = ("10.244", "10.9", "10.10")
_GROUP: Final = 0x6E700001
_HEAD_START: Final = 0.02  # seconds, in which every process reads its command


class BarePod:
    """Attaches and detaches one pod; made in its process, in the host's namespace."""

    def __init__(self, sandbox: Namespace, number: int) -> None:
        self._netlink = netlink = BareNetlink(sandbox)
        master, first, second = netlink.find("eth1", *_BRIDGES)
        there, host_name = netlink.there, f"vethe{number}"
        mode = MACVLAN_MODES["bridge"]
        self._create = encoded(
            [
                new_veth(Placement("eth0", there), host_name=host_name, bridge=first),
                new_macvlan(Placement("net1", there), master=master, mode=mode),
                new_veth(Placement("net2", there), host_name=f"vethf{number}", bridge=second),
            ]
        )
        blank = Link(0, "", "", 0, 0, "", 0, 0, 0, 0, False)
        self._hairpin = encoded([set_bridge_port(host_name, is_hairpin=True, is_isolated=False)])
        self._find = encoded([find_link(name) for name in _IFNAMES])
        self._setups = [
            (add_address(0, "", f"{net}.200.{number + 1}/16"), set_flags(blank, IFF_UP))
            for net in _NETS
        ]
        self._gateway = _BRIDGES["br-e"].partition("/")[0]
        self._delete = encoded(
            [*(set_group(name, _GROUP) for name in _IFNAMES), delete_group(_GROUP)]
        )

    def add(self) -> None:
        """Attach: create all links, set the port, enter once, configure."""
        host = self._netlink.host
        ask(host, *self._create)
        ask(host, *self._hairpin)
        with self._netlink.inside() as inside:
            indexes = [index_of(answer) for answer in ask(inside, *self._find)]
            pairs = zip(self._setups, indexes, strict=True)
            ask(inside, *at_index([(one, index) for setup, index in pairs for one in setup]))
            default = add_route(indexes[0], "eth0", Route("0.0.0.0/0"), self._gateway)
            ask(inside, *encoded([default]))

    def delete(self) -> None:
        """Detach: one group, one grace period."""
        with self._netlink.inside() as inside:
            ask(inside, *self._delete)


class Floor:
    """The processes of all pods.

    Attributes:
        cpu_seconds: processor time of all of them, in all bursts so far.
    """

    def __init__(self, ends: list[Connection]) -> None:
        self._ends = ends
        self.cpu_seconds = 0.0

    def burst(self, verb: str, size: int) -> Burst:
        """Carry out ADD or DEL of the first pods, all at once.

        Raises:
            RuntimeError: the kernel refused something.
        """
        begin = time.monotonic() + _HEAD_START
        for end in self._ends[:size]:
            end.send((verb, begin))
        times = []
        for end in self._ends[:size]:
            begun, ended, cpu, error = end.recv()
            if error:
                raise RuntimeError(f"cannot measure the kernel floor: {error}")
            times.append((begun, ended))
            self.cpu_seconds += cpu
        whole = max(end for _, end in times) - min(begun for begun, _ in times)
        return Burst([(ended - begun) * 1e3 for begun, ended in times], whole * 1e3)


@contextmanager
def floor(node: Node) -> Iterator[Floor]:
    """Make a process for each sandbox of a node; call it before threads are started."""
    for name, address in _BRIDGES.items():
        node.host.ip("link", "add", name, "type", "bridge")
        node.host.ip("address", "add", address, "dev", name)
        node.host.ip("link", "set", name, "up")
    context = multiprocessing.get_context("fork")
    ends, processes = [], []
    try:
        for number, sandbox in enumerate(node.sandboxes):
            ours, its = context.Pipe()
            given = (its, node.host.path, sandbox, number)
            process = context.Process(target=_serve, args=given, daemon=True)
            process.start()
            its.close()
            ends.append(ours)
            processes.append(process)
        yield Floor(ends)
    finally:
        for process in processes:
            process.kill()
            process.join()


def _serve(end: Connection, host: str, sandbox: Namespace, number: int) -> None:
    move_to(host)
    pod = BarePod(sandbox, number)
    while True:
        verb, begin = end.recv()
        time.sleep(max(0.0, begin - time.monotonic()))
        error, cpu, begun = "", time.process_time(), time.perf_counter()
        try:
            (pod.add if verb == "ADD" else pod.delete)()
        except OSError as failure:
            error = f"{verb} of pod {number}: {os.strerror(failure.errno or 0)}"
        end.send((begun, time.perf_counter(), time.process_time() - cpu, error))
