"""Addresses of IPAMClaims on a real API server, with our text of the kind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from planes.cli.addresses.cluster_check import check
from planes.cli.claim_addresses import release_claims
from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.addresses.cluster_audit import Misfit
from planes.kube.client.access import connect
from planes.kube.client.client import Client
from planes.kube.resources import IPAM_CLAIMS, PODS
from planes.model.errors import Conflict, NotFound, PlanesError
from planes.model.names import NETWORKS_ANNOTATION
from planes.run.clock import SystemClock
from planes.store.protocol import AddressOwner, ClaimReference
from tests.cluster.apiserver import ApiServer
from tests.support.planes import make_plane
from webhook.controller.kept_for_claims import KeptForClaims

MANIFESTS = Path(__file__).parents[2] / "manifests"
PLANE = make_plane(
    "keeping",
    subnets=[
        {"cidr": "10.78.0.0/24", "staticRanges": ["10.78.0.200-10.78.0.215"]},
        {"cidr": "fd00:78::/64", "staticRanges": ["fd00:78::200-fd00:78::20f"]},
    ],
    ipam={"mode": "Plane", "lifecycle": "Persistent"},
)
FIRST = ["10.78.0.200/24", "fd00:78::200/64"]
KEEPING = ClaimReference("vm.net", (PLANE.name,), 100)


@pytest.fixture
async def client(own_api_server: ApiServer) -> AsyncIterator[Client]:
    """Serve blocks and claims, and create one."""
    for file in ("base/crds/ipblocks.yaml", "ipam-claim-kind.yaml"):
        own_api_server.kubectl("apply", "--server-side", "-f", str(MANIFESTS / file))
    for kind in ("ipblocks.netplane.io", f"{IPAM_CLAIMS.plural}.{IPAM_CLAIMS.group}"):
        own_api_server.kubectl("wait", "--for=condition=Established", f"crd/{kind}")
    async with connect(own_api_server.kubeconfig(), user_agent="netplane-test/1") as made:
        await add_claim(made)
        yield made


async def add_claim(client: Client) -> None:
    obj = {
        "apiVersion": IPAM_CLAIMS.api_version,
        "kind": IPAM_CLAIMS.kind,
        "metadata": {"name": KEEPING.name, "namespace": "default"},
        "spec": {"network": PLANE.name, "interface": "net1"},
    }
    await client.create(IPAM_CLAIMS, obj, namespace="default")


def owner(number: int, node: str) -> AddressOwner:
    return AddressOwner(f"c{number}", "net1", "default", node=node)


async def take(book: KubeAddressBook, who: AddressOwner) -> list[str]:
    return [one.address for one in await book.claim(PLANE, who, reference=KEEPING)]


async def end(book: KubeAddressBook, who: AddressOwner) -> None:
    """Release, and have it removed from the API server."""
    await book.release(PLANE.name, who.container_id, who.interface)
    await book.retire()


async def status(client: Client) -> object:
    found = await client.get(IPAM_CLAIMS, KEEPING.name, namespace="default")
    return found.get("status")


async def test_an_address_outlives_its_pod_and_ends_with_its_claim(
    client: Client, tmp_path: Path
) -> None:
    """It passes from node to node, and to another claim once the leader saw twice that it may."""
    one, two = (KubeAddressBook(client, n, tmp_path / n, SystemClock()) for n in ("n1", "n2"))
    assert await take(one, owner(1, "n1")) == FIRST
    assert await status(client) == {"ips": FIRST, "ownerPod": ""}
    with pytest.raises(Conflict, match="one pod at a time"):
        await take(two, owner(2, "n2"))
    await end(one, owner(1, "n1"))
    assert await take(two, owner(3, "n2")) == FIRST
    await end(two, owner(3, "n2"))
    leader = KeptForClaims(client, SystemClock())
    for _ in range(2):
        await leader.scan()
    assert await take(one, owner(4, "n1")) == FIRST
    await end(one, owner(4, "n1"))
    await client.delete(IPAM_CLAIMS, KEEPING.name, namespace="default")
    await add_claim(client)
    assert (await take(one, owner(5, "n1")))[0] == "10.78.0.201/24"
    for _ in range(2):
        await leader.scan()
    await end(one, owner(5, "n1"))
    await client.delete(IPAM_CLAIMS, KEEPING.name, namespace="default")
    await add_claim(client)
    assert await take(two, owner(6, "n2")) == FIRST


async def launcher(client: Client, name: str, node: str) -> AddressOwner:
    """Create a pod as KubeVirt makes one for a machine: both of a migration name one claim."""
    element = {"name": PLANE.name, "interface": "net1", "ipam-claim-reference": KEEPING.name}
    obj = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {"vm.kubevirt.io/name": "vm"},
            "annotations": {NETWORKS_ANNOTATION: json.dumps([element])},
        },
        "spec": {"nodeName": node, "containers": [{"name": "compute", "image": "none"}]},
    }
    made = await client.create(PODS, obj, namespace="default")
    return AddressOwner(f"c-{name}", "net1", "default", name, made["metadata"]["uid"], node)


async def test_the_target_of_a_migration_has_the_address_once_the_source_has_ended(
    client: Client, tmp_path: Path
) -> None:
    """It tries again and again meanwhile, as its kubelet does, and takes nothing."""
    here, there = (KubeAddressBook(client, n, tmp_path / n, SystemClock()) for n in ("n1", "n2"))
    source, target = [await launcher(client, f"vm-{n}", n) for n in ("n1", "n2")]
    assert await take(here, source) == FIRST

    async def retried() -> list[str]:
        while True:
            try:
                return await take(there, target)
            except Conflict:
                await asyncio.sleep(0.01)

    waiting = asyncio.create_task(retried())
    await asyncio.sleep(0.5)
    assert await status(client) == {"ips": FIRST, "ownerPod": "vm-n1"}
    await client.delete(PODS, "vm-n1", namespace="default")
    await asyncio.sleep(0.2)
    assert not waiting.done()  # it is terminating, and its node has not detached it yet
    await here.release(PLANE.name, source.container_id, source.interface)
    await here.retire()
    assert await waiting == FIRST
    assert await status(client) == {"ips": FIRST, "ownerPod": "vm-n2"}


async def test_two_nodes_that_choose_at_once_agree(client: Client, tmp_path: Path) -> None:
    """One has the claim's addresses, which its status shows; the other is refused or waits."""
    books = [KubeAddressBook(client, n, tmp_path / n, SystemClock()) for n in ("n1", "n2")]
    found = await asyncio.gather(
        *(take(book, owner(at, f"n{at + 1}")) for at, book in enumerate(books)),
        return_exceptions=True,
    )
    won = [one for one in found if not isinstance(one, BaseException)]
    assert all(isinstance(one, list | PlanesError) for one in found)
    assert len(won) <= 1
    for book in books:
        await book.retire()
    written = await status(client)
    assert not won or written == {"ips": won[0], "ownerPod": ""}


class ShortClock(SystemClock):
    """A clock that sleeps for a moment only."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(min(seconds, 0.1))


async def test_the_command_names_and_releases_what_a_claim_that_is_gone_kept(
    client: Client, own_api_server: ApiServer, tmp_path: Path
) -> None:
    """Without the definition of the kind it names everything and releases nothing."""
    own_api_server.kubectl("apply", "--server-side", "-f", str(MANIFESTS / "base/crds/planes.yaml"))
    own_api_server.kubectl("wait", "--for=condition=Established", "crd/planes.netplane.io")
    book, clock = KubeAddressBook(client, "n1", tmp_path, SystemClock()), ShortClock()
    stays: list[str] = []
    await take(book, owner(1, "n1"))
    await end(book, owner(1, "n1"))
    unused = {(one.kind, one.what) for one in await check(client, clock)}
    assert unused == {(Misfit.UNUSED, "10.78.0.200"), (Misfit.UNUSED, "fd00:78::200")}
    await client.delete(IPAM_CLAIMS, KEEPING.name, namespace="default")
    leaked = {(one.kind, one.what) for one in await check(client, clock)}
    assert leaked == {(Misfit.KEPT, "10.78.0.200"), (Misfit.KEPT, "fd00:78::200")}
    own_api_server.kubectl("delete", "crd", f"{IPAM_CLAIMS.plural}.{IPAM_CLAIMS.group}")
    with pytest.raises(NotFound, match="does not have the kind"):
        await release_claims(client, clock, is_dry_run=False, told=stays.append)
    assert {(one.kind, one.what) for one in await check(client, clock)} == leaked
    own_api_server.kubectl("apply", "-f", str(MANIFESTS / "ipam-claim-kind.yaml"))
    kind = f"crd/{IPAM_CLAIMS.plural}.{IPAM_CLAIMS.group}"
    own_api_server.kubectl("wait", "--for=condition=Established", kind)
    done = await release_claims(client, clock, is_dry_run=False, told=stays.append)
    assert {str(one.address) for one in done} == {what for _, what in leaked}
    assert (await check(client, clock), stays) == ([], [])
