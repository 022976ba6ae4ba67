"""A tenant writes IPAMClaims: thousands, large ones, with a status of its own, and keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.addresses.claim_release import (
    KeptAddress,
    is_over_now,
    kept_addresses,
    list_claims,
    seems_over,
)
from planes.kube.client.skim import ListSkim, Skimmed, bound_of
from planes.kube.resources import IPAM_CLAIMS
from planes.model.addresses import parse_address
from planes.model.errors import Conflict, Exhausted, JsonObject, NotFound
from planes.model.spec.ipam_claim import MAX_KEPT_OF_NAMESPACE, read_ipam_claim
from planes.run.clock import SystemClock
from planes.store.protocol import AddressOwner, ClaimReference
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane
from webhook.controller.kept_for_claims import KeptForClaims

A, B = "10.9.0.200", "10.9.0.201"
PLANE = make_plane(
    subnets=[{"cidr": "10.9.0.0/24", "staticRanges": ["10.9.0.200-10.9.0.215"]}],
    ipam={"lifecycle": "Persistent"},
)


def claim(name: str, space: str = "shop", **more: Any) -> JsonObject:
    """Return a claim for net1."""
    spec = {"network": PLANE.name, "interface": "net1"}
    return {"metadata": {"name": name, "namespace": space}, "spec": spec, **more}


async def take(kube: FakeKube, state: Path, name: str, pod: str, space: str = "shop") -> str:
    """Attach a pod that names a claim, and detach it; return its address."""
    book = KubeAddressBook(kube, "n1", state, SystemClock())
    who = AddressOwner(f"c-{pod}", "net1", space, pod, f"u-{pod}", "n1")
    reference = ClaimReference(name, (PLANE.name,), MAX_KEPT_OF_NAMESPACE)
    (found,) = await book.claim(PLANE, who, reference=reference)
    await book.release(PLANE.name, who.container_id, who.interface)
    await book.retire()
    return found.address.partition("/")[0]


async def test_tenant_claims_by_the_thousand_are_not_remembered(tmp_path: Path) -> None:
    """The leader holds those alone for which a block keeps something."""
    kube = FakeKube(*((IPAM_CLAIMS, claim(f"many-{number}")) for number in range(2000)))
    await take(kube, tmp_path, "many-7", "web")
    kept = await kept_addresses(kube)
    assert set(await list_claims(kube, of=kept)) == {("shop", "many-7")}


async def test_tenant_claim_of_a_megabyte_is_not_decoded_and_keeps_what_it_has() -> None:
    """Its UID is known, so it is not taken for one that is gone."""
    meta = {"name": "large", "namespace": "shop", "uid": "u-1"}
    obj = {"metadata": meta, "spec": {"network": "x" * (1 << 20)}, "status": {}}
    skim = ListSkim(bound_of(IPAM_CLAIMS))
    (found,) = skim.feed(orjson.dumps({"metadata": {}, "items": [obj]}))
    assert isinstance(found, Skimmed)
    read = read_ipam_claim(found)
    kept = KeptAddress("b", "business", parse_address(A), "shop/large/u-1")
    assert not seems_over(kept, {("shop", "large"): read})
    kube = FakeKube((IPAM_CLAIMS, obj))
    stored = kube.object(IPAM_CLAIMS, "large", "shop")
    assert stored is not None
    own = kept._replace(claim=f"shop/large/{stored['metadata']['uid']}")
    assert not await is_over_now(kube, own)
    assert len(read_ipam_claim(obj).network) < 256


async def test_tenant_that_names_a_claim_of_another_namespace_finds_none(tmp_path: Path) -> None:
    """Names are looked up in the pod's own namespace."""
    kube = FakeKube((IPAM_CLAIMS, claim("vm")))
    assert await take(kube, tmp_path, "vm", "web") == A
    for name in ("vm", "shop/vm", "../shop/ipamclaims/vm"):
        with pytest.raises(NotFound, match="cannot find IPAMClaim evil/"):
            await take(kube, tmp_path, name, "web", "evil")


async def test_tenant_status_takes_no_address_of_another_claim(tmp_path: Path) -> None:
    """Nor a free one: it harms that claim alone."""
    kube = FakeKube((IPAM_CLAIMS, claim("vm")))
    assert await take(kube, tmp_path, "vm", "web") == A
    for number, address in enumerate((A, B)):
        status = {"ips": [f"{address}/24"], "ownerPod": "web"}
        kube.put_object(IPAM_CLAIMS, claim(f"forged-{number}", "evil", status=status))
        with pytest.raises(Conflict, match="not kept for it"):
            await take(kube, tmp_path, f"forged-{number}", "thief", "evil")
    leader = KeptForClaims(kube, SystemClock())
    for _ in range(3):
        await leader.scan()
    assert [str(one.address) for one in await kept_addresses(kube)] == [A]


async def test_tenant_that_deletes_and_makes_claims_has_no_more_than_its_bound(
    tmp_path: Path,
) -> None:
    """What its earlier claims kept counts until the leader has released it."""
    kube = FakeKube()
    book = KubeAddressBook(kube, "n1", tmp_path, SystemClock())

    async def again(number: int) -> str:
        kube.put_object(IPAM_CLAIMS, claim("vm"))
        who = AddressOwner(f"c{number}", "net1", "shop", "web", f"u{number}", "n1")
        (found,) = await book.claim(PLANE, who, reference=ClaimReference("vm", (PLANE.name,), 2))
        await book.release(PLANE.name, who.container_id, who.interface)
        await book.retire()
        kube.remove_object(IPAM_CLAIMS, "vm", "shop")
        return found.address

    assert [await again(number) for number in range(2)] == [f"{A}/24", f"{B}/24"]
    with pytest.raises(Exhausted, match="keep 2 of 2"):
        await again(2)
    leader = KeptForClaims(kube, SystemClock())
    for _ in range(2):
        await leader.scan()
    assert await again(3) == f"{A}/24"
