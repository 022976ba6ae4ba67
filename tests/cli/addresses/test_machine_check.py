"""`netplane ip check --manifests`: records, journal, status and pods of one machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cni.journal.entry import Entry, Stage
from cni.journal.files import entry_path, write_entry
from cni.plugins.attachment import PlannedAttachment
from planes.cli.addresses.machine_check import check_machine
from planes.cli.reading.directory_api import DirectoryApi
from planes.cli.reading.place import Place
from planes.kube.addresses.cluster_audit import Misfit
from planes.model.decide.adoption import pod_identity
from planes.model.spec.plane import parse_plane
from planes.model.wire.netconf import parse_conflist
from planes.model.wire.result import Address, Result
from planes.store.directory import DirStore
from planes.store.protocol import AddressOwner
from planes.store.records import StatusFiles
from tests.cli.cluster_place import InstantClock
from tests.support.command_line import netplane
from tests.support.planes import plane_object

CONFLIST = parse_conflist('{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"macvlan"}]}')


class Machine:
    """A machine with a plane, whose pods are healthy unless a test plants a fault."""

    def __init__(self, root: Path) -> None:
        self.manifests, self.state = root / "manifests", root / "state"
        self.clock = InstantClock()
        for directory in (self.manifests, self.state / "journal"):
            directory.mkdir(parents=True)
        self.obj = plane_object(subnets=[{"cidr": "10.9.0.0/16"}])
        (self.manifests / "plane.json").write_text(json.dumps(self.obj))
        self.statuses = StatusFiles(self.state)
        self.book = DirStore(self.manifests, self.state, clock=self.clock).addresses

    def owner(self, name: str) -> AddressOwner:
        return AddressOwner(f"c-{name}", "net1", "shop", name, f"u-{name}", "n1")

    def manifest(self, name: str, uid: str = "") -> None:
        meta = {"name": name, "namespace": "shop", "uid": uid or f"u-{name}"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta}
        (self.manifests / f"{name}.json").write_text(json.dumps(pod))

    async def record(self, name: str) -> str:
        (claimed,) = await self.book.claim(parse_plane(self.obj), self.owner(name))
        return claimed.address

    def attach(self, name: str, address: str, stage: Stage = Stage.ATTACHED) -> None:
        one = PlannedAttachment(
            "netplane-system/business",
            CONFLIST,
            "net1",
            plane="business",
            result=Result((), (Address(address),), ()),
        )
        owner = self.owner(name)
        entry = Entry(
            *(owner.container_id, "eth0", "/run/netns/x", 7, "n", ("/opt/cni/bin",)),
            *("shop", name, owner.uid, "n1", (one,)),
            stage=stage,
        )
        path = entry_path(self.state / "journal", entry.key)
        write_entry(path, entry, is_new=True, is_synced=False)

    def show(self, name: str, address: str) -> None:
        status = [{"name": "netplane-system/business", "ips": [address.partition("/")[0]]}]
        self.statuses.put("shop", name, json.dumps(status))

    async def pod(self, name: str) -> str:
        """Have a healthy pod; return its address without prefix length."""
        self.manifest(name)
        address = await self.record(name)
        self.attach(name, address)
        self.show(name, address)
        return address.partition("/")[0]

    async def found(self) -> set[tuple[str, str, str]]:
        api = DirectoryApi(self.manifests, self.state)
        place = Place(api, self.clock, "here", self.manifests, self.state)
        entries = await check_machine(place, self.state)
        return {(str(entry.kind), entry.what, entry.pod) for entry in entries}


@pytest.fixture
async def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    await machine.pod("healthy")
    return machine


async def test_a_healthy_machine_of_200_pods_has_no_misfit(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for number in range(200):
        await machine.pod(f"web-{number}")
    assert await machine.found() == set()


async def test_pods_whose_sandboxes_another_runtime_made_have_no_manifest(
    machine: Machine,
) -> None:
    address = await machine.record("podman")
    machine.attach("podman", address)
    machine.show("podman", address)
    assert await machine.found() == set()


async def test_a_record_without_attachment_is_leaked(machine: Machine) -> None:
    address = (await machine.record("gone")).partition("/")[0]
    assert await machine.found() == {(Misfit.LEAKED, address, "shop/gone")}


async def test_a_record_of_what_another_ipam_gave_needs_no_attachment(machine: Machine) -> None:
    """It was taken over: its holder is no sandbox of the journal."""
    container = pod_identity("shop", "old", "u1")
    owner = AddressOwner(container, "net1", "shop", "old", "u1", "n1")
    await machine.book.claim(parse_plane(machine.obj), owner)
    assert await machine.found() == set()


async def test_a_damaged_record_is_leaked(machine: Machine) -> None:
    (machine.state / "addresses" / "business" / "10.9.9.9").write_text("torn")
    assert await machine.found() == {(Misfit.LEAKED, "10.9.9.9", "")}


async def test_an_attachment_without_record_is_named(machine: Machine) -> None:
    machine.manifest("web")
    machine.attach("web", "10.9.7.7/16")
    assert await machine.found() == {(Misfit.NO_RECORD, "10.9.7.7", "shop/web")}


async def test_a_call_at_work_is_no_misfit(machine: Machine) -> None:
    """It has no record yet; or it has one, and its ADD is not over."""
    machine.attach("early", "10.9.7.7/16", Stage.BEGUN)
    machine.attach("late", await machine.record("late"), Stage.BEGUN)
    assert await machine.found() == set()


async def test_an_address_of_two_attachments_is_a_duplicate(machine: Machine) -> None:
    address = await machine.pod("web")
    machine.attach("thief", f"{address}/16")
    found = await machine.found()
    assert {kind for kind, *_ in found} == {Misfit.DUPLICATE}


async def test_a_status_without_pod_is_named(machine: Machine) -> None:
    address = await machine.pod("web")
    machine.statuses.put("shop", "nobody", "[]")
    assert await machine.found() == {
        (Misfit.STATUS_NO_POD, "network-status", "shop/nobody"),
    }
    machine.show("nobody", address)
    assert (Misfit.DUPLICATE, address, "shop/nobody") in await machine.found()


async def test_an_address_that_no_record_holds_is_named(machine: Machine) -> None:
    machine.manifest("web")
    machine.show("web", "10.9.7.7")
    assert await machine.found() == {(Misfit.NO_HOLDER, "10.9.7.7", "shop/web")}


async def test_a_record_of_an_earlier_pod_of_that_name_is_named(machine: Machine) -> None:
    address = await machine.pod("db-0")
    machine.manifest("db-0", uid="another")
    assert await machine.found() == {(Misfit.NO_POD, address, "shop/db-0")}


async def test_records_of_no_plane_are_orphaned(machine: Machine) -> None:
    obj = plane_object("left", subnets=[{"cidr": "10.8.0.0/16"}])
    (claimed,) = await machine.book.claim(parse_plane(obj), machine.owner("healthy"))
    address = claimed.address.partition("/")[0]
    assert await machine.found() == {(Misfit.ORPHANED, address, "shop/healthy")}


async def test_a_damaged_journal_entry_is_named_and_leaks_nothing(machine: Machine) -> None:
    await machine.pod("web")
    path = Path(entry_path(machine.state / "journal", ("c-web", "eth0")))
    path.write_bytes(path.read_bytes()[:-40])
    found = await machine.found()
    assert found == {(Misfit.DAMAGED, path.name, "")}


async def test_a_journal_that_cannot_be_read_is_told_and_the_rest_compared(
    machine: Machine,
) -> None:
    journal = machine.state / "journal"
    for entry in list(journal.iterdir()):
        entry.unlink()
    journal.rmdir()
    journal.write_text("no directory")
    machine.statuses.put("shop", "nobody", "[]")
    found = await machine.found()
    assert {kind for kind, *_ in found} == {Misfit.UNREAD, Misfit.STATUS_NO_POD}


async def test_what_changes_between_two_looks_is_not_told(machine: Machine) -> None:
    address = await machine.record("web")
    machine.clock.meanwhile = lambda: machine.attach("web", address)
    assert await machine.found() == set()


def test_names_of_pods_are_printed_without_escapes(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.statuses.put("shop", "evil\x1b[2J", "[]")
    words = ("--manifests", str(machine.manifests), "--state-dir", str(machine.state))
    outcome = netplane("ip", "check", *words)
    assert outcome.status == 1
    assert "\x1b" not in outcome.out + outcome.err
    assert "shop/evil?[2J" in outcome.out


def test_a_healthy_machine_says_so(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    words = ("--manifests", str(machine.manifests), "--state-dir", str(machine.state))
    outcome = netplane("ip", "check", *words)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == "records, pods and their status fit together\n"
    refused = netplane("ip", "check", *words, "--report", str(tmp_path / "report.json"))
    assert refused.status == 2
    assert not (tmp_path / "report.json").exists()
