"""Our file in the CNI conf dir: what is in it, when it changes, and who stands before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cni.conf_files import SAVED
from cni.conflist import FILE_NAME, LOOK_SECONDS, ConflistKeeper, content, restore_multus
from cni.default_network import ConfDir
from planes.model.wire.netconf import parse_conflist
from planes.run.metrics import Metrics
from tests.support.clock import FakeClock

JsonObject = dict[str, Any]
BRIDGE: JsonObject = {
    "cniVersion": "1.0.0",
    "name": "cbr0",
    "plugins": [
        {"type": "bridge", "capabilities": {"ips": True, "mac": False}},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}
MULTUS = "00-multus.conf"


def shim_conf(network: str) -> JsonObject:
    """What a Multus daemon writes."""
    return {
        "cniVersion": "0.3.1",
        "name": "multus-cni-network",
        "type": "multus-shim",
        "capabilities": {"portMappings": True},
        "clusterNetwork": network,
    }


class Node:
    """A conf dir and its keeper."""

    def __init__(self, root: Path) -> None:
        self.path = root / "net.d"
        self.path.mkdir()
        self.clock = FakeClock()
        self.start()

    def start(self, *, replaces_multus: bool = False) -> None:
        """Begin anew, as a daemon that was started again."""
        self.metrics = Metrics()
        self.conf_dir = ConfDir(self.path, self.clock)
        self.keeper = ConflistKeeper(
            self.path, self.conf_dir, self.clock, self.metrics, replaces_multus=replaces_multus
        )

    def write(self, name: str, obj: JsonObject) -> None:
        (self.path / name).write_text(json.dumps(obj))

    async def look(self) -> None:
        self.clock.advance(LOOK_SECONDS)
        await self.keeper.look()

    @property
    def ours(self) -> JsonObject:
        found: JsonObject = json.loads((self.path / FILE_NAME).read_text())
        return found

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir())

    async def network(self) -> str:
        self.clock.advance(LOOK_SECONDS)
        return (await self.conf_dir.default()).name


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_it_goes_by_the_networks_name_and_declares_what_the_network_declares() -> None:
    assert json.loads(content(parse_conflist(BRIDGE))) == {
        "cniVersion": "1.0.0",
        "name": "cbr0",
        "loadOnlyInlinedPlugins": True,
        "plugins": [{"type": "netplane", "capabilities": {"ips": True, "portMappings": True}}],
    }


@pytest.mark.parametrize(
    ("theirs", "ours"), [("0.3.1", "1.0.0"), ("1.0.0", "1.0.0"), ("1.1.0", "1.1.0")]
)
def test_its_version_is_the_networks_but_never_older_than_1(theirs: str, ours: str) -> None:
    conflist = parse_conflist({**BRIDGE, "cniVersion": theirs})
    assert json.loads(content(conflist))["cniVersion"] == ours


def test_what_the_network_switches_off_is_off() -> None:
    conflist = parse_conflist({**BRIDGE, "disableCheck": True, "disableGC": True})
    ours = json.loads(content(conflist))
    assert (ours["disableCheck"], ours["disableGC"]) == (True, True)


async def test_it_is_written_for_root_alone_and_leaves_no_temporary_file(node: Node) -> None:
    node.write("10-cluster.conflist", BRIDGE)
    await node.look()
    assert (node.path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert node.names == [FILE_NAME, "10-cluster.conflist"]
    assert node.keeper.unready() == ""


async def test_without_a_default_network_it_is_not_written(node: Node) -> None:
    await node.look()
    assert node.names == []
    assert "cannot find a default network" in node.keeper.unready()


async def test_it_follows_the_default_network(node: Node) -> None:
    node.write("10-cluster.conflist", BRIDGE)
    await node.look()
    (node.path / "10-cluster.conflist").unlink()
    node.write("20-other.conf", {"cniVersion": "1.1.0", "name": "other", "type": "ptp"})
    await node.look()
    assert (node.ours["name"], node.ours["cniVersion"]) == ("other", "1.1.0")
    assert node.ours["plugins"] == [{"type": "netplane"}]


async def test_an_unchanged_one_is_not_written_again(node: Node) -> None:
    node.write("10-cluster.conflist", BRIDGE)
    await node.look()
    before = (node.path / FILE_NAME).stat().st_ino
    node.start()
    await node.look()
    assert (node.path / FILE_NAME).stat().st_ino == before


async def test_when_the_default_network_vanishes_it_stays(node: Node) -> None:
    """Pods then fail with a clear message instead of starting without their planes."""
    node.write("10-cluster.conflist", BRIDGE)
    await node.look()
    (node.path / "10-cluster.conflist").unlink()
    await node.look()
    assert node.ours["name"] == "cbr0"
    assert "cannot find a default network" in node.keeper.unready()


async def test_one_that_somebody_removes_comes_back_and_is_counted(node: Node) -> None:
    node.write("10-cluster.conflist", BRIDGE)
    await node.look()
    (node.path / FILE_NAME).unlink()
    await node.look()
    assert node.ours["name"] == "cbr0"
    assert b"netplane_config_removals_total 1.0" in node.metrics.render()


async def test_a_foreign_file_before_it_is_told_loudly(node: Node) -> None:
    node.write("10-cluster.conflist", BRIDGE)
    node.write(MULTUS, shim_conf("/etc/cni/net.d/10-cluster.conflist"))
    await node.look()
    assert node.keeper.unready() == f"{MULTUS} comes before {FILE_NAME}"
    assert b"netplane_config_shadowed 1.0" in node.metrics.render()


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


async def test_a_directory_that_cannot_be_written_is_told(node: Node, tmp_path: Path) -> None:
    node.write("10-cluster.conflist", BRIDGE)
    (node.path / FILE_NAME).mkdir()
    await node.look()
    assert "cannot write" in node.keeper.unready()
