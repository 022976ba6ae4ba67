"""ADD on fakes: what is attached, in which order, and which status and events are published."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from planes.model.errors import BadInput, Conflict, Denied, PlanesError, Unavailable
from planes.model.objects import Pod
from planes.model.wire.status import parse_status
from tests.cni.runtime_scene import bench, shop_store
from tests.support.cni.exec import PluginCall, failed, ok, plain
from tests.support.cni.runtime import NOTHING


async def test_attaches_the_default_network_the_annotation_and_the_missing_plane(
    tmp_path: Path,
) -> None:
    made = await bench(tmp_path)
    result = await made.call("ADD")
    assert [ip["address"] for ip in result["ips"]] == ["10.0.0.5/24"]
    status = parse_status(made.store.statuses["shop", "web"])
    assert [(one.name, one.interface, one.ips) for one in status] == [
        ("cluster", "eth0", ("10.0.0.5",)),
        ("shop/chain", "net1", ("10.1.0.5",)),
        ("shop/inside", "net2", ("10.2.0.5",)),
        ("netplane-system/business", "net3", ("10.9.0.2",)),
    ]
    assert [one.default for one in status] == [True, False, False, False]


async def test_the_default_network_is_whole_before_any_plane_begins(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    names = made.exec.names("ADD")
    assert names[:2] == ["ADD one eth0", "ADD meta eth0"]
    assert made.log == ["add net2"]


async def test_status_and_events_keep_the_order_whichever_ends_first(tmp_path: Path) -> None:
    made = await bench(tmp_path)

    async def slow(call: PluginCall):  # type: ignore[no-untyped-def]  # a script
        await asyncio.sleep(0.02)
        return await plain(call)

    made.exec.scripts["two"] = slow
    await made.call("ADD")
    events = asyncio.create_task(made.reporter.run())
    await asyncio.sleep(0)
    events.cancel()
    await asyncio.wait([events])
    assert [event.message for event in made.store.events] == [
        "Add eth0 [10.0.0.5/24] from cluster",
        "Add net1 [10.1.0.5/24] from shop/chain",
        "Add net2 [10.2.0.5/24] from shop/inside",
        "Add net3 [10.9.0.2/24] from netplane-system/business",
        "Attached business (net3): admission had not injected it",
    ]


async def test_the_runtimes_version_is_answered(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    result = await made.call("ADD", version="0.3.1")
    assert result["cniVersion"] == "0.3.1"
    assert result["ips"][0]["version"] == "4"


async def test_an_answer_that_cannot_be_written_undoes_everything(tmp_path: Path) -> None:
    """0.2.0 has no form for a result without addresses."""
    made = await bench(tmp_path, default={"cniVersion": "1.0.0", "name": "n", "type": "one"})
    with pytest.raises(BadInput) as caught:
        await made.call("ADD", version="0.2.0")
    assert caught.value.cni_code == 1
    assert made.leftovers() == NOTHING


async def test_cni_args_come_in_multus_order_and_the_rest_after_them(tmp_path: Path) -> None:
    store = shop_store(
        networks=json.dumps([{"name": "chain", "ips": ["10.1.0.5/24"], "mac": "02:00:00:00:00:11"}])
    )
    made = await bench(tmp_path, store)
    await made.call("ADD", uid="u1", args={"EXTRA": "x", "IP": "10.0.0.9"})
    own = made.exec.one("ADD two net1").env["CNI_ARGS"]
    identity = (
        "IgnoreUnknown=true;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;"
        "K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=u1;"
    )
    assert own == f"{identity}EXTRA=x;MAC=02:00:00:00:00:11;IP=10.1.0.5/24"
    assert made.exec.one("ADD one eth0").env["CNI_ARGS"] == f"{identity}EXTRA=x;IP=10.0.0.9"


async def test_capabilities_reach_who_declares_them(tmp_path: Path) -> None:
    store = shop_store(
        networks=json.dumps([{"name": "chain", "ips": ["10.1.0.5/24"], "cni-args": {"a": 1}}])
    )
    made = await bench(tmp_path, store)
    ports = [{"hostPort": 80, "containerPort": 80}]
    await made.call("ADD", conf={"runtimeConfig": {"portMappings": ports, "ips": ["10.0.0.9/24"]}})
    assert made.exec.one("ADD two net1").conf["runtimeConfig"] == {"ips": ["10.1.0.5/24"]}
    assert made.exec.one("ADD two net1").conf["args"] == {"cni": {"a": 1}}
    assert made.exec.one("ADD meta eth0").conf["runtimeConfig"] == {"portMappings": ports}
    assert "runtimeConfig" not in made.exec.one("ADD one eth0").conf


async def test_a_plane_for_an_executed_plugin_becomes_static_addresses(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    ipam = made.exec.one("ADD macvlan net3").conf["ipam"]
    assert ipam["type"] == "static"
    assert ipam["addresses"] == [{"address": "10.9.0.2/24", "gateway": "10.9.0.1"}]
    await made.call("DEL")
    assert made.exec.one("DEL macvlan net3").conf["ipam"]["type"] == "static"
    assert made.leftovers() == NOTHING


async def test_an_unknown_pod_gets_the_default_network_only(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD", pod="shop/stranger")
    assert made.exec.names("ADD") == ["ADD one eth0", "ADD meta eth0"]


async def test_a_pod_the_watch_has_not_seen_is_read_live(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    made.store.late_pods["plain", "late"] = Pod("plain", "late", uid="u9")
    await made.call("ADD", pod="plain/late", uid="u9")
    assert made.store.fetched == [("plain", "late")]
    assert ("plain", "late") in made.store.statuses


async def test_a_pod_created_anew_is_not_attached_to_the_old_ones_sandbox(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    with pytest.raises(Unavailable, match="UID"):
        await made.call("ADD", uid="old")
    assert made.leftovers() == NOTHING


async def test_what_policy_forbids_is_refused_with_every_finding(tmp_path: Path) -> None:
    asked = [{"name": "business", "namespace": "netplane-system"}, {"name": "nowhere"}]
    store = shop_store()
    store.put_pod(
        Pod("plain", "thief", annotations={"k8s.v1.cni.cncf.io/networks": json.dumps(asked)})
    )
    made = await bench(tmp_path, store)
    with pytest.raises(Denied) as caught:
        await made.call("ADD", pod="plain/thief")
    assert "business" in caught.value.message
    assert "nowhere" in caught.value.message
    assert made.exec.calls == []
    events = asyncio.create_task(made.reporter.run())
    await asyncio.sleep(0)
    events.cancel()
    await asyncio.wait([events])
    assert [event.reason for event in made.store.events] == ["PlaneDenied", "NoNetworkFound"]


async def test_a_second_add_without_del_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    before = made.leftovers()
    with pytest.raises(Conflict, match="already"):
        await made.call("ADD")
    assert made.leftovers() == before


async def test_what_a_reboot_left_is_released_by_the_next_add(tmp_path: Path) -> None:
    """The same container in a new namespace, as podman does after a reboot: no DEL came."""
    made = await bench(tmp_path)
    await made.call("ADD")
    made.kernel.sandboxes["/run/netns/fake"] = (43, {"lo"})
    await made.call("ADD")
    await made.call("DEL")
    assert made.leftovers() == NOTHING


@pytest.mark.parametrize(
    ("networks", "words"),
    [
        ("chain@net9, inside@net9", "net9"),
        ("chain@lo", "lo"),
        ("chain@eth0", "eth0"),
    ],
)
async def test_interface_names_are_checked_before_anything_is_done(
    tmp_path: Path, networks: str, words: str
) -> None:
    made = await bench(tmp_path, shop_store(networks=networks))
    with pytest.raises(PlanesError, match=words):
        await made.call("ADD")
    assert made.exec.calls == []
    assert made.leftovers() == NOTHING


async def test_a_missing_binary_is_told_before_anything_is_done(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    del made.exec.scripts["two"]
    with pytest.raises(PlanesError, match='plugin "two" in path'):
        await made.call("ADD")
    assert made.exec.calls == []


async def test_a_path_that_is_no_namespace_is_refused(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    with pytest.raises(BadInput) as caught:
        await made.call("ADD", netns="/nowhere")
    assert caught.value.cni_code == 8


async def test_a_failing_plugin_keeps_its_own_code(tmp_path: Path) -> None:
    made = await bench(tmp_path)

    async def refuse(call: PluginCall):  # type: ignore[no-untyped-def]  # a script
        return failed("no master", 142) if call.verb == "ADD" else ok()

    made.exec.scripts["two"] = refuse
    with pytest.raises(PlanesError, match="no master") as caught:
        await made.call("ADD")
    assert caught.value.cni_code == 142
    assert made.leftovers() == NOTHING


async def test_a_plane_attached_with_another_address_than_decided_is_undone(tmp_path: Path) -> None:
    store = shop_store(networks="")
    pod = Pod("shop", "db", annotations={"netplane.io/static-ips": '{"business": ["10.9.0.77"]}'})
    store.put_plane(
        replace(store.catalog.planes[0], allow=type(store.catalog.planes[0].allow)("Any"))
    )
    store.put_pod(pod)
    made = await bench(tmp_path, store)

    async def stubborn(call: PluginCall):  # type: ignore[no-untyped-def]  # a script
        call.conf.pop("ipam", None)
        call.conf["ip"] = "10.9.0.3/24"
        return await plain(call)

    made.exec.scripts["macvlan"] = stubborn
    with pytest.raises(Conflict, match=r"10\.9\.0\.3/24 instead of 10\.9\.0\.77"):
        await made.call("ADD", pod="shop/db")
    assert made.leftovers() == NOTHING
