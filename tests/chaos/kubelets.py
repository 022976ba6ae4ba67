"""What the cluster sees of machines, and what happens on them without their daemons.

Node objects vanish and come back, machines are cut off, leave, and are shut down; pods are deleted
by force while they run. A kubelet renews its node's Lease every ten seconds while it is connected,
stops a pod of whose deletion it has heard within half a minute, and makes the mirror of a static
pod anew.

Invariant: a machine whose Node object is gone for 40 seconds or longer, or whose node is marked as
out of service, is off.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from planes.kube.resources import NODES, PODS
from planes.model.errors import JsonObject
from planes.model.objects import CONFIG_MIRROR_ANNOTATION
from planes.model.state.fencing import GONE_SECONDS
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.nodes import delete_node, node_object, renew

RENEW_SECONDS: Final = 10.0
COLLECT_SECONDS: Final = 40.0
"""After that the pods of a node that is gone are deleted (podgc in kube-controller-manager)."""
STOPPING: Final = (1.0, 30.0)
"""30 is the default of `terminationGracePeriodSeconds`."""
MIRRORING: Final = (10.0, 40.0)
"""Until a kubelet has made a mirror anew; mostly it takes less."""


@dataclass(slots=True)
class Machine:
    """A machine as the cluster sees it.

    Attributes:
        is_off: nothing runs on it.
        is_cut: nothing of it reaches the API server.
        has_node: there is a Node object.
        is_declared_off: its Node is not ready and has the taint of one that was shut down.
        renewed_at: when its kubelet renewed the Lease last.
        unwanted: containers that run though their pods were deleted, and when they are stopped;
            None while the kubelet has not heard of it.
        due: what happens later.
    """

    name: str
    is_off: bool = False
    is_cut: bool = False
    has_node: bool = True
    is_declared_off: bool = False
    is_cordoned: bool = False
    renewed_at: float = -RENEW_SECONDS
    unwanted: dict[str, float | None] = field(default_factory=dict)
    due: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    @property
    def is_connected(self) -> bool:
        """Whether its kubelet reaches the API server."""
        return self.has_node and not self.is_off and not self.is_cut

    @property
    def is_fine(self) -> bool:
        """Whether nothing is wrong with it, and nothing is about to happen."""
        return self.is_connected and not self.due


class Daemons(Protocol):
    """What machines run: their pods' containers, and the daemon."""

    def running(self, name: str) -> Sequence[str]:
        """Return the containers on a machine that are attached."""
        ...

    def stop(self, name: str, container: str) -> None:
        """Stop a container: its interface goes, then its DEL comes."""
        ...

    def power_off(self, name: str) -> Sequence[str]:
        """End all that runs on a machine; return the containers whose pods were there."""
        ...

    def power_on(self, name: str, *, is_anew: bool) -> None:
        """Boot a machine, on its disk or set up anew."""
        ...

    def wire(self, name: str, *, is_cut: bool) -> None:
        """Cut a machine off, or connect it."""
        ...


class Kubelets:
    """All machines; `tick` must be called whenever time has passed.

    Args:
        kube: the API server.
        clock: of the world.
        daemons: what runs on them.

    Attributes:
        mirrors: containers of static pods, and the UIDs that their kubelets gave these.
        rng: chooses when what happens; another one in each step.
    """

    def __init__(self, kube: FakeKube, clock: FakeClock, daemons: Daemons) -> None:
        self._kube = kube
        self._clock = clock
        self._daemons = daemons
        self._machines: dict[str, Machine] = {}
        self.mirrors: dict[str, str] = {}
        self.rng = random.Random(0)  # noqa: S311

    def add(self, name: str) -> None:
        """Have a machine that runs."""
        self._machines[name] = machine = Machine(name)
        self._show(machine)

    def of(self, name: str) -> Machine:
        """Return a machine."""
        return self._machines[name]

    def unwanted(self) -> frozenset[str]:
        """Return the containers that run though their pods were deleted."""
        return frozenset(c for machine in self._machines.values() for c in machine.unwanted)

    def tick(self) -> None:
        """Do what is due."""
        now = self._clock.monotonic()
        for machine in self._machines.values():
            while machine.due and machine.due[0][0] <= now:
                machine.due.pop(0)[1]()
            if machine.is_connected and now - machine.renewed_at >= RENEW_SECONDS:
                machine.renewed_at = now
                renew(self._kube, machine.name, now)
            if machine.unwanted and not machine.is_off:
                self._stop(machine, now)

    def calm(self) -> None:
        """Have all that is due happen now, and nothing more."""
        for machine in self._machines.values():
            for _, action in tuple(machine.due):
                action()
            machine.due.clear()
            machine.is_cordoned = False
            self._show(machine)

    # What happens to machines.

    def cordon(self, name: str, *, is_cordoned: bool) -> None:
        """Cordon a node or not."""
        machine = self._machines[name]
        machine.is_cordoned = is_cordoned
        if machine.has_node:
            self._show(machine)

    def force(self, name: str) -> None:
        """Delete a pod by force; the mirror of a static one just as well."""
        machine = self._machines[name]
        running = [c for c in self._daemons.running(name) if c not in machine.unwanted]
        if running and not machine.is_off:
            self._delete(machine, self.rng.choice(running))

    def cut(self, name: str) -> None:
        """Cut a machine off, and delete some of its pods by force meanwhile."""
        machine = self._machines[name]
        if not machine.is_fine:
            return
        machine.is_cut = True
        self._daemons.wire(name, is_cut=True)
        for _ in range(self.rng.choice((0, 1, 3))):
            self.force(name)
        self._later(machine, self.rng.uniform(5, 250), lambda: self._heal(machine))

    def vanish(self, name: str) -> None:
        """Delete a Node object by mistake: it is there again before the node counts as gone."""
        machine = self._machines[name]
        if not machine.is_fine:
            return
        self._hide(machine)
        self._later(machine, self.rng.uniform(2, GONE_SECONDS - 2), lambda: self._show(machine))

    def leave(self, name: str) -> None:
        """Switch a machine off and delete its Node object; it may be added again later."""
        self._off(name, is_declared=False)

    def shut_down(self, name: str) -> None:
        """Switch a machine off, and mark its node as out of service."""
        self._off(name, is_declared=True)

    def _off(self, name: str, *, is_declared: bool) -> None:
        machine = self._machines[name]
        if not machine.is_fine or sum(not m.is_off for m in self._machines.values()) == 1:
            return
        machine.is_off, machine.is_declared_off = True, is_declared
        machine.unwanted.clear()
        pods = self._daemons.power_off(name)
        if is_declared:
            self._show(machine)
        else:
            self._hide(machine)
        wait = 1.0 if is_declared else COLLECT_SECONDS
        self._later(machine, wait, lambda: self._collect(pods))
        is_anew = self.rng.random() < 0.5
        back = self.rng.uniform(45, 250)
        self._later(machine, back, lambda: self._on(machine, is_anew=is_anew))

    def _on(self, machine: Machine, *, is_anew: bool) -> None:
        machine.is_declared_off = False
        self._show(machine)
        machine.is_off = False
        self._daemons.power_on(machine.name, is_anew=is_anew)

    def _heal(self, machine: Machine) -> None:
        machine.is_cut = False
        self._daemons.wire(machine.name, is_cut=False)

    def _later(self, machine: Machine, seconds: float, action: Callable[[], None]) -> None:
        machine.due.append((self._clock.monotonic() + seconds, action))
        machine.due.sort(key=lambda entry: entry[0])

    # Objects.

    def _show(self, machine: Machine) -> None:
        is_off = machine.is_declared_off
        node = node_object(machine.name, is_ready=not is_off, is_out_of_service=is_off)
        node["spec"]["unschedulable"] = machine.is_cordoned
        self._kube.put_object(NODES, node)
        machine.has_node = True

    def _hide(self, machine: Machine) -> None:
        delete_node(self._kube, machine.name)
        machine.has_node = False
        machine.renewed_at = -RENEW_SECONDS

    def put_pod(self, container: str, node: str) -> str:
        """Have the pod of a container, or its mirror; return the UID that the kubelet knows."""
        meta: JsonObject = {"name": container, "namespace": "ns"}
        if (uid := self.mirrors.get(container)) is not None:
            meta["annotations"] = {CONFIG_MIRROR_ANNOTATION: uid}
        spec: Any = {"nodeName": node}
        pod = self._kube.put_object(PODS, {"metadata": meta, "spec": spec})
        return uid or str(pod["metadata"]["uid"])

    def _delete(self, machine: Machine, container: str) -> None:
        self._kube.remove_object(PODS, container, "ns")
        machine.unwanted[container] = None

    def _collect(self, pods: Sequence[str]) -> None:
        for container in pods:
            self._kube.remove_object(PODS, container, "ns")

    def _stop(self, machine: Machine, now: float) -> None:
        """Stop what is unwanted; a static pod is wanted by its kubelet, which shows it again."""
        running = self._daemons.running(machine.name)
        for container, at in tuple(machine.unwanted.items()):
            if container not in running:
                del machine.unwanted[container]
            elif at is None and machine.is_connected:
                bounds = MIRRORING if container in self.mirrors else STOPPING
                machine.unwanted[container] = now + self.rng.uniform(*bounds)
            elif at is not None and at <= now:
                if container not in self.mirrors:
                    del machine.unwanted[container]
                    self._daemons.stop(machine.name, container)
                elif machine.is_connected:
                    del machine.unwanted[container]
                    self.put_pod(container, machine.name)
