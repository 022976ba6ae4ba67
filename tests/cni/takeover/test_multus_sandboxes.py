"""Pods that Multus attached are torn down whole after a takeover (files of Multus 4.3.0)."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cni.host.exec import Completed
from cni.takeover.multus_cache import read_cached, remove_cached
from planes.model.errors import Internal, Unavailable
from tests.cni.runtime_scene import bench
from tests.support.cni.exec import PluginCall, failed
from tests.support.cni.runtime import NETNS, NOTHING, Bench

CID = "sandbox"
WHOLE = {
    "cniVersion": "1.0.0",
    "name": "cbr0",
    "plugins": [
        {"type": "one", "ip": "10.0.0.5/24", "secret-of-the-plugin": "kept"},
        {"type": "meta", "capabilities": {"portMappings": True}},
    ],
}
STRIPPED = {
    "cniVersion": "1.0.0",
    "name": "cbr0",
    "plugins": [{"type": "one"}, {"type": "meta", "capabilities": {"portMappings": True}}],
}
SECOND = {"cniVersion": "1.0.0", "name": "biz", "type": "inside", "ip": "10.1.0.5/24"}
EXAMPLE = Path(__file__).parents[3].parent / "shared" / "examples" / "multus-node"


def packed(conf: Any) -> str:
    return base64.b64encode(json.dumps(conf).encode()).decode()


def element(name: str, conf: Any, whole: Any = None) -> dict[str, Any]:
    """Return one element of the list as Multus writes it; `whole` only for a conflist."""
    conflist = {"Name": "", "Plugins": None, "Bytes": packed(whole) if whole else None}
    return {"Name": name, "Bytes": packed(conf), "CNINetworkConfigList": conflist, "Conf": {}}


def record(conf: Any, ifname: str, container: str = CID) -> dict[str, Any]:
    return {
        "kind": "cniCacheV1",
        "containerId": container,
        "config": packed(conf),
        "ifName": ifname,
        "networkName": conf["name"],
        "cniArgs": [["IgnoreUnknown", "true"], ["K8S_POD_NAME", "b0"]],
        "result": {"cniVersion": "1.0.0", "ips": [{"address": "10.9.9.9/24"}]},
    }


def leave_files(directory: Path, elements: Any, records: list[dict[str, Any]]) -> None:
    """Write what Multus leaves of a running sandbox."""
    (directory / "results").mkdir(parents=True)
    if elements is not None:
        (directory / CID).write_text(json.dumps(elements))
    for one in records:
        name = f"{one['networkName']}-{one['containerId']}-{one['ifName']}"
        (directory / "results" / name).write_text(json.dumps(one))


async def busy(_: PluginCall) -> Completed:
    return failed("busy")


async def scene(root: Path) -> Bench:
    made = await bench(root)
    made.kernel.sandboxes[NETNS] = (42, {"lo", "eth0", "net1"})
    made.native.held.add((CID, "net1"))
    leave_files(
        made.multus_dir,
        [element("cbr0", STRIPPED, WHOLE), element("bench/biz", SECOND)],
        [record(WHOLE, "eth0"), record(SECOND, "net1")],
    )
    return made


def files_of(made: Bench) -> list[str]:
    return sorted(str(p.relative_to(made.multus_dir)) for p in made.multus_dir.rglob("*"))


async def test_del_takes_every_interface_and_every_file_of_multus(tmp_path: Path) -> None:
    made = await scene(tmp_path)
    await made.call("DEL", container=CID)
    assert made.exec.names("DEL") == ["DEL meta eth0", "DEL one eth0"]
    assert made.kernel.removals == [("net1",)]
    assert files_of(made) == ["results"]
    assert {**made.leftovers(), "links": None} == {**NOTHING, "links": None}


async def test_the_runtime_s_record_of_multus_goes_and_its_others_stay(tmp_path: Path) -> None:
    made = await scene(tmp_path)
    results = made.multus_dir.parent / "results"
    results.mkdir()
    conf = {"cniVersion": "0.3.1", "name": "multus-cni-network", "type": "multus-shim"}
    for one in (record(conf, "eth0"), record(SECOND, "eth0")):
        (results / f"{one['networkName']}-{CID}-eth0").write_text(json.dumps(one))
    await made.call("DEL", container=CID)
    assert [path.name for path in results.iterdir()] == [f"biz-{CID}-eth0"]


async def test_plugins_get_the_whole_configuration_and_not_the_stripped_one(tmp_path: Path) -> None:
    made = await scene(tmp_path)
    await made.call("DEL", container=CID)
    assert made.exec.one("DEL one eth0").conf["secret-of-the-plugin"] == "kept"


async def test_plugins_get_the_result_that_libcni_recorded(tmp_path: Path) -> None:
    made = await scene(tmp_path)
    await made.call("DEL", container=CID)
    assert made.exec.one("DEL one eth0").conf["prevResult"]["ips"][0]["address"] == "10.9.9.9/24"


async def test_without_records_the_list_alone_is_enough(tmp_path: Path) -> None:
    made = await scene(tmp_path)
    shutil.rmtree(made.multus_dir / "results")
    await made.call("DEL", container=CID)
    assert made.exec.one("DEL one eth0").conf["secret-of-the-plugin"] == "kept"
    assert made.kernel.removals == [("net1",)]


@pytest.mark.parametrize("text", [b"", b"[", b"{}", b"[null]", b"\xff\xfe", b'[{"Bytes":"!"}]'])
async def test_with_a_broken_list_the_records_alone_are_enough(tmp_path: Path, text: bytes) -> None:
    """Multus 4.3.0 gives up on such a list and leaks (#1087; not in the notes of 4.3.1)."""
    made = await scene(tmp_path)
    (made.multus_dir / CID).write_bytes(text)
    await made.call("DEL", container=CID)
    assert made.exec.names("DEL") == ["DEL meta eth0", "DEL one eth0"]
    assert files_of(made) == ["results"]


async def test_other_sandboxes_are_left_alone(tmp_path: Path) -> None:
    made = await scene(tmp_path)
    other = made.multus_dir / "results" / f"cbr0-{CID}-2-eth0"
    other.write_text(json.dumps(record(WHOLE, "eth0", container=f"{CID}-2")))
    await made.call("DEL", container=CID)
    assert other.is_file()


async def test_what_fails_stays_in_our_journal_and_is_done_later(tmp_path: Path) -> None:
    made = await scene(tmp_path)
    made.native.release_error = Internal("cannot give the address back")
    await made.call("DEL", container=CID)
    assert files_of(made) == ["results"]
    assert len(made.journal) == 1
    made.native.release_error = None
    await made.call("DEL", container=CID)
    assert len(made.journal) == 0
    assert made.native.held == set()


async def test_a_failing_plugin_is_told_to_the_runtime_with_nothing_lost(tmp_path: Path) -> None:
    made = await scene(tmp_path)
    made.exec.scripts["one"] = busy
    with pytest.raises(Unavailable, match="cannot detach"):
        await made.call("DEL", container=CID)
    assert len(made.journal) == 1


async def test_a_hot_unplug_does_not_tear_the_whole_pod_down(tmp_path: Path) -> None:
    made = await scene(tmp_path)
    await made.call("DEL", container=CID, ifname="net9")
    assert made.exec.names("DEL") == []
    assert (made.multus_dir / CID).is_file()


@pytest.mark.skipif(not EXAMPLE.is_dir(), reason="the example node is not beside the project")
def test_reads_a_real_node(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE / "var-lib-cni" / "multus", tmp_path / "multus")
    container = next(p.name for p in (tmp_path / "multus").iterdir() if p.is_file())
    left = read_cached(tmp_path / "multus", container, "eth0")
    assert left is not None
    assert [(one.network, one.ifname) for one in left.attachments] == [
        ("cbr0", "eth0"),
        ("bench/biz", "net1"),
        ("bench/sto", "net2"),
    ]
    assert "ranges" in left.attachments[0].conflist.plugins[0].ipam
    remove_cached(left)
    assert [p.name for p in (tmp_path / "multus").rglob("*")] == ["results"]
