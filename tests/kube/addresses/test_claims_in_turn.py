"""Two pods of one IPAMClaim at once, as a live migration has them: one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.resources import IPAM_CLAIMS, PODS
from planes.model.errors import Conflict, JsonObject, Unavailable
from planes.store.protocol import AddressOwner
from tests.kube.addresses.static_scene import A, book_of, owner, until_freed, written
from tests.kube.addresses.test_persistent_addresses import (
    add_claim,
    claim,
    end,
    kept,
    running,
    status,
)
from tests.support.kube.fake_kube import FakeKube


class Machine:
    """A virtual machine whose source pod runs on n1; its target pod is to run on n2."""

    def __init__(self, state: Path) -> None:
        self.kube = FakeKube()
        self.here, self.there = book_of(self.kube, state), book_of(self.kube, state, "n2")
        add_claim(self.kube)
        self.source: AddressOwner = running(self.kube, 1)
        self.target: AddressOwner = running(self.kube, 2, "n2")

    async def start(self) -> None:
        """Attach the source."""
        assert await claim(self.here, self.source) == [A]

    async def attempt(self, book: KubeAddressBook | None = None) -> list[str]:
        """Attach the target, as its kubelet does again and again."""
        return await claim(book or self.there, self.target)

    def writes(self) -> list[str]:
        """Return the kinds that were written so far, one for each request."""
        return [kind for verb, kind, *_ in self.kube.requests if verb not in {"get", "list"}]

    def claim(self) -> JsonObject:
        """Return the claim."""
        found = self.kube.object(IPAM_CLAIMS, "vm", "ns")
        assert found is not None
        return found


@pytest.fixture
async def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    await made.start()
    return made


async def test_the_target_waits_and_is_told_for_which_pod_and_what_to_do(
    machine: Machine,
) -> None:
    with pytest.raises(Conflict, match=r"held by pod ns/p1 .*n1.*one pod at a time") as told:
        await machine.attempt()
    assert "stop the virtual machine" in str(told.value)


async def test_a_target_that_tries_again_writes_nothing(machine: Machine) -> None:
    """The source's hold, the claim and its status are as before."""
    before, writes = machine.claim(), machine.writes()
    for _ in range(3):
        with pytest.raises(Conflict):
            await machine.attempt()
    assert machine.writes() == writes
    assert machine.claim() == before
    assert (written(machine.kube), kept(machine.kube)) == ({A: "c1"}, {A: "vm"})


async def test_the_target_has_the_address_once_the_source_has_ended(machine: Machine) -> None:
    """The claim's status names the pod that has it."""
    with pytest.raises(Conflict):
        await machine.attempt()
    await end(machine.here, machine.source)
    assert await machine.attempt() == [A]
    assert written(machine.kube) == {A: "c2"}
    assert status(machine.kube) == {"ips": [f"{A}/24"], "ownerPod": "p2"}


async def test_a_source_that_has_ended_and_is_not_detached_yet_has_the_address(
    machine: Machine,
) -> None:
    """Its sandbox has the interface still."""
    found = machine.kube.object(PODS, "p1", "ns")
    assert found is not None
    machine.kube.put_object(PODS, {**found, "status": {"phase": "Succeeded"}})
    with pytest.raises(Conflict):
        await machine.attempt()


async def test_a_migration_that_was_given_up_changes_nothing(machine: Machine) -> None:
    """The target is deleted without ever having had the address."""
    with pytest.raises(Conflict):
        await machine.attempt()
    machine.kube.remove_object(PODS, "p2", "ns")
    await end(machine.there, machine.target)
    assert written(machine.kube) == {A: "c1"}
    assert status(machine.kube)["ownerPod"] == "p1"


async def test_a_second_detach_of_the_source_takes_nothing_from_the_target(
    machine: Machine,
) -> None:
    await end(machine.here, machine.source)
    await machine.attempt()
    await end(machine.here, machine.source)
    assert written(machine.kube) == {A: "c2"}


async def test_the_target_of_a_node_that_is_off_has_the_address(machine: Machine) -> None:
    """Not before: a node that is cut off may run the source."""
    machine.kube.remove_object(PODS, "p1", "ns")
    with pytest.raises(Unavailable, match="may still run there"):
        await machine.attempt()
    await until_freed(machine.kube)
    assert kept(machine.kube) == {A: "vm"}
    assert await machine.attempt() == [A]


async def test_a_target_on_the_source_s_node_waits_too(machine: Machine) -> None:
    """Both could have an interface there."""
    machine.target = running(machine.kube, 3)
    with pytest.raises(Conflict, match="one pod at a time"):
        await machine.attempt(machine.here)
    await end(machine.here, machine.source)
    assert await machine.attempt(machine.here) == [A]


async def test_a_machine_that_moves_back_has_its_address(machine: Machine) -> None:
    await end(machine.here, machine.source)
    await machine.attempt()
    await end(machine.there, machine.target)
    again = running(machine.kube, 3)
    assert await claim(machine.here, again) == [A]
    assert owner(3).container_id == written(machine.kube)[A]
