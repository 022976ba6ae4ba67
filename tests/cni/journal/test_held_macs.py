"""A MAC that an interface of another pod on this node has is refused on its plane."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cni.journal.entry import Entry, Stage
from cni.journal.held_macs import check_held_macs
from cni.journal.journal import Journal
from cni.plugins.attachment import PlannedAttachment
from planes.model.errors import Conflict
from planes.model.wire.netconf import parse_conflist
from planes.model.wire.result import Interface, Result

MAC = "02:00:00:00:00:11"


def entry(pod: str, *, plane: str = "business", asks: str = "", has: str = "") -> Entry:
    """Return the entry of a pod with one attachment."""
    links = (Interface("eth1", MAC), Interface("net1", has, sandbox="/run/netns/x"))
    one = PlannedAttachment(
        network="netplane-system/business",
        conflist=parse_conflist({"cniVersion": "1.0.0", "name": "n", "type": "bridge"}),
        ifname="net1",
        cni_args=(("MAC", asks),) if asks else (),
        plane=plane,
        result=Result(interfaces=links) if has else None,
    )
    return Entry(
        container_id=pod,
        ifname="eth0",
        netns="/run/netns/x",
        netns_inode=1,
        network="netplane",
        cni_path=(),
        namespace="shop",
        pod=pod,
        uid=pod,
        node="node-a",
        attachments=(one,),
        stage=Stage.ATTACHED,
    )


async def journal_with(path: Path, *entries: Entry) -> Journal:
    journal = Journal(path)
    await journal.open()
    for one in entries:
        await journal.update(one, is_synced=False)
    return journal


@pytest.mark.parametrize("spelling", [MAC, MAC.upper(), "0200.0000.0011"])
async def test_the_pod_that_has_it_is_named(tmp_path: Path, spelling: str) -> None:
    """Also where the kernel chose it, so that no annotation says it."""
    journal = await journal_with(tmp_path, entry("first", has=MAC))
    with pytest.raises(Conflict, match=f"MAC {MAC} is that of net1 of pod shop/first"):
        check_held_macs(entry("second", asks=spelling), journal)


@pytest.mark.parametrize(
    "other",
    [
        entry("first", has="02:00:00:00:00:12"),
        entry("first", has=MAC, plane="storage"),
        entry("first", asks=MAC),
        entry("second", has=MAC),
        replace(entry("first", has=MAC), stage=Stage.LEAVING),
    ],
    ids=["another MAC", "another plane", "not attached", "the pod itself", "being removed"],
)
async def test_others_do_not_count(tmp_path: Path, other: Entry) -> None:
    check_held_macs(entry("second", asks=MAC), await journal_with(tmp_path, other))


@pytest.mark.parametrize("asks", ["", "no MAC"])
async def test_who_asks_for_none_is_not_looked_for(tmp_path: Path, asks: str) -> None:
    check_held_macs(entry("second", asks=asks), await journal_with(tmp_path, entry("a", has=MAC)))


async def test_outside_planes_it_is_the_tenant_s_affair(tmp_path: Path) -> None:
    journal = await journal_with(tmp_path, entry("first", has=MAC, plane=""))
    check_held_macs(entry("second", asks=MAC, plane=""), journal)


async def test_a_pod_of_another_namespace_is_not_named(tmp_path: Path) -> None:
    journal = await journal_with(tmp_path, replace(entry("first", has=MAC), namespace="bank"))
    with pytest.raises(Conflict, match="of net1 of a pod of another namespace"):
        check_held_macs(entry("second", asks=MAC), journal)
