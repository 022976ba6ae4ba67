"""A state directory without room at some step of an ADD: the error says so, and nothing is left."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.node.netns import Namespace, namespace
from tests.support.node.node import NAMESPACE, LiveNode

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

NETWORKS = "k8s.v1.cni.cncf.io/networks"


@pytest.fixture
def small_state(own_node: LiveNode) -> Iterator[Path]:
    """The state directory as a file system of its own, which a test can fill."""
    own_node.state.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "nr_inodes=200,size=4m", "tmpfs"]
    done = subprocess.run(
        [*mount, str(own_node.state)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield own_node.state
    finally:
        own_node.stop()
        subprocess.run(["umount", "-l", str(own_node.state)], check=True)


@contextmanager
def room_for(files: int, place: Path) -> Iterator[None]:
    """Leave room for so many new files inside the block."""
    fillers: list[Path] = []
    try:
        while (
            os.statvfs(place).f_ffree > files
        ):  # the daemon writes, too, and removes what it wrote
            one = place / f".tmp-{len(fillers)}"
            with suppress(OSError):
                one.touch()
                fillers.append(one)
        yield
    finally:
        for one in fillers:
            one.unlink()


def network(name: str, *plugins: dict[str, Any]) -> dict[str, Any]:
    config = {"cniVersion": "1.0.0", "name": name, "plugins": list(plugins)}
    return {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"config": json.dumps(config)},
    }


def nat_rules(host: Namespace) -> list[str]:
    return [line for line in host.run("iptables-save", "-t", "nat").splitlines() if "CNI-" in line]


def test_an_add_without_room_leaves_nothing(
    own_node: LiveNode, small_state: Path, sandbox: Namespace
) -> None:
    """Each ADD has room for one file more, until one succeeds."""
    ipam = {
        "type": "host-local",
        "subnet": "10.60.0.0/24",
        "dataDir": str(own_node.home / "networks"),
    }
    bridge = {"type": "bridge", "bridge": "cni1", "isGateway": True, "ipMasq": True, "ipam": ipam}
    with namespace("cards") as cards:
        cards.ip("link", "add", "eth5", "type", "veth", "peer", "name", "eth5p")
        cards.ip("link", "set", "eth5", "netns", own_node.host.name)
        own_node.host.ip("addr", "add", "10.98.0.1/24", "dev", "eth5")
        own_node.put(network("masked", bridge))
        own_node.put(network("device", {"type": "host-device", "device": "eth5"}))
        own_node.put_pod("p", {NETWORKS: "device,masked"})
        own_node.start()
        causes = []
        for files in range(20):
            with room_for(files, small_state):
                added = own_node.call("ADD", f"c{files}", sandbox, pod="p")
            if added.status == 0:
                break
            causes.append(added.error["msg"])
            assert "No space left on device" in causes[-1]
            assert own_node.call("DEL", f"c{files}", sandbox, pod="p").status == 0
            assert [link["ifname"] for link in sandbox.ip_json("link")] == ["lo"]
            assert "10.98.0.1/24" in own_node.host.ip("addr", "show", "eth5")
            assert nat_rules(own_node.host) == []
        assert any("the record of a device" in cause for cause in causes)
        with room_for(0, small_state):
            assert own_node.call("DEL", f"c{files}", sandbox, pod="p").status == 0
        own_node.stop()
        assert list((small_state / "devices").iterdir()) == []
        own_node.host.ip("link", "del", "eth5")
