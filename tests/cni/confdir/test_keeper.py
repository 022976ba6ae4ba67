"""Our file in the CNI conf dir: its content, when it is written, and which files sort before it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from cni.confdir.files import FILE_NAME
from cni.confdir.keeper import FIRST_SECONDS, LOOK_SECONDS, content
from planes.model.wire.netconf import parse_conflist
from tests.cni.confdir.conf_dir import BRIDGE, MULTUS, Node, shim_conf
from tests.support.clock import FakeClock


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


async def test_a_directory_that_cannot_be_written_is_told(node: Node, tmp_path: Path) -> None:
    node.write("10-cluster.conflist", BRIDGE)
    (node.path / FILE_NAME).mkdir()
    await node.look()
    assert "cannot write" in node.keeper.unready()


async def test_until_it_is_there_the_default_network_is_waited_for_closely(node: Node) -> None:
    """A runtime takes that network's file at once, and pods then start without their planes."""
    running = asyncio.create_task(node.keeper.run())
    await pause(node.clock)
    node.write("10-cluster.conflist", BRIDGE)
    node.clock.advance(FIRST_SECONDS)
    await pause(node.clock)
    assert FILE_NAME in node.names
    (node.path / FILE_NAME).unlink()
    node.clock.advance(FIRST_SECONDS)
    await asyncio.sleep(0.02)
    assert FILE_NAME not in node.names
    node.clock.advance(LOOK_SECONDS)
    await pause(node.clock)
    assert FILE_NAME in node.names
    running.cancel()
    await asyncio.wait({running})


async def test_one_that_somebody_edits_is_written_anew(node: Node) -> None:
    node.write("10-cluster.conflist", BRIDGE)
    await node.look()
    node.write(FILE_NAME, {"cniVersion": "1.0.0", "name": "x", "plugins": [{"type": "bridge"}]})
    await node.look()
    assert (node.ours["name"], node.ours["plugins"][0]["type"]) == ("cbr0", "netplane")


async def pause(clock: FakeClock) -> None:
    async with asyncio.timeout(5):
        while not clock.sleepers:
            await asyncio.sleep(0.001)
