"""Journal, records, sandboxes and pods are compared; what a running pod has is recorded again."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from cni.ipam.host_local_files import owner_text
from cni.reconcile.orphans import GRACE_SECONDS
from planes.model.decide.adoption import pod_identity
from planes.model.errors import JsonObject
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import Pod
from planes.model.wire.result import Address, Result
from planes.store.protocol import AddressOwner
from tests.cni.runtime_scene import bench, shop_store
from tests.support.cni.runtime import Bench

FIRST, OTHER = ip_address("10.9.0.2"), ip_address("10.9.0.9")
GONE = AddressOwner("gone", "net1", "shop", "old", "u0", "node-a")


async def attached(root: Path) -> Bench:
    """Return a runtime with one pod, whose address in the plane is the first one."""
    made = await bench(root, shop_store(networks=""))
    await made.call("ADD")
    return made


async def findings(made: Bench) -> list[JsonObject]:
    found: list[JsonObject] = (await made.parts.reconcile.report.answer({}))["findings"]
    return found


def metric(made: Bench, name: str) -> str:
    text = made.parts.shared.environment.metrics.render().decode()
    return next(line for line in text.splitlines() if line.startswith(f"netplane_{name} "))


async def test_where_all_is_well_nothing_is_found(tmp_path: Path) -> None:
    made = await attached(tmp_path)
    assert await findings(made) == []
    before = dict(made.store.addresses.held["business"])
    await made.parts.reconcile.address_check.reconcile()
    assert made.store.addresses.held["business"] == before


async def test_a_missing_record_is_made_again(tmp_path: Path) -> None:
    made = await attached(tmp_path)
    before = dict(made.store.addresses.held["business"])
    made.store.addresses.held["business"].clear()
    (found,) = await findings(made)
    assert (found["kind"], found["address"]) == ("missing", "10.9.0.2")
    assert made.store.addresses.held["business"] == {}
    await made.parts.reconcile.address_check.reconcile()
    assert made.store.addresses.held["business"] == before
    assert metric(made, "addresses_repaired_total") == "netplane_addresses_repaired_total 1.0"


async def test_an_address_that_another_pod_holds_is_reported_once(tmp_path: Path) -> None:
    made = await attached(tmp_path)
    made.store.addresses.held["business"] = {FIRST: GONE}
    kinds = {one["kind"] for one in await findings(made)}
    assert kinds == {"twice"}
    for _ in range(2):
        await made.parts.reconcile.address_check.reconcile()
    assert made.store.addresses.held["business"] == {FIRST: GONE}
    assert metric(made, "addresses_held_twice") == "netplane_addresses_held_twice 1.0"
    queued = made.reporter._queued()
    events = [event for event in queued if event.reason == "AddressHeldTwice"]
    assert len(events) == 1
    assert "10.9.0.2" in events[0].message


async def test_a_sandbox_with_a_call_at_work_is_passed_over(tmp_path: Path) -> None:
    made = await attached(tmp_path)
    made.store.addresses.held["business"].clear()
    async with made.call_locks.sandbox("c1"):
        assert await findings(made) == []
        await made.parts.reconcile.address_check.reconcile()
    assert made.store.addresses.held["business"] == {}


async def test_a_leaked_address_is_listed_with_what_becomes_of_it(tmp_path: Path) -> None:
    made = await attached(tmp_path)
    made.store.addresses.held["business"][OTHER] = GONE
    (found,) = await findings(made)
    assert (found["kind"], found["outlook"]) == (
        "leaked",
        "released in 60 s unless it is in use by then",
    )
    made.kernel.live.add(OTHER)
    (found,) = await findings(made)
    assert found["outlook"] == "kept: an interface of this node has it"


async def test_an_address_taken_over_for_an_interface_of_another_network_is_as_it_should_be(
    tmp_path: Path,
) -> None:
    """Its pod runs on for weeks, and its attachment is none of the plane."""
    made = await attached(tmp_path)
    made.store.addresses.held["business"][OTHER] = replace(
        GONE, container_id=pod_identity("shop", "old", "u0")
    )
    made.kernel.live.add(OTHER)
    assert await findings(made) == []
    made.kernel.live.remove(OTHER)
    (found,) = await findings(made)
    assert found["kind"] == "leaked"


async def test_an_address_in_a_sandbox_that_another_program_made_is_as_it_should_be(
    tmp_path: Path,
) -> None:
    """It was taken over, and is held for the container that the runtime's results name."""
    made = await attached(tmp_path)
    netns = "/run/netns/cni-x"
    made.store.addresses.held["business"][OTHER] = replace(GONE, container_id="c7")
    made.kernel.inside[netns] = (("net1", OTHER),)
    made.kernel.live.add(OTHER)
    (found,) = await findings(made)
    assert found["outlook"] == "kept: an interface of this node has it"  # of whom is not known
    cached = {
        "kind": "cniCacheV1",
        "containerId": "c7",
        "cniArgs": [["K8S_POD_NAMESPACE", "shop"], ["K8S_POD_NAME", "old"]],
        "result": {"interfaces": [{"name": "eth0", "sandbox": netns}]},
    }
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "multus-c7-eth0").write_text(json.dumps(cached))
    assert await findings(made) == []


async def test_while_a_pod_shows_an_address_of_lost_records_it_stays_held(tmp_path: Path) -> None:
    made = await attached(tmp_path)
    shown = json.dumps([{"name": "x", "ips": ["10.9.0.9"], "dns": {}}])
    made.store.put_pod(Pod("shop", "old", uid="u0", annotations={STATUS_ANNOTATION: shown}))
    made.store.addresses.held["business"][OTHER] = replace(
        GONE, container_id=pod_identity("shop", "old", "u0")
    )
    await made.orphans.reconcile()
    made.clock.advance(GRACE_SECONDS)
    await made.orphans.reconcile()
    assert OTHER in made.store.addresses.held["business"]
    (found,) = await findings(made)
    assert found["outlook"].startswith("kept: network-status of a pod has it")
    made.store.remove_pod("shop", "old")
    await made.orphans.reconcile()
    assert OTHER not in made.store.addresses.held["business"]
    assert metric(made, "addresses_leaked_total") == "netplane_addresses_leaked_total 1.0"


async def test_the_status_of_a_sandbox_that_is_gone_keeps_nothing(tmp_path: Path) -> None:
    """As after a power cut: the pod shows what its earlier sandbox had."""
    made = await attached(tmp_path)
    shown = json.dumps([{"name": "x", "ips": ["10.9.0.9"], "dns": {}}])
    made.store.put_pod(Pod("shop", "old", uid="u0", annotations={STATUS_ANNOTATION: shown}))
    made.store.addresses.held["business"][OTHER] = GONE
    await made.orphans.reconcile()
    made.clock.advance(GRACE_SECONDS)
    await made.orphans.reconcile()
    assert OTHER not in made.store.addresses.held["business"]


async def test_an_address_that_only_an_interface_has_is_listed(tmp_path: Path) -> None:
    made = await attached(tmp_path)
    made.kernel.inside["/run/netns/cni-x"] = (("net1", OTHER),)
    (found,) = await findings(made)
    assert (found["kind"], found["holder"]) == (
        "unrecorded",
        "sandbox /run/netns/cni-x (interface net1)",
    )


@pytest.mark.parametrize("is_used", [True, False])
async def test_a_lost_file_of_host_local_is_made_again_in_directories_of_ours(
    tmp_path: Path, *, is_used: bool
) -> None:
    made = await attached(tmp_path)
    (entry,) = made.journal.entries()
    directory = made.data_dir / "networks"
    ipam = {"type": "host-local", "subnet": "10.7.0.0/24", "dataDir": str(directory)}
    one = entry.attachments[0]
    conflist = one.conflist
    first = {**conflist.plugins[0].raw, "type": "bridge", "ipam": ipam}
    plugins = [replace(conflist.plugins[0], raw=first), *conflist.plugins[1:]]
    changed = replace(
        one,
        conflist=replace(conflist, plugins=tuple(plugins)),
        result=Result(ips=(Address("10.7.0.2/24"),)),
    )
    await made.journal.update(replace(entry, attachments=(changed, *entry.attachments[1:])))
    network = directory / conflist.name
    if is_used:
        made.parts.shared.used_networks.note(str(network))
    assert len(await findings(made)) == int(is_used)
    await made.parts.reconcile.address_check.reconcile()
    path = network / "10.7.0.2"
    assert path.exists() is is_used
    if is_used:
        assert path.read_bytes().decode() == owner_text("c1", one.ifname)
        path.write_text("c9\r\neth0")
        await made.parts.reconcile.address_check.reconcile()
        assert path.read_text() == "c9\neth0"
