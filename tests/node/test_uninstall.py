"""Uninstalling: the node as before, and what becomes of pods that still run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cni.confdir.files import FILE_NAME
from tests.support.node.netns import Namespace, namespace
from tests.support.node.node import LiveNode, addresses_in
from tests.support.node.uninstalling import bin_dir, install, tree, uninstall

pytestmark = pytest.mark.kernel

ALL = {"eth0", "net1", "san0"}
OURS = json.dumps({"cniVersion": "1.0.0", "name": "cluster", "plugins": [{"type": "netplane"}]})


def test_a_node_without_pods_is_as_before(own_node: LiveNode, sandbox: Namespace) -> None:
    bin_dir(own_node).mkdir()
    places = own_node.state, own_node.conf_dir, bin_dir(own_node)
    before = tree(*places)
    _attached(own_node, sandbox)
    own_node.call("DEL", "c1", sandbox, pod="web")
    own_node.stop()
    for _ in range(2):
        done = uninstall(own_node)
        assert done.returncode == 0, done.stderr
        assert tree(*places) == before
        assert not own_node.socket.parent.exists()


def test_a_pod_that_runs_keeps_all_and_is_named(own_node: LiveNode, sandbox: Namespace) -> None:
    _attached(own_node, sandbox)
    own_node.stop()
    done = uninstall(own_node)
    assert done.returncode == 3
    last = done.stderr.splitlines()[-1]
    assert "pods still have planes: shop/web;" in last
    assert "--release" in last
    assert addresses_in(sandbox).keys() == ALL
    assert not (own_node.conf_dir / FILE_NAME).exists()
    assert not (bin_dir(own_node) / "netplane").exists()
    assert len(list((own_node.state / "journal").iterdir())) == 1
    assert uninstall(own_node, "--release").returncode == 0
    _forget_default(own_node)


def test_what_a_pod_held_that_is_gone_is_given_back(own_node: LiveNode) -> None:
    with namespace("pod") as sandbox:
        _attached(own_node, sandbox)
        own_node.stop()
    done = uninstall(own_node)
    assert done.returncode == 0, done.stderr
    assert own_node.remains() == []


def test_release_takes_planes_out_of_running_pods_and_leaves_their_eth0(
    own_node: LiveNode, sandbox: Namespace
) -> None:
    _attached(own_node, sandbox)
    own_node.stop()
    eth0 = addresses_in(sandbox)["eth0"]
    done = uninstall(own_node, "--release")
    assert done.returncode == 0, done.stderr
    assert addresses_in(sandbox) == {"eth0": eth0}
    assert not own_node.state.exists()
    _forget_default(own_node)


def test_a_del_that_was_spooled_is_carried_out_first(
    own_node: LiveNode, sandbox: Namespace
) -> None:
    _attached(own_node, sandbox)
    own_node.stop()
    assert own_node.call("DEL", "c1", sandbox, pod="web").status == 0
    assert uninstall(own_node).returncode == 0
    assert addresses_in(sandbox) == {}


def test_a_daemon_that_still_ends_is_waited_for(own_node: LiveNode, sandbox: Namespace) -> None:
    _attached(own_node, sandbox)
    own_node.call("DEL", "c1", sandbox, pod="web")
    process = own_node.process
    assert process is not None
    process.terminate()
    assert uninstall(own_node).returncode == 0
    assert process.wait(30) == 0


@pytest.mark.parametrize("options", [(), ("--host-root", "/")])
def test_a_volume_of_the_nodes_own_for_our_state_is_left_empty(
    own_node: LiveNode, options: tuple[str, ...]
) -> None:
    with mounted(own_node.state), namespace("pod") as sandbox:
        _attached(own_node, sandbox)
        own_node.call("DEL", "c1", sandbox, pod="web")
        own_node.stop()
        done = uninstall(own_node, *options)
        assert done.returncode == 0, done.stderr
        assert list(own_node.state.iterdir()) == []
        assert not own_node.socket.parent.exists()


@contextmanager
def mounted(directory: Path) -> Iterator[None]:
    """Mount a file system of its own at a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", str(directory)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def _attached(node: LiveNode, sandbox: Namespace) -> None:
    assert install(node).returncode == 0
    (node.conf_dir / FILE_NAME).write_text(OURS)
    node.start()
    node.put_pod("web")
    assert node.call("ADD", "c1", sandbox, pod="web").status == 0


def _forget_default(node: LiveNode) -> None:
    """Drop the default network's address: its own plugin's DEL would, from now on."""
    for path in (node.home / "networks").rglob("10.*"):
        path.unlink()
