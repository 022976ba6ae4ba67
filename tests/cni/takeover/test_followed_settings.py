"""Multus' settings are followed after a takeover: networks of every pod, isolation, paths."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cni.takeover.followed_settings import READY_SECONDS
from planes.model.errors import BadInput, Denied, Unavailable
from planes.model.objects import Nad, Namespace, Pod
from planes.model.spec.nad_policy import NadPolicy
from tests.cni.confdir.multus_files import put, thin
from tests.cni.runtime_scene import CHAIN, DEFAULT, bench, shop_store
from tests.support.cni.runtime import NOTHING, Bench
from tests.support.store import FakeStore

JsonObject = dict[str, Any]
STORE: JsonObject = {"cniVersion": "1.0.0", "name": "store", "type": "two", "ip": "10.7.0.5/24"}
LOGS: JsonObject = {"cniVersion": "1.0.0", "name": "logs", "type": "two", "ip": "10.8.0.5/24"}


def pods(*names: str, networks: str = "") -> FakeStore:
    """Return a store with a pod in each namespace, and NADs that administrators wrote."""
    annotations = {"k8s.v1.cni.cncf.io/networks": networks} if networks else {}
    return FakeStore(
        nads=[
            Nad("kube-system", "store", json.dumps(STORE)),
            Nad("ops", "logs", json.dumps(LOGS)),
            Nad("shop", "chain", json.dumps(CHAIN)),
            Nad("default", "open", json.dumps(CHAIN)),
        ],
        namespaces=[Namespace(name) for name in names],
        pods=[Pod(name, "web", uid="u1", annotations=annotations) for name in names],
    )


async def under(root: Path, store: FakeStore, conf: JsonObject) -> Bench:
    """Return a runtime whose conf dir has a file of Multus."""
    made = await bench(root, store)
    put(made.conf_dir, conf)
    return made


def links(made: Bench) -> list[tuple[str, str]]:
    """Return the networks of shop/web by interface, in the order of its status."""
    (text,) = made.store.statuses.values()
    return [(one["interface"], one["name"]) for one in json.loads(text)]


async def test_every_pod_gets_the_delegates_after_the_first(tmp_path: Path) -> None:
    made = await under(tmp_path, pods("kube-system"), thin(DEFAULT, STORE, LOGS))
    await made.call("ADD", pod="kube-system/web")
    assert links(made) == [("eth0", "cluster"), ("net1", "store"), ("net2", "logs")]
    await made.call("DEL", pod="kube-system/web")
    assert made.leftovers() == {**NOTHING, "statuses": made.leftovers()["statuses"]}


async def test_the_pods_own_networks_come_after_them_with_multus_numbers(tmp_path: Path) -> None:
    store = pods("shop", networks="chain")
    made = await under(tmp_path, store, thin(DEFAULT, STORE))
    await made.call("ADD")
    assert links(made) == [("eth0", "cluster"), ("net1", "store"), ("net2", "shop/chain")]


async def test_a_plane_keeps_the_name_that_admission_gave_it(tmp_path: Path) -> None:
    """Admission knows no further networks: they make room for what stands in the annotation."""
    store = shop_store(networks="chain, netplane-system/business@net2")
    made = await under(tmp_path, store, thin(DEFAULT, STORE))
    await made.call("ADD")
    assert links(made) == [
        *(("eth0", "cluster"), ("net1", "store")),
        *(("net3", "shop/chain"), ("net2", "netplane-system/business")),
    ]


async def test_default_networks_are_nads_of_multus_namespace_or_files(tmp_path: Path) -> None:
    conf = thin(clusterNetwork="cluster", defaultNetworks=["store", "logs"])
    made = await under(tmp_path, pods("shop"), conf)
    put(made.conf_dir, LOGS, "50-logs.conf")
    await made.call("ADD")
    assert links(made) == [("eth0", "cluster"), ("net1", "kube-system/store"), ("net2", "logs")]


async def test_default_networks_may_be_a_path(tmp_path: Path) -> None:
    path = put(tmp_path / "elsewhere", LOGS, "logs.conf")
    conf = thin(clusterNetwork="cluster", defaultNetworks=[str(path), str(path.parent)])
    made = await under(tmp_path, pods("shop"), conf)
    await made.call("ADD")
    assert links(made) == [("eth0", "cluster"), ("net1", "logs"), ("net2", "logs")]


async def test_pods_of_system_namespaces_get_no_default_networks(tmp_path: Path) -> None:
    conf = thin(clusterNetwork="cluster", defaultNetworks=["store"], systemNamespaces=["shop"])
    made = await under(tmp_path, pods("shop"), conf)
    await made.call("ADD")
    assert links(made) == [("eth0", "cluster")]


async def test_a_cluster_network_may_be_a_nad_of_multus_namespace(tmp_path: Path) -> None:
    conf = thin(clusterNetwork="logs", multusNamespace="ops")
    made = await under(tmp_path, pods("shop"), conf)
    await made.call("ADD")
    assert links(made) == [("eth0", "ops/logs")]


async def test_a_default_network_that_is_missing_refuses_the_pod(tmp_path: Path) -> None:
    conf = thin(clusterNetwork="cluster", defaultNetworks=["lost"])
    made = await under(tmp_path, pods("shop"), conf)
    with pytest.raises(Unavailable, match='cannot find the network "lost"'):
        await made.call("ADD")
    assert made.leftovers() == NOTHING


async def test_a_cluster_network_that_is_missing_is_not_replaced_by_another(tmp_path: Path) -> None:
    made = await under(tmp_path, pods("shop"), thin(clusterNetwork="lost"))
    with pytest.raises(Unavailable, match='cannot find the network "lost"'):
        await made.call("ADD")


async def test_a_tenants_nad_is_no_network_of_every_pod(tmp_path: Path) -> None:
    store = pods("shop")
    store.guard_nads(NadPolicy(is_guarded=True))
    conf = thin(clusterNetwork="cluster", defaultNetworks=["logs"], multusNamespace="ops")
    made = await under(tmp_path, store, conf)
    with pytest.raises(Denied, match="NETPLANE_NAD_NAMESPACES"):
        await made.call("ADD")


async def test_a_file_that_cannot_be_followed_refuses_pods(tmp_path: Path) -> None:
    conf = thin(DEFAULT, {"name": "no type"})
    made = await under(tmp_path, pods("shop"), conf)
    with pytest.raises(BadInput, match="as Multus' file on this node says"):
        await made.call("ADD")


async def test_a_sandbox_of_no_pod_gets_the_default_network_alone(tmp_path: Path) -> None:
    made = await under(tmp_path, pods("shop"), thin(DEFAULT, STORE))
    result = await made.call("ADD", pod="")
    assert [link["name"] for link in result["interfaces"]] == ["eth0"]
    assert {ifname for _, _, ifname in made.exec.attached} == {"eth0"}


@pytest.mark.parametrize(
    ("more", "network", "is_refused"),
    [
        ({"namespaceIsolation": True}, "ops/logs", True),
        ({"namespaceIsolation": True}, "default/open", False),
        ({"namespaceIsolation": True}, "chain", False),
        ({"namespaceIsolation": True, "globalNamespaces": "ops"}, "ops/logs", False),
        ({"namespaceIsolation": True, "globalNamespaces": "ops"}, "default/open", True),
        ({"namespaceisolation": True}, "ops/logs", True),
        ({"globalNamespaces": "ops"}, "default/open", False),
    ],
)
async def test_namespace_isolation_goes_on(
    tmp_path: Path, more: JsonObject, network: str, *, is_refused: bool
) -> None:
    made = await under(tmp_path, pods("shop", networks=network), thin(DEFAULT, **more))
    if is_refused:
        with pytest.raises(Denied, match="namespaces are isolated"):
            await made.call("ADD")
        assert [event.reason for event in made.reporter._queued()] == ["NetworkDenied"]
    else:
        await made.call("ADD")


async def test_netplanes_own_isolation_stands_before_the_files(tmp_path: Path) -> None:
    conf = thin(DEFAULT, namespaceIsolation=True, globalNamespaces="ops")
    made = await under(tmp_path, pods("shop"), conf)
    own = replace(made.store.catalog, namespace_isolation=True)
    assert await made.following.catalog(own) is own


async def test_isolation_of_a_second_file_of_multus_holds(tmp_path: Path) -> None:
    made = await under(tmp_path, pods("shop", networks="ops/logs"), thin(DEFAULT))
    put(made.conf_dir, thin(DEFAULT, namespaceIsolation=True), "01-multus.conf")
    with pytest.raises(Denied, match="namespaces are isolated"):
        await made.call("ADD")


async def test_a_file_of_multus_that_is_half_written_lets_nobody_through(tmp_path: Path) -> None:
    """Multus writes it in place: meanwhile another file would be the cluster network."""
    conf = thin(DEFAULT, namespaceIsolation=True)
    made = await under(tmp_path, pods("shop", networks="ops/logs"), conf)
    with pytest.raises(Denied, match="namespaces are isolated"):
        await made.call("ADD")
    (path,) = made.conf_dir.glob("*multus*")
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    made.clock.advance(1)
    with pytest.raises(Denied, match="namespaces are isolated"):
        await made.call("ADD")
    made.store.put_pod(Pod("shop", "web", uid="u1"))
    with pytest.raises(BadInput, match="cannot attach pods as Multus' file on this node says"):
        await made.call("ADD")
    path.unlink()
    made.clock.advance(1)
    await made.call("ADD")
    assert links(made) == [("eth0", "cluster")]


async def test_isolation_of_the_thick_daemons_own_file_holds(tmp_path: Path) -> None:
    shim = {"name": "m", "type": "multus-shim", "clusterNetwork": "cluster"}
    made = await under(tmp_path, pods("shop", networks="ops/logs"), shim)
    put(made.conf_dir, {"namespaceIsolation": True}, "multus.d/daemon-config.json")
    with pytest.raises(Denied, match="namespaces are isolated"):
        await made.call("ADD")


async def test_an_add_waits_for_the_readiness_file_and_status_says_so(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    made = await under(tmp_path, pods("shop"), thin(DEFAULT, readinessindicatorfile=str(ready)))
    with pytest.raises(Unavailable, match="ready is missing") as caught:
        await made.call("STATUS")
    assert caught.value.cni_code == 50
    adding = asyncio.create_task(made.call("ADD"))
    while not made.clock.sleepers:
        await asyncio.sleep(0)
    ready.touch()
    made.clock.advance(1)
    await adding
    await made.call("STATUS")
    assert links(made) == [("eth0", "cluster")]


async def test_an_add_that_waits_for_the_readiness_file_does_not_keep_the_daemon_from_its_end(
    tmp_path: Path,
) -> None:
    """A restart took 30 s on a node whose cluster network was not ready."""
    conf = thin(DEFAULT, readinessindicatorfile=str(tmp_path / "never"))
    made = await under(tmp_path, pods("shop"), conf)
    adding = asyncio.create_task(made.call("ADD"))
    while not made.clock.sleepers:
        await asyncio.sleep(0)
    made.following.stop_waiting()
    made.clock.advance(1)
    with pytest.raises(Unavailable, match="never is missing"):
        await adding


async def test_an_add_waits_as_long_as_with_multus(tmp_path: Path) -> None:
    conf = thin(DEFAULT, readinessindicatorfile=str(tmp_path / "never"))
    made = await under(tmp_path, pods("shop"), conf)
    adding = asyncio.create_task(made.call("ADD"))
    while not made.clock.sleepers:
        await asyncio.sleep(0)
    made.clock.advance(READY_SECONDS)
    with pytest.raises(Unavailable, match="never is missing"):
        await adding
    assert made.leftovers() == NOTHING


async def test_plugins_are_looked_up_in_multus_bin_dir_first(tmp_path: Path) -> None:
    made = await under(tmp_path, pods("shop"), thin(DEFAULT, binDir="/opt/multus/bin"))
    await made.call("ADD")
    (entry,) = made.journal.entries()
    assert entry.cni_path[:2] == ("/opt/multus/bin", "/from/runtime")


async def test_sandboxes_in_multus_own_cache_dir_are_torn_down(tmp_path: Path) -> None:
    cache = tmp_path / "other-cache"
    made = await under(tmp_path, pods("shop"), thin(DEFAULT, cniDir=str(cache)))
    config = base64.b64encode(json.dumps(DEFAULT).encode()).decode()
    facts = {"containerId": "c9", "ifName": "eth0", "networkName": "cluster", "config": config}
    left = put(cache / "results", {"kind": "cniCacheV1", **facts}, "cluster-c9-eth0")
    await made.call("DEL", container="c9")
    assert not left.exists()
    assert made.exec.one("DEL one eth0").env["CNI_CONTAINERID"] == "c9"


async def test_files_of_nads_are_found_where_multus_looks_for_them(tmp_path: Path) -> None:
    folder = tmp_path / "multus.net.d"
    put(folder, {**LOGS, "name": "mesh"}, "mesh.conf")
    store = shop_store(networks="mesh")
    store.put_nad(Nad("shop", "mesh", ""))
    made = await under(tmp_path, store, thin(DEFAULT, confDir=str(folder)))
    put(made.conf_dir, {**STORE, "name": "mesh", "type": "one"}, "90-mesh.conf")
    await made.call("ADD")
    assert ("net1", "shop/mesh") in links(made)
    assert made.exec.one("ADD two net1").conf["name"] == "mesh"


async def test_without_a_file_of_multus_nothing_is_followed(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    catalog = made.store.catalog
    assert await made.following.catalog(catalog) is catalog
    assert await made.following.cni_path(("/a",)) == ("/a",)
