"""Nodes fail, are cut off, come back and leave; nothing is taken from a pod that runs.

Each node has a kubelet that runs one pod with a static address, and a block. A kubelet that is
connected renews its Lease and stops a pod that is gone within 45 seconds; its DEL may be lost. Node
objects are deleted, and nodes marked as out of service, where the machine is off: that is what
whoever does so asserts. Where that is not so, the Lease is renewed, and nothing is lost.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.addresses.node_look import NODE_LEASES
from planes.kube.resources import IPBLOCKS, LEASES, NODES, PODS
from planes.model.addresses import IPAddress, parse_address, parse_network
from planes.model.errors import Unavailable
from planes.store.protocol import AddressOwner
from tests.support.kube.nodes import delete_node, node_object, put_node, renew, shut_down
from tests.webhook.controller.running_controller import RunningController, running_controller

STOP_SECONDS = 45
STEP_SECONDS = 5
NODES_IN_PLAY = ("n1", "n2", "n3")
ACTIONS = (
    *("cut_off", "heal", "heal"),
    *("delete_pod", "delete_pod", "delete_pod"),
    *("power_off", "power_on", "declare", "delete_early"),
    *("new_leader", "errors", "nothing", "nothing", "nothing", "nothing"),
)


@dataclass
class Machine:
    """A node, and the pod that it may run.

    Attributes:
        connected_for: seconds; 0 while it is cut off.
    """

    name: str
    address: str
    is_on: bool = True
    is_cut_off: bool = False
    runs_pod: bool = True
    connected_for: int = 0


class Play:
    """A controller and its machines, driven by what hypothesis draws."""

    def __init__(self, data: st.DataObject, controller: RunningController) -> None:
        self.data = data
        self.controller = controller
        self.kube = controller.kube
        self.machines = [Machine(n, f"10.9.0.{200 + i}") for i, n in enumerate(NODES_IN_PLAY)]
        holders: dict[IPAddress, Holder] = {}
        for number, each in enumerate(self.machines):
            put_node(self.kube, each.name)
            controller.put_block(f"10.9.{number + 1}.0/26", node=each.name)
            meta = {"name": f"p-{each.name}", "namespace": "shop"}
            pod = self.kube.put_object(PODS, {"metadata": meta, "spec": {"nodeName": each.name}})
            uid = str(pod["metadata"]["uid"])
            who = AddressOwner("c1", "net1", "shop", meta["name"], uid, each.name)
            holders[parse_address(each.address)] = Holder(who)
        obj = static_object("business", parse_network("10.9.0.192/26"), holders)
        wanted = {each.address: "n9" for each in self.machines}
        self.name = obj["metadata"]["name"]
        self.kube.put_object(IPBLOCKS, {**obj, "wanted": wanted})

    async def run(self) -> None:
        self.controller.start()
        for _ in range(self.data.draw(st.integers(20, 60))):
            machine = self.data.draw(st.sampled_from(self.machines))
            await getattr(self, self.data.draw(st.sampled_from(ACTIONS)))(machine)
            for _ in range(STEP_SECONDS):
                await self.second()

    async def second(self) -> None:
        for each in self.machines:
            self.live(each)
        await self.controller.settle(1)
        block = self.kube.object(IPBLOCKS, self.name)
        assert block is not None
        owners = {obj["spec"]["node"] for obj in self.kube.objects(IPBLOCKS)}
        for each in self.machines:
            if each.runs_pod and each.is_on:
                assert each.address in block["holders"], f"{each} lost its address"
            if each.is_on:
                assert each.name in owners, f"{each} lost its block"
        self.kube.put_object(IPBLOCKS, {**block, "wanted": dict.fromkeys(block["holders"], "n9")})

    def live(self, each: Machine) -> None:
        """Do what the kubelet does in a second."""
        if not each.is_on or each.is_cut_off:
            each.connected_for = 0
            return
        each.connected_for += 1
        has_lease = self.kube.object(LEASES, each.name, NODE_LEASES) is not None
        if each.connected_for % 10 == 1 and (has_lease or self.kube.object(NODES, each.name)):
            renew(self.kube, each.name, self.controller.clock.now())
        is_gone = self.kube.object(PODS, f"p-{each.name}", "shop") is None
        if is_gone and each.connected_for >= STOP_SECONDS:
            each.runs_pod = False

    async def delete_early(self, machine: Machine) -> None:
        """Somebody deletes the Node object of a machine that runs and is connected."""
        if machine.is_on and self.kube.object(LEASES, machine.name, NODE_LEASES):
            await self.heal(machine)
            self.kube.remove_object(NODES, machine.name)

    async def cut_off(self, machine: Machine) -> None:
        if machine.is_on and not self.kube.object(NODES, machine.name):
            return
        machine.is_cut_off = True
        if machine.is_on:
            put_node(self.kube, machine.name, is_ready=False)

    async def heal(self, machine: Machine) -> None:
        machine.is_cut_off = False
        if machine.is_on and self.kube.object(NODES, machine.name):
            put_node(self.kube, machine.name)

    async def delete_pod(self, machine: Machine) -> None:
        """By force: at once, whatever its node does."""
        self.kube.remove_object(PODS, f"p-{machine.name}", "shop")

    async def power_off(self, machine: Machine) -> None:
        machine.is_on = machine.runs_pod = False
        if self.kube.object(NODES, machine.name):
            put_node(self.kube, machine.name, is_ready=False)

    async def power_on(self, machine: Machine) -> None:
        """The machine is set up anew under its name, with a block and without its pod."""
        if machine.is_on:
            return
        machine.is_on, machine.is_cut_off = True, False
        self.kube.put_object(NODES, node_object(machine.name))
        number = self.machines.index(machine) + 1
        self.controller.put_block(f"10.9.{number}.0/26", node=machine.name)

    async def declare(self, machine: Machine) -> None:
        """Somebody asserts that a machine is off."""
        if machine.is_on:
            return
        if self.data.draw(st.booleans()):
            shut_down(self.kube, machine.name)
        else:
            delete_node(self.kube, machine.name)
            await self.delete_pod(machine)

    async def new_leader(self, _machine: Machine) -> None:
        await self.controller.stop()
        self.controller.start()

    async def errors(self, _machine: Machine) -> None:
        for resource in (NODES, LEASES, PODS, IPBLOCKS):
            self.kube.fail_next(Unavailable("cannot get"), verb="get", resource=resource, times=2)

    async def nothing(self, _machine: Machine) -> None:
        """Time passes."""


async def play(data: st.DataObject) -> None:
    async with running_controller() as controller:
        await Play(data, controller).run()


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), print_blob=False)
@given(data=st.data())
def test_nothing_is_taken_from_a_pod_or_node_that_runs(data: st.DataObject) -> None:
    asyncio.run(play(data))
