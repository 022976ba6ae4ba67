"""Multus' own files: renamed at takeover, their networks still known, renamed back at the end."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest

from cni.confdir.default_network import ConfDir
from cni.confdir.files import FILE_NAME, SAVED
from cni.confdir.multus_aside import restore_multus, save_multus, set_multus_aside
from tests.cni.confdir.conf_dir import BRIDGE, MULTUS, Node, shim_conf


def runs(_: object) -> str:
    """Report that the Multus of every file runs."""
    return ""


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


async def test_multus_is_left_alone_unless_it_is_to_be_replaced(node: Node) -> None:
    node.write("10-cluster.conflist", BRIDGE)
    node.write(MULTUS, shim_conf("10-cluster"))
    await node.look()
    assert MULTUS in node.names


@pytest.mark.parametrize("name", [MULTUS, "99-any.conf"])
async def test_multus_own_file_is_set_aside_whatever_its_name(node: Node, name: str) -> None:
    node.start(replaces_multus=True)
    node.write("10-cluster.conflist", BRIDGE)
    node.write(name, shim_conf("/host/etc/cni/net.d/10-cluster.conflist"))
    await node.look()
    assert node.names == sorted([FILE_NAME, "10-cluster.conflist", name + SAVED])
    assert node.keeper.unready() == ""


async def test_the_network_behind_a_file_that_was_set_aside_stays_the_default(
    node: Node, tmp_path: Path
) -> None:
    """`clusterNetwork` may lie outside the conf dir, and not be its first file."""
    elsewhere = tmp_path / "10-lab.conflist"
    elsewhere.write_text(json.dumps({**BRIDGE, "name": "lab"}))
    node.start(replaces_multus=True)
    node.write("05-other.conflist", {**BRIDGE, "name": "other"})
    node.write(MULTUS, shim_conf(str(elsewhere)))
    await node.look()
    assert node.ours["name"] == "lab"
    node.start(replaces_multus=True)
    assert await node.network() == "lab"
    elsewhere.write_text(json.dumps({**BRIDGE, "name": "renamed"}))
    assert await node.network() == "renamed"


async def test_a_cluster_network_elsewhere_is_found_below_the_nodes_root(
    node: Node, tmp_path: Path
) -> None:
    (tmp_path / "host/etc/elsewhere").mkdir(parents=True)
    lab = tmp_path / "host/etc/elsewhere/10-lab.conflist"
    lab.write_text(json.dumps({**BRIDGE, "name": "lab"}))
    node.write(MULTUS, shim_conf("/etc/elsewhere/10-lab.conflist"))
    found = ConfDir(node.path, node.clock, str(tmp_path / "host"))
    assert (await found.default()).name == "lab"


async def test_a_delegate_inside_a_file_that_was_set_aside_stays_the_default(node: Node) -> None:
    node.start(replaces_multus=True)
    thin = {"cniVersion": "1.0.0", "name": "m", "type": "multus", "delegates": [BRIDGE]}
    node.write(MULTUS, thin)
    await node.look()
    node.start(replaces_multus=True)
    assert await node.network() == "cbr0"
    assert node.names == [MULTUS + SAVED, FILE_NAME]


async def test_a_cluster_network_given_by_name_is_found_behind_others(node: Node) -> None:
    node.write("10-first.conflist", {**BRIDGE, "name": "first"})
    node.write("20-second.conflist", {**BRIDGE, "name": "second"})
    node.write(MULTUS, shim_conf("second"))
    assert await node.network() == "second"


async def test_a_multus_that_comes_back_naming_us_does_not_replace_what_is_known(
    node: Node,
) -> None:
    node.start(replaces_multus=True)
    node.write("05-other.conflist", {**BRIDGE, "name": "other"})
    node.write("10-cluster.conflist", BRIDGE)
    node.write(MULTUS, shim_conf("/host/etc/cni/net.d/10-cluster.conflist"))
    await node.look()
    node.write(MULTUS, shim_conf(f"/host/etc/cni/net.d/{FILE_NAME}"))
    await node.look()
    assert MULTUS not in node.names
    assert await node.network() == "cbr0"
    assert restore_multus(node.path, runs).restored == (MULTUS,)
    restored = json.loads((node.path / MULTUS).read_text())
    assert restored["clusterNetwork"] == "/host/etc/cni/net.d/10-cluster.conflist"


async def test_a_multus_that_rewrites_its_file_when_ours_appears_loses_nothing(node: Node) -> None:
    """As the thick form does that was started behind us, and outlived us."""
    node.start(replaces_multus=True)
    node.write("10-cluster.conflist", BRIDGE)
    original = shim_conf("/host/etc/cni/net.d/10-cluster.conflist")
    stopped = threading.Event()

    def thick() -> None:
        while not stopped.is_set():
            if FILE_NAME in node.names:
                node.write(MULTUS, shim_conf(f"/host/etc/cni/net.d/{FILE_NAME}"))
                return

    for _ in range(30):
        node.write(MULTUS, original)
        writer = threading.Thread(target=thick)
        writer.start()
        try:
            await node.look()
        finally:
            stopped.set()
            await asyncio.to_thread(writer.join)
            stopped.clear()
        await node.look()
        assert MULTUS not in node.names
        assert json.loads((node.path / (MULTUS + SAVED)).read_text()) == original
        for name in (FILE_NAME, MULTUS + SAVED):
            (node.path / name).unlink()


async def test_what_is_copied_before_ours_is_written_counts_at_once(node: Node) -> None:
    node.start(replaces_multus=True)
    node.write("10-cluster.conflist", BRIDGE)
    original = shim_conf("/host/etc/cni/net.d/10-cluster.conflist")
    node.write(MULTUS, original)
    save_multus(node.path)
    node.write(MULTUS, shim_conf(FILE_NAME))
    set_multus_aside(node.path)
    assert node.names == [MULTUS + SAVED, "10-cluster.conflist"]
    assert json.loads((node.path / (MULTUS + SAVED)).read_text()) == original


async def test_a_multus_file_that_names_us_alone_is_not_restored(node: Node) -> None:
    node.start(replaces_multus=True)
    node.write("10-cluster.conflist", BRIDGE)
    await node.look()
    node.write(MULTUS, shim_conf(FILE_NAME))
    await node.look()
    assert restore_multus(node.path, runs).restored == ()
    assert node.names == [FILE_NAME, "10-cluster.conflist"]


async def test_what_multus_wrote_anew_is_newer_than_what_was_set_aside(node: Node) -> None:
    node.write(MULTUS + SAVED, shim_conf("old"))
    node.write(MULTUS, shim_conf("new"))
    assert restore_multus(node.path, runs).restored == ()
    assert json.loads((node.path / MULTUS).read_text())["clusterNetwork"] == "new"
    assert node.names == [MULTUS]


async def test_settings_of_a_file_that_is_not_kept_are_named(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    """A Multus that is installed anew behind us may isolate namespaces; its file names us."""
    node.start(replaces_multus=True)
    node.write("10-cluster.conflist", BRIDGE)
    node.write(MULTUS, shim_conf("cbr0"))
    await node.look()
    node.write(MULTUS, {**shim_conf(f"/x/{FILE_NAME}"), "namespaceIsolation": True})
    await node.look()
    (told,) = [one for one in caplog.records if "other settings" in one.message]
    assert told.__dict__["settings"] == ["namespaceIsolation"]
    assert told.__dict__["into"] == MULTUS + SAVED


async def test_plugins_of_the_folder_of_the_cluster_network_stay_in_its_chain(node: Node) -> None:
    """Multus' thick form loads them with `clusterNetwork`, and so do runtimes."""
    node.write("10-cluster.conflist", BRIDGE)
    (node.path / "cbr0").mkdir()
    (node.path / "cbr0" / "10-tuning.conf").write_text(json.dumps({"type": "tuning"}))
    node.write(MULTUS, shim_conf("/host/etc/cni/net.d/10-cluster.conflist"))
    node.clock.advance(1)
    found = await node.conf_dir.default()
    assert [plugin.type for plugin in found.plugins] == ["bridge", "portmap", "tuning"]


async def test_a_cluster_network_may_be_a_directory(node: Node, tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    for name in ("20-b", "10-a"):
        conf = json.dumps({**BRIDGE, "name": name})
        (tmp_path / "else" / f"{name}.conflist").write_text(conf)
    node.write("05-other.conflist", {**BRIDGE, "name": "other"})
    node.write(MULTUS, shim_conf(str(tmp_path / "else")))
    assert await node.network() == "10-a"
