"""A plugin is removed from the node: its pod is deleted, and what is left can be dropped."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.node.manifests import nad_object
from tests.support.node.netns import CNI_BIN_DIR, Namespace, namespace
from tests.support.node.node import ROOT, LiveNode, addresses_in, eventually
from tests.support.node.uninstalling import bin_dir, install, uninstall

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

NETWORKS = {"k8s.v1.cni.cncf.io/networks": "shop/odd"}
ODD = {"cniVersion": "1.0.0", "name": "odd", "type": "odd", "runtimeConfig": {}}
# Somebody's own plugin: a pair of interfaces, and a file that its DEL removes.
PLUGIN = """#!/bin/sh
cat >/dev/null
case $CNI_COMMAND in
ADD)
  nsenter --net="$CNI_NETNS" ip link add "$CNI_IFNAME" type veth peer name odd-far || exit 1
  touch "KEPT/$CNI_CONTAINERID"
  echo '{"cniVersion": "1.0.0", "ips": [{"address": "10.77.0.5/24"}]}'
  ;;
DEL)
  rm -f "KEPT/$CNI_CONTAINERID"
  ;;
esac
"""


@pytest.fixture
def node(own_node: LiveNode) -> Iterator[LiveNode]:
    """A node with a plugin of somebody's, and a network of it."""
    bin_dir(own_node).mkdir()
    kept(own_node).mkdir()
    own_node.put(nad_object("odd", "shop", ODD))
    own_node.options = ("--cni-bin-dir", f"{bin_dir(own_node)}:{CNI_BIN_DIR}")
    put_plugin(own_node)
    yield own_node
    own_node.stop()


def kept(node: LiveNode) -> Path:
    """Return where the plugin keeps its files."""
    return node.home / "odd-files"


def put_plugin(node: LiveNode) -> None:
    path = bin_dir(node) / "odd"
    path.write_text(PLUGIN.replace("KEPT", str(kept(node))))
    path.chmod(0o755)


def deleted_without_plugin(node: LiveNode, container: str) -> None:
    """Attach a pod, remove the plugin's binary, delete the pod."""
    node.put_pod("web", NETWORKS)
    with namespace("pod") as sandbox:
        added = node.call("ADD", container, sandbox, pod="web")
        assert added.status == 0, added.stdout
        assert "odd-far" in addresses_in(sandbox)
        (bin_dir(node) / "odd").unlink()
        for _ in range(5):
            if node.call("DEL", container, sandbox, pod="web").status == 0:
                break
        else:
            pytest.fail("the pod hangs")
        # All else is gone, eth0 and the planes' interfaces.
        assert addresses_in(sandbox).keys() == {"net1", "odd-far"}
    assert list(kept(node).iterdir()) == [kept(node) / container]


def command(node: LiveNode, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of netplane-cni on the node."""
    argv = ["nsenter", f"--net={node.host.path}", "--", sys.executable, "-m", "cni", *words]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)


def pending(node: LiveNode) -> list[dict[str, Any]]:
    done = command(node, "pending", "-o", "json", "--state-dir", str(node.state))
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def forget(node: LiveNode, *words: str) -> subprocess.CompletedProcess[str]:
    where = ("--socket", str(node.socket), "--state-dir", str(node.state))
    more = ("--cni-conf-dir", str(node.conf_dir), "--standalone", str(node.manifests))
    return command(node, "forget", *words, *where, *more, "--node", "node1")


def test_its_pod_goes_and_the_entry_is_told_until_it_is_forgotten(node: LiveNode) -> None:
    node.start()
    deleted_without_plugin(node, "0123456789abcdef")
    (one,) = pending(node)
    assert (one["containerID"], one["pod"]) == ("0123456789abcdef", "shop/web")
    assert one["networks"] == ["shop/odd"]
    assert one["attempts"] >= 1
    assert 'cannot find plugin "odd"' in one["error"]
    listed = command(node, "pending", "--state-dir", str(node.state)).stdout.splitlines()
    assert listed[0].split() == ["CONTAINER", "POD", "NETWORKS", "AGE", "ATTEMPTS", "LAST", "ERROR"]
    assert listed[1].startswith("0123456789abc  shop/web  shop/odd")

    done = forget(node, "01234567")
    assert done.returncode == 0, done.stderr
    assert "network shop/odd: interface net" in done.stdout
    assert "addresses 10.77.0.5/24" in done.stdout
    assert pending(node) == []
    assert forget(node, "0123456789abcdef").returncode == 1


def test_it_is_forgotten_without_a_daemon_as_well(node: LiveNode) -> None:
    node.start()
    deleted_without_plugin(node, "c-vanished")
    node.stop()
    assert "c-vanished" in [one["containerID"] for one in pending(node)]
    done = forget(node, "c-vanished")
    assert done.returncode == 0, done.stderr
    assert "container c-vanished is forgotten" in done.stdout
    assert pending(node) == []


def test_a_pod_that_runs_is_not_forgotten(node: LiveNode, sandbox: Namespace) -> None:
    node.start()
    node.put_pod("web", NETWORKS)
    assert node.call("ADD", "c1", sandbox, pod="web").status == 0
    done = forget(node, "c1")
    assert done.returncode == 1
    assert "cannot forget container c1: its sandbox of pod shop/web still lives" in done.stderr
    assert "--force" in done.stderr
    assert node.call("DEL", "c1", sandbox, pod="web").status == 0


def test_the_daemon_is_ready_and_its_readiness_counts_what_is_pending(node: LiveNode) -> None:
    node.start()
    deleted_without_plugin(node, "c1")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(node.socket))
        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    assert answer.startswith("HTTP/1.1 200")
    assert answer.endswith("\r\n\r\nok; 1 not detached yet: see netplane-cni pending\n")
    assert forget(node, "c1").returncode == 0


def test_when_the_plugin_is_back_the_entry_goes_by_itself(node: LiveNode) -> None:
    node.start()
    deleted_without_plugin(node, "c1")
    put_plugin(node)
    eventually(lambda: pending(node) == [], seconds=60)
    assert list(kept(node).iterdir()) == []


def test_uninstalling_says_which_entry_it_is_and_release_drops_it(node: LiveNode) -> None:
    assert install(node).returncode == 0
    node.start()
    deleted_without_plugin(node, "c1")
    node.stop()
    done = uninstall(node)
    assert done.returncode == 3
    last = done.stderr.splitlines()[-1]
    assert "pods still have planes" not in last
    assert "what deleted pods had cannot be detached: container c1 of shop/web" in last
    assert 'cannot find plugin "odd"' in last
    assert "--release" in last

    done = uninstall(node, "--release")
    assert done.returncode == 0, done.stderr
    gave_up = [line for line in done.stderr.splitlines() if "gave up: container c1" in line]
    assert len(gave_up) == 1
    assert "addresses 10.77.0.5/24" in gave_up[0]
    assert not node.state.exists()
