"""Pods attached before Netplane: the default network's plugin tears them down."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.node.cluster_node import ClusterNode
from tests.support.node.netns import Namespace
from tests.support.node.node import addresses_in, eventually
from tests.support.node.uninstalling import bin_dir, install, uninstall

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

JsonObject = dict[str, Any]
Sandboxes = Callable[[int], list[Namespace]]


@pytest.fixture
def node(cluster: ClusterNode) -> Iterator[ClusterNode]:
    yield cluster
    cluster.stop()
    assert cluster.remains() == []


class OldPod:
    """A sandbox that the default network's binary attached, with no daemon in between."""

    def __init__(self, node: ClusterNode, sandbox: Namespace) -> None:
        self._node = node
        self._sandbox = sandbox
        self._file = node.conf_dir / "10-cluster.conflist"
        self._content = self._file.read_text()
        conf = json.loads(self._content)
        self._name = conf["name"]
        env = {**node.env("ADD", "old", sandbox), "CNI_ARGS": ""}
        done = subprocess.run(
            ["nsenter", f"--net={node.host.path}", "--", f"{env['CNI_PATH']}/bridge"],
            input=json.dumps({**conf["plugins"][0], "cniVersion": "1.0.0", "name": self._name}),
            env=env,
            check=True,
            capture_output=True,
            text=True,
        )
        self._result: JsonObject = json.loads(done.stdout)

    def delete(self) -> int:
        """Call DEL as the runtime does, which holds the result; return the exit status."""
        conf = {"cniVersion": "1.0.0", "name": self._name, "type": "netplane"}
        stdin = {**conf, "prevResult": self._result}
        return self._node.call("DEL", "old", self._sandbox, pod="anybody", stdin=stdin).status

    def lose_network(self) -> None:
        def is_lost() -> bool:
            conf = {"cniVersion": "1.1.0", "name": self._name, "type": "netplane"}
            status = self._node.call("STATUS", "", stdin=conf)
            return bool(status.status) and status.error["code"] == 50

        self._file.unlink()
        try:
            eventually(is_lost)
        except BaseException:
            self.restore_network()
            raise

    def restore_network(self) -> None:
        self._file.write_text(self._content)

    @property
    def interfaces(self) -> set[str]:
        return set(addresses_in(self._sandbox))


def spooled(node: ClusterNode) -> list[Path]:
    return list((node.state / "spool").glob("*.request"))


def test_its_own_plugin_gets_the_del(node: ClusterNode, sandboxes: Sandboxes) -> None:
    pod = OldPod(node, *sandboxes(1))
    assert pod.interfaces == {"eth0"}
    node.start()
    assert pod.delete() == 0
    assert pod.interfaces == set()


def test_without_the_network_the_pod_can_go_and_its_address_follows(
    node: ClusterNode, sandboxes: Sandboxes
) -> None:
    pod = OldPod(node, *sandboxes(1))
    node.start()
    pod.lose_network()
    try:
        assert pod.delete() == 0
        assert pod.interfaces == {"eth0"}
        assert len(spooled(node)) == 1
    finally:
        pod.restore_network()
    eventually(lambda: spooled(node) == [], 30)
    assert pod.interfaces == set()


def test_a_del_that_waits_for_a_lost_network_does_not_hold_up_the_uninstall(
    node: ClusterNode, sandboxes: Sandboxes
) -> None:
    bin_dir(node).mkdir(exist_ok=True)
    assert install(node).returncode == 0
    pod = OldPod(node, *sandboxes(1))
    node.start()
    pod.lose_network()
    try:
        assert pod.delete() == 0
        node.stop()
        done = uninstall(node, "--kubeconfig", str(node.kubeconfig))
        assert done.returncode == 0, done.stderr
        assert "spooled DELs are given up" in done.stderr
        assert not node.state.exists() or list(node.state.iterdir()) == []
    finally:
        pod.restore_network()
    node.start()
    assert pod.delete() == 0
    assert pod.interfaces == set()
