"""Multus' /delegate: one more network for a running sandbox, journaled like any other."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from cni.call import CniRequest, parse_call
from cni.serving.multus_protocol import InterfaceAttributes
from planes.model.errors import BadInput, Conflict, PlanesError
from tests.cni.runtime_scene import bench
from tests.support.cni.runtime import NETNS

CONF = {
    "cniVersion": "1.0.0",
    "name": "extra",
    "type": "two",
    "ip": "10.3.0.5/24",
    "capabilities": {"ips": True, "mac": True},
}


def request(verb: str, ifname: str = "net9", **more: object) -> CniRequest:
    return parse_call(
        {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": "c1",
            "CNI_NETNS": NETNS,
            "CNI_IFNAME": ifname,
            "CNI_PATH": "/opt/cni/bin",
            "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web",
        },
        json.dumps({**CONF, **more}).encode(),
    )


def leave_records(directory: Path, *ifnames: str) -> list[Path]:
    """Write libcni's records of a sandbox, as Multus leaves them."""
    (directory / "results").mkdir(parents=True)
    paths = [directory / "results" / f"extra-c1-{ifname}" for ifname in ifnames]
    for path, ifname in zip(paths, ifnames, strict=True):
        config = base64.b64encode(json.dumps(CONF).encode()).decode()
        facts = {"containerId": "c1", "ifName": ifname, "networkName": "extra", "config": config}
        path.write_text(json.dumps({"kind": "cniCacheV1", **facts}))
    return paths


ATTRIBUTES = InterfaceAttributes(("10.3.0.5/24",), "02:00:00:00:00:33", {"a": 1})


async def test_attaches_beside_what_is_there_and_leaves_status_alone(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    status = dict(made.store.statuses)
    result = json.loads(await made.hotplug.delegate(request("ADD"), ATTRIBUTES))
    assert [link["name"] for link in result["interfaces"]] == ["net9"]
    seen = made.exec.one("ADD two net9")
    assert seen.conf["runtimeConfig"] == {"ips": ["10.3.0.5/24"], "mac": "02:00:00:00:00:33"}
    assert seen.conf["args"] == {"cni": {"a": 1}}
    assert seen.env["CNI_ARGS"].endswith("MAC=02:00:00:00:00:33;IP=10.3.0.5/24")
    assert made.store.statuses == status


async def test_its_del_takes_that_interface_and_no_other(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.call("ADD")
    before = made.leftovers()
    await made.hotplug.delegate(request("ADD"), ATTRIBUTES)
    await made.hotplug.delegate(request("DEL"), ATTRIBUTES)
    assert made.leftovers() == before


async def test_an_interface_is_attached_once(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    await made.hotplug.delegate(request("ADD"), ATTRIBUTES)
    with pytest.raises(Conflict):
        await made.hotplug.delegate(request("ADD"), ATTRIBUTES)


async def test_a_name_that_is_taken_in_the_sandbox_is_refused(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    made.kernel.sandboxes[NETNS][1].add("net9")
    with pytest.raises(PlanesError, match="net9"):
        await made.hotplug.delegate(request("ADD"), ATTRIBUTES)
    assert made.exec.calls == []


@pytest.mark.parametrize("is_standalone", [True, False])
async def test_del_of_what_another_daemon_attached_goes_by_its_own_configuration(
    tmp_path: Path, is_standalone: bool
) -> None:
    """Not to the default network: Calico would take the address of the first interface."""
    made = await bench(tmp_path, is_standalone=is_standalone)
    await made.hotplug.delegate(request("DEL"), ATTRIBUTES)
    assert made.exec.names() == ["DEL two net9"]
    assert made.exec.calls[0].conf["name"] == "extra"
    assert len(made.journal) == 0


async def test_del_of_one_interface_leaves_what_multus_recorded_of_the_others(
    tmp_path: Path,
) -> None:
    """Also where its list of delegates is gone, and records are all there is."""
    made = await bench(tmp_path)
    recorded = leave_records(made.multus_dir, "eth0", "net9")
    await made.hotplug.delegate(request("DEL"), ATTRIBUTES)
    assert made.exec.names() == ["DEL two net9"]
    assert all(path.exists() for path in recorded)


async def test_check_of_one_interface_is_its_networks_own(tmp_path: Path) -> None:
    made = await bench(tmp_path, is_standalone=False)
    made.kernel.sandboxes[NETNS][1].add("net9")
    asked = request("CHECK", prevResult={"cniVersion": "1.0.0", "ips": []})
    await made.hotplug.delegate(asked, ATTRIBUTES)
    assert made.exec.names() == ["CHECK two net9"]


async def test_a_configuration_that_leads_back_to_us_is_refused(tmp_path: Path) -> None:
    made = await bench(tmp_path)
    with pytest.raises(BadInput, match="would call us again"):
        await made.hotplug.delegate(request("DEL", type="netplane"), ATTRIBUTES)
    assert made.exec.calls == []
