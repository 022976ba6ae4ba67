"""The leader releases what is kept for claims that are gone, whatever nodes keep."""

from __future__ import annotations

import pytest

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import parse_network
from planes.model.spec.blocks import block_name
from planes.run.clock import SystemClock
from planes.store.protocol import AddressOwner
from tests.support.kube.fake_kube import FakeKube
from webhook.controller.kept_for_claims import KeptForClaims

PLANE = "business"


async def test_what_is_kept_for_claims_without_end_keeps_no_other_from_being_released() -> None:
    """A node can keep what it holds for claims that there never were, as fast as it is released."""
    kube = FakeKube()
    who = AddressOwner("c1", "net1", "ns", "p1", "uid-1", "evil")
    forged = [parse_network(f"10.8.{n}.0/26") for n in range(12)]
    free = parse_network("10.9.0.192/26")
    for network in (*forged, free):
        obj = static_object(PLANE, network, {a: Holder(who, 7) for a in network}, "evil")
        kube.put_object(IPBLOCKS, {**obj, "claims": {str(a): "ns/gone/u1" for a in network}})
    keeper = KeptForClaims(kube, SystemClock())
    for number in range(16):
        await keeper.scan()
        for network in forged:
            name = block_name(PLANE, network, "static")
            obj = kube.object(IPBLOCKS, name) or {}
            texts = {str(a): f"ns/gone/u{number}" for a in network}
            kube.put_object(IPBLOCKS, {**obj, "claims": {**texts, **(obj.get("claims") or {})}})
        block = kube.object(IPBLOCKS, block_name(PLANE, free, "static")) or {}
        if not block.get("claims"):
            return
    pytest.fail("nobody looked at the last block")
