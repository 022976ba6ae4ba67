"""A list of static addresses that are far from each other costs a bounded number of requests."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from planes.kube.resources import PODS
from planes.model.errors import Exhausted
from planes.store.protocol import AddressOwner
from tests.kube.addresses.static_scene import book_of, owner
from tests.support.kube.fake_kube import FakeKube
from tests.support.planes import make_plane

PLANE = make_plane(
    subnets=[
        {
            "cidr": "10.9.0.0/16",
            "ranges": ["10.9.1.0-10.9.1.255"],
            "staticRanges": ["10.9.128.0/17"],
        }
    ],
    staticIPs={"allow": "Any"},
)
FAR = [ip_address(f"10.9.{128 + number}.10") for number in range(100)]
MOST = 48


async def taken_by_others(kube: FakeKube, folder: Path) -> None:
    """Have pods of n1 hold all but the last of the addresses."""
    book = book_of(kube, folder)
    for number, address in enumerate(FAR[:-1]):
        meta = {"name": f"p{number}", "namespace": "ns"}
        pod = kube.put_object(PODS, {"metadata": meta, "spec": {"nodeName": "n1"}})
        who = owner(number, uid=pod["metadata"]["uid"])
        await book.claim(PLANE, who, wanted=[address])


def waiting(number: int) -> AddressOwner:
    return AddressOwner(f"w{number}", "net1", "ns", f"w{number}", f"u{number}", "n2")


async def test_the_free_one_of_many_is_found_without_a_look_at_each(
    kube: FakeKube, tmp_path: Path
) -> None:
    await taken_by_others(kube, tmp_path)
    book = book_of(kube, tmp_path, "n2")
    kube.requests.clear()
    (found,) = await book.claim(PLANE, waiting(1), candidates=FAR)
    assert found.address == f"{FAR[-1]}/16"
    assert len(kube.requests) < MOST


async def test_that_none_is_free_costs_no_look_at_each(kube: FakeKube, tmp_path: Path) -> None:
    """Each of a thousand pods is tried again and again."""
    await taken_by_others(kube, tmp_path)
    book = book_of(kube, tmp_path, "n2")
    kube.requests.clear()
    with pytest.raises(Exhausted, match="none of the 99 IPv4 addresses"):
        await book.claim(PLANE, waiting(1), candidates=FAR[:-1])
    assert len(kube.requests) < MOST


async def test_one_whose_pod_is_gone_is_still_asked_for(kube: FakeKube, tmp_path: Path) -> None:
    await taken_by_others(kube, tmp_path)
    kube.remove_object(PODS, "p0", "ns")
    book = book_of(kube, tmp_path, "n2")
    with pytest.raises(Exception, match=f"cannot take {FAR[0]} in plane business yet"):
        await book.claim(PLANE, waiting(1), candidates=FAR[:-1])
