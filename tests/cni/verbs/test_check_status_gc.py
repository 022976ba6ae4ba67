"""CHECK, STATUS and GC on fakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cni.host.exec import Completed
from planes.model.errors import BadInput, Internal, NotFound, PlanesError, Unavailable
from tests.cni.runtime_scene import DEFAULT, bench, shop_store
from tests.support.cni.exec import PluginCall, failed, plain
from tests.support.cni.runtime import NETNS, NOTHING


async def test_check_asks_every_plugin_of_every_attachment(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    made.kernel.sandboxes[NETNS][1].update({"eth0", "net1", "net3"})
    await made.call("CHECK")
    assert sorted(made.exec.names("CHECK")) == [
        "CHECK macvlan net3",
        "CHECK meta eth0",
        "CHECK meta net1",
        "CHECK one eth0",
        "CHECK two net1",
    ]
    assert made.exec.one("CHECK two net1").conf["prevResult"]["ips"][0]["address"] == "10.1.0.5/24"


async def test_check_tells_all_differences_at_once(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    made.kernel.sandboxes[NETNS][1].update({"eth0", "net1"})
    made.native.differs = "address 10.2.0.5/24 is missing"

    async def differs(call: PluginCall) -> Completed:
        return failed("route gone") if call.verb == "CHECK" else await plain(call)

    made.exec.scripts["two"] = differs
    with pytest.raises(Internal) as caught:
        await made.call("CHECK")
    for words in (
        "on node node-a",
        "net1 (NAD shop/chain): route gone",
        "net2 (NAD shop/inside): address 10.2.0.5/24 is missing",
        "net3 (plane business, NAD netplane-system/business): the interface is missing",
    ):
        assert words in caught.value.message


async def test_check_of_what_is_not_attached_fails(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    with pytest.raises(NotFound) as caught:
        await made.call("CHECK")
    assert caught.value.cni_code == 3


async def test_check_leaves_lists_alone_that_forbid_it(tmp_path: Path) -> None:
    default = {**DEFAULT, "disableCheck": True}
    made = await bench(tmp_path, shop_store(networks=""), default=default)
    await made.call("ADD", pod="plain/x")
    made.kernel.sandboxes[NETNS][1].add("eth0")
    await made.call("CHECK")
    assert made.exec.names("CHECK") == []


async def test_status_is_well_where_the_default_network_is(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("STATUS")
    assert made.exec.names("STATUS") == []


async def test_status_is_forwarded_to_plugins_that_know_it(tmp_path: Path) -> None:
    made = await bench(tmp_path, default={**DEFAULT, "cniVersion": "1.1.0"})
    await made.call("STATUS")
    assert made.exec.names("STATUS") == ["STATUS one ", "STATUS meta "]


async def test_a_plugins_own_status_is_passed_on(tmp_path: Path) -> None:
    made = await bench(tmp_path, default={**DEFAULT, "cniVersion": "1.1.0"})

    async def degraded(call: PluginCall) -> Completed:
        return failed("datastore gone", code=51)

    made.exec.scripts["one"] = degraded
    with pytest.raises(PlanesError, match="datastore gone") as caught:
        await made.call("STATUS")
    assert caught.value.cni_code == 51


@pytest.mark.parametrize("lack", ["default network", "plugin", "store"])
async def test_status_says_50_where_an_add_would_fail(tmp_path: Path, lack: str) -> None:
    made = await bench(tmp_path, default=None if lack == "default network" else DEFAULT)
    if lack == "plugin":
        del made.exec.scripts["one"]
    made.store.is_synced = lack != "store"
    with pytest.raises(Unavailable) as caught:
        await made.call("STATUS")
    assert caught.value.cni_code == 50


async def test_status_needs_no_default_network_where_the_netconf_wants_none(
    tmp_path: Path,
) -> None:
    made = await bench(tmp_path, default=None)
    await made.call("STATUS", conf={"delegate": {}})


def listed(*containers: str) -> dict[str, object]:
    return {"cni.dev/valid-attachments": [{"containerID": c, "ifname": "eth0"} for c in containers]}


async def test_gc_releases_what_is_not_listed_and_nothing_else(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    made.kernel.sandboxes["/run/netns/two"] = (43, {"lo"})
    await made.call("ADD", container="c1")
    await made.call("ADD", container="c2", netns="/run/netns/two")
    await made.call("GC", conf=listed("c2"))
    assert [entry.container_id for entry in made.journal.entries()] == ["c2"]
    assert {container for _, container, _ in made.exec.attached} == {"c2"}


async def test_gc_of_another_network_is_none_of_its_business(tmp_path: Path) -> None:
    """One podman may have several networks of our type: each lists its own attachments only."""
    made = await bench(tmp_path)
    await made.call("ADD")
    await made.call("GC", conf={**listed(), "name": "another"})
    assert len(made.journal) == 1


async def test_gc_without_a_list_is_refused(tmp_path: Path) -> None:
    """To libcni it would mean "everything is garbage"."""
    made = await bench(tmp_path)
    await made.call("ADD")
    with pytest.raises(BadInput, match="valid-attachments"):
        await made.call("GC")
    assert len(made.journal) == 1


async def test_gc_is_forwarded_with_the_attachments_of_each_network(tmp_path: Path) -> None:
    store = shop_store(networks="chain")
    nad = next(nad for ref, nad in store.catalog.nads.items() if ref.name == "chain")
    newer = {**json.loads(nad.config), "cniVersion": "1.1.0"}
    store.put_nad(type(nad)("shop", "chain", json.dumps(newer)))
    made = await bench(tmp_path, store, default={**DEFAULT, "cniVersion": "1.1.0"})
    await made.call("ADD")
    await made.call("GC", conf=listed("c1"))
    default, chain = made.exec.one("GC one "), made.exec.one("GC two ")
    key = "cni.dev/valid-attachments"
    assert default.conf[key] == [{"containerID": "c1", "ifname": "eth0"}]
    assert chain.conf[key] == [{"containerID": "c1", "ifname": "net1"}]


async def test_gc_does_not_let_plugins_collect_what_was_attached_before_us(
    tmp_path: Path,
) -> None:
    """Planes of a sandbox that Multus attached are not in our journal, yet in use."""
    store = shop_store(networks="chain")
    nad = next(nad for ref, nad in store.catalog.nads.items() if ref.name == "chain")
    store.put_nad(
        type(nad)("shop", "chain", json.dumps({**json.loads(nad.config), "cniVersion": "1.1.0"}))
    )
    made = await bench(tmp_path, store, default={**DEFAULT, "cniVersion": "1.1.0"})
    await made.call("ADD")
    await made.call("GC", conf=listed("c1", "before-us"))
    assert "GC two " not in made.exec.names()
    assert {"containerID": "before-us", "ifname": "eth0"} in made.exec.one("GC one ").conf[
        "cni.dev/valid-attachments"
    ]


async def test_gc_goes_on_past_a_failing_release_and_tells_it(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    made.kernel.sandboxes["/run/netns/two"] = (43, {"lo"})

    async def stuck(call: PluginCall) -> Completed:
        is_first = call.env["CNI_CONTAINERID"] == "c1"
        return failed("stuck") if call.verb == "DEL" and is_first else await plain(call)

    made.exec.scripts["two"] = stuck
    await made.call("ADD", container="c1")
    await made.call("ADD", container="c2", netns="/run/netns/two")
    with pytest.raises(Internal, match="stuck"):
        await made.call("GC", conf=listed())
    assert made.exec.attached == {("two", "c1", "net1")}
    made.exec.scripts["two"] = plain
    await made.call("GC", conf=listed())
    assert made.leftovers() == {**NOTHING, "links": {NETNS: set(), "/run/netns/two": set()}}
