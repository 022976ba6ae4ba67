"""After the loss of records no address in use is handed out; each comes back when it is free."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from cni.reconcile.addresses_in_use import AddressesInUse
from cni.reconcile.lost_records import LostRecords
from cni.reconcile.orphans import GRACE_SECONDS
from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.addresses.holders import Holder, static_object
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import IPAddress
from planes.model.decide.adoption import NO_INTERFACE, AddressUser, Fact, Source, is_adopted
from planes.model.errors import Unavailable
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import Pod
from planes.model.spec.block_sizes import static_network_of
from planes.run.clock import SystemClock
from planes.run.metrics import Metrics
from planes.store.protocol import AddressOwner
from tests.cni.runtime_scene import bench, shop_store
from tests.support.cni.runtime import Bench
from tests.support.kube.fake_kube import FakeKube
from tests.support.store import FakeStore

FIRST, SECOND = ip_address("10.9.0.2"), ip_address("10.9.0.3")
OLD = "/run/netns/cni-old"
OWN = "netplane-system/business"


def status(address: str, network: str = OWN) -> str:
    return json.dumps([{"name": network, "interface": "net1", "ips": [address], "dns": {}}])


async def lost(root: Path, *, is_standalone: bool = True) -> Bench:
    """Return a runtime without records, on a node where a sandbox has the plane's first address."""
    made = await bench(root, shop_store(networks=""), is_standalone=is_standalone)
    made.kernel.inside[OLD] = (("net1", FIRST),)
    made.kernel.live.add(FIRST)
    return made


def held(made: Bench) -> dict[str, str]:
    """Container IDs by address; those that stand for an unknown one are `adopted`."""
    return {
        str(address): "adopted" if is_adopted(owner.container_id) else owner.container_id
        for address, owner in made.store.addresses.held["business"].items()
    }


async def test_an_address_of_a_sandbox_is_not_handed_out(tmp_path: Path) -> None:
    made = await lost(tmp_path)
    await made.call("ADD")
    assert held(made) == {"10.9.0.2": "adopted", "10.9.0.3": "c1"}


async def test_a_status_is_believed_of_a_pod_whose_interface_nobody_sees(tmp_path: Path) -> None:
    made = await bench(tmp_path, shop_store(networks=""))
    made.store.put_pod(
        Pod("shop", "dpdk", uid="u9", annotations={STATUS_ANNOTATION: status("10.9.0.2")})
    )
    await made.call("ADD")
    assert held(made) == {"10.9.0.2": "adopted", "10.9.0.3": "c1"}


async def test_a_status_of_a_namespace_that_did_not_join_holds_nothing(tmp_path: Path) -> None:
    made = await bench(tmp_path, shop_store(networks=""))
    made.store.put_pod(
        Pod("plain", "evil", uid="u9", annotations={STATUS_ANNOTATION: status("10.9.0.2")})
    )
    await made.call("ADD")
    assert held(made) == {"10.9.0.2": "c1"}


async def test_what_the_journal_has_is_recorded_as_it_was(tmp_path: Path) -> None:
    """Only the addresses were deleted."""
    made = await bench(tmp_path, shop_store(networks=""))
    await made.call("ADD")
    before = dict(made.store.addresses.held["business"])
    made.store.addresses.held.clear()
    made.store.addresses.complete.clear()
    made.store.put_pod(Pod("shop", "two", uid="u2"))
    await made.call("ADD", pod="shop/two", container="c2", netns="/run/netns/fake")
    assert held(made) == {"10.9.0.2": "c1", "10.9.0.3": "c2"}
    assert before.items() <= made.store.addresses.held["business"].items()


async def test_nothing_is_handed_out_while_a_namespace_cannot_be_read(tmp_path: Path) -> None:
    made = await lost(tmp_path)
    made.kernel.survey_error = Unavailable("cannot open network namespace: Too many open files")
    with pytest.raises(Unavailable):
        await made.call("ADD")
    assert not made.store.addresses.complete


async def test_files_of_the_runtime_name_the_container(tmp_path: Path) -> None:
    made = await lost(tmp_path)
    results = tmp_path / "results"
    results.mkdir()
    (results / "bad").write_text("{")
    args = [["K8S_POD_NAMESPACE", "shop"], ["K8S_POD_NAME", "old"], ["K8S_POD_UID", "u0"]]
    cached = {
        "kind": "cniCacheV1",
        "containerId": "c0",
        "cniArgs": args,
        "result": {"interfaces": [{"name": "veth"}, {"name": "eth0", "sandbox": f"/var{OLD}"}]},
    }
    (results / "netplane-c0-eth0").write_text(json.dumps(cached))
    await made.call("ADD")
    owner = made.store.addresses.held["business"][FIRST]
    assert (owner.container_id, owner.pod, owner.uid) == ("c0", "old", "u0")


async def test_a_hostile_interface_name_is_not_written_anywhere(tmp_path: Path) -> None:
    made = await lost(tmp_path)
    made.kernel.inside[OLD] = (("\x1b[2Jnet1", FIRST),)
    await made.call("ADD")
    assert made.store.addresses.held["business"][FIRST].interface == NO_INTERFACE


@pytest.mark.parametrize(
    "call",
    [
        {"container": "c0", "netns": f"/var{OLD}"},
        {"container": "c0", "netns": "", "conf": {"prevResult": {
            "cniVersion": "1.0.0", "ips": [{"address": "10.9.0.2/24"}]}}},
    ],
)  # fmt: skip
async def test_del_of_the_sandbox_releases_its_address(
    tmp_path: Path, call: dict[str, str]
) -> None:
    made = await lost(tmp_path, is_standalone=False)
    await made.call("ADD")
    made.kernel.live.clear()
    await made.call("DEL", pod="shop/old", **call)  # type: ignore[arg-type]
    assert held(made) == {"10.9.0.3": "c1"}


async def test_del_of_the_pod_releases_what_its_status_shows(tmp_path: Path) -> None:
    made = await lost(tmp_path, is_standalone=False)
    made.store.put_pod(
        Pod("shop", "old", uid="u0", annotations={STATUS_ANNOTATION: status("10.9.0.2")})
    )
    await made.call("ADD")
    made.kernel.live.clear()
    await made.call("DEL", pod="shop/old", uid="u0", container="c0", netns="")
    assert held(made) == {"10.9.0.3": "c1"}


async def test_del_of_another_sandbox_releases_nothing(tmp_path: Path) -> None:
    made = await lost(tmp_path, is_standalone=False)
    await made.call("ADD")
    made.kernel.live.clear()
    await made.call("DEL", pod="shop/other", container="c7", netns="/run/netns/cni-other")
    assert held(made) == {"10.9.0.2": "adopted", "10.9.0.3": "c1"}


async def test_while_an_interface_has_the_address_del_releases_nothing(tmp_path: Path) -> None:
    made = await lost(tmp_path, is_standalone=False)
    await made.call("ADD")
    await made.call("DEL", pod="shop/old", container="c0", netns=OLD)
    assert held(made) == {"10.9.0.2": "adopted", "10.9.0.3": "c1"}


async def look_twice(made: Bench) -> None:
    await made.orphans.reconcile()
    made.clock.advance(GRACE_SECONDS)
    await made.orphans.reconcile()


async def test_without_del_it_is_released_when_neither_sandbox_nor_pod_has_it(
    tmp_path: Path,
) -> None:
    made = await lost(tmp_path)
    await made.call("ADD")
    await look_twice(made)
    assert held(made) == {"10.9.0.2": "adopted", "10.9.0.3": "c1"}
    made.kernel.live.clear()
    old = Pod("shop", "old", uid="u0", annotations={STATUS_ANNOTATION: status("10.9.0.2")})
    made.store.put_pod(old)
    await look_twice(made)
    assert held(made) == {"10.9.0.2": "adopted", "10.9.0.3": "c1"}
    made.store.remove_pod("shop", "old")
    await look_twice(made)
    assert held(made) == {"10.9.0.3": "c1"}


async def test_an_address_in_use_is_held_here_whoever_says_that_he_holds_it(tmp_path: Path) -> None:
    """A node may write itself as the holder of any address, and withdraw that later."""
    kube, plane = FakeKube(), shop_store().catalog.planes[0]
    before = KubeAddressBook(kube, "n1", tmp_path / "before", SystemClock())
    owner = AddressOwner("c1", "net1", "shop", "web", "u1", "n1")
    (claimed,) = await before.claim(plane, owner)
    address = ip_address(claimed.ip)
    evil = Holder(AddressOwner("c9", "net1", "shop", "web", "u9", "evil"), 7)
    network = static_network_of(address)
    kube.put_object(IPBLOCKS, static_object(plane.name, network, {address: evil}, "evil"))
    book = KubeAddressBook(kube, "n1", tmp_path / "after", SystemClock())
    store = _Booked(book, planes=[plane])
    lost_records = LostRecords(_InUse(address), store, "n1", SystemClock(), Metrics())
    await lost_records.complete(plane)
    held = [each.addresses for each in await book.held_by_others([])]
    assert held == [(address,)]


class _Booked(FakeStore):
    """A store with a cluster's address book."""

    def __init__(self, book: KubeAddressBook, **more: Any) -> None:
        super().__init__(**more)
        self._book = book

    @property
    def addresses(self) -> Any:
        return self._book


class _InUse(AddressesInUse):
    """A sandbox of this node has an address, and nothing else is known."""

    def __init__(self, address: IPAddress) -> None:
        self._address = address

    def journaled(self) -> Iterator[Fact]:
        return iter(())

    async def unjournaled(self) -> tuple[Fact, ...]:
        return (Fact(Source.SANDBOX, self._address, AddressUser("c1", "net1", netns=OLD)),)
