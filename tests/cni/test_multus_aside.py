"""Multus' own files: set aside, what they name still known, put back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cni.conf_files import FILE_NAME, SAVED
from cni.conflist import restore_multus
from cni.default_network import ConfDir
from tests.cni.conf_dir import BRIDGE, MULTUS, Node, shim_conf


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
    assert restore_multus(node.path) == (MULTUS,)
    restored = json.loads((node.path / MULTUS).read_text())
    assert restored["clusterNetwork"] == "/host/etc/cni/net.d/10-cluster.conflist"


async def test_a_multus_file_that_names_us_alone_is_not_restored(node: Node) -> None:
    node.start(replaces_multus=True)
    node.write("10-cluster.conflist", BRIDGE)
    await node.look()
    node.write(MULTUS, shim_conf(FILE_NAME))
    await node.look()
    assert restore_multus(node.path) == ()
    assert node.names == [FILE_NAME, "10-cluster.conflist"]


async def test_what_multus_wrote_anew_is_newer_than_what_was_set_aside(node: Node) -> None:
    node.write(MULTUS + SAVED, shim_conf("old"))
    node.write(MULTUS, shim_conf("new"))
    assert restore_multus(node.path) == ()
    assert json.loads((node.path / MULTUS).read_text())["clusterNetwork"] == "new"
    assert node.names == [MULTUS]
