"""The daemon on a node of a cluster: a real API server, the real daemon, shim and kernel."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from planes.model.names import STATUS_ANNOTATION
from tests.support.node.cluster_node import ClusterNode
from tests.support.node.netns import Namespace
from tests.support.node.node import addresses_in, eventually

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

ALL = {"eth0", "net1", "san0"}
Sandboxes = Callable[[int], list[Namespace]]


@pytest.fixture
def node(cluster: ClusterNode) -> Iterator[ClusterNode]:
    """The node; whatever a test attached must be gone at its end."""
    yield cluster
    assert cluster.remains() == []
    cluster.stop()


def test_a_pod_gets_its_planes_and_status_and_events_are_published(
    node: ClusterNode, sandboxes: Sandboxes
) -> None:
    (sandbox,) = sandboxes(1)
    node.start()
    node.put_pod("web")
    added = node.call("ADD", "c1", sandbox, pod="web")
    assert added.status == 0, added.stdout
    found = addresses_in(sandbox)
    assert found.keys() == ALL
    status = json.loads(node.pod("web")["metadata"]["annotations"][STATUS_ANNOTATION])
    assert {one["interface"]: one["ips"] for one in status} == {
        name: [ip.partition("/")[0] for ip in ips] for name, ips in found.items()
    }

    def reasons() -> list[str]:
        events = node.api.get("events", "-n", "shop")["items"]
        return [one["reason"] for one in events if one["involvedObject"]["name"] == "web"]

    # PlaneRepaired is written behind the others.
    eventually(lambda: reasons().count("AddedInterface") == 3 and "PlaneRepaired" in reasons())
    node.remove_pod("web")
    assert node.call("DEL", "c1", sandbox, pod="web").status == 0


def test_one_pod_can_be_followed_through_the_log_by_its_uid(
    node: ClusterNode, sandboxes: Sandboxes
) -> None:
    (sandbox,) = sandboxes(1)
    node.start()
    node.put_pod("traced")
    node.call("ADD", "c2", sandbox, pod="traced")
    addresses = addresses_in(sandbox)
    node.call("DEL", "c2", sandbox, pod="traced")
    uid = node.uids["traced"]
    lines = [json.loads(line) for line in node.log_text().splitlines() if uid in line]
    calls = [line for line in lines if line["event"] == "call"]
    assert [line["verb"] for line in calls] == ["ADD", "DEL"]
    for line in calls:
        assert (line["pod"], line["uid"]) == ("shop/traced", uid)
        assert {name: one["ips"] for name, one in line["attachments"].items()} == addresses
    assert not any("sha256" in line or "ipam" in json.dumps(line) for line in lines)
    node.remove_pod("traced")


def test_our_config_is_written_when_it_serves_and_stays_when_it_ends(node: ClusterNode) -> None:
    node.conflist.unlink(missing_ok=True)
    node.start()
    eventually(node.conflist.exists)
    assert json.loads(node.conflist.read_text())["name"] == "cluster"
    assert node.stop() == 0
    assert node.conflist.exists()


def test_without_an_api_server_no_pod_starts_and_the_log_says_what_is_missing(
    node: ClusterNode, sandboxes: Sandboxes
) -> None:
    (sandbox,) = sandboxes(1)
    node.put_pod("early")
    node.api.stop_server()
    node.begin()
    reply = node.call("ADD", "c3", sandbox, pod="early", NETPLANE_WAIT_SECONDS="2")
    assert reply.error["code"] == 11
    assert addresses_in(sandbox) == {}
    node.api.start_server()
    eventually(node.is_listening, 60)  # the watches pause longer with each failure
    reply = node.call("ADD", "c3", sandbox, pod="early")
    assert reply.status == 0, reply.stdout
    assert addresses_in(sandbox).keys() == ALL
    node.remove_pod("early")
    node.call("DEL", "c3", sandbox, pod="early")


def test_with_the_api_server_away_later_dels_work_and_the_daemon_stays_ready(
    node: ClusterNode, sandboxes: Sandboxes
) -> None:
    (sandbox,) = sandboxes(1)
    node.start()
    node.put_pod("held")
    assert node.call("ADD", "c4", sandbox, pod="held").status == 0
    node.api.stop_server()
    try:
        assert node.call("DEL", "c4", sandbox, pod="held").status == 0
        assert addresses_in(sandbox) == {}
        assert _ask(node, "/readyz") == (200, "ok\n")
    finally:
        node.api.start_server()
    node.remove_pod("held")


def test_restarts_under_load_cost_no_pod_a_plane(node: ClusterNode, sandboxes: Sandboxes) -> None:
    """Five times the next daemon begins while the last one still carries out calls."""
    node.start()
    made = sandboxes(4)
    for number in range(len(made)):
        node.put_pod(f"busy{number}")
    churns = [Churn(node, number, sandbox) for number, sandbox in enumerate(made)]
    for churn in churns:
        churn.start()
    for _ in range(5):
        time.sleep(1)
        before = node.process
        assert before is not None
        before.send_signal(signal.SIGTERM)
        node.begin()
        assert before.wait(40) == 0
        eventually(node.socket.exists, 20)
    time.sleep(1)
    for churn in churns:
        churn.end()
    assert [fault for churn in churns for fault in churn.faults] == []
    assert min(churn.rounds for churn in churns) >= 5
    for number in range(len(made)):
        node.remove_pod(f"busy{number}")


def test_at_rest_it_needs_less_than_90_mib(node: ClusterNode) -> None:
    node.start()
    assert node.process is not None
    eventually(node.conflist.exists)
    assert _resident_mib(node.process.pid) < 90


class Churn(threading.Thread):
    """Attaches and detaches one sandbox until it is told to end; `faults` says what was wrong."""

    def __init__(self, node: ClusterNode, number: int, sandbox: Namespace) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.rounds = 0
        self._node = node
        self._pod = f"busy{number}"
        self._sandbox = sandbox
        self._is_over = threading.Event()

    def end(self) -> None:
        self._is_over.set()
        self.join()

    def run(self) -> None:
        while not self._is_over.is_set():
            self._once(f"{self._pod}-{self.rounds}")
            self.rounds += 1

    def _once(self, container: str) -> None:
        added = self._node.call(
            "ADD", container, self._sandbox, pod=self._pod, NETPLANE_WAIT_SECONDS="60"
        )
        found = addresses_in(self._sandbox).keys()
        if added.status == 0 and found != ALL:
            self.faults.append(f"{container}: succeeded with {sorted(found)}")
        if added.status and (found or added.error["code"] != 11):
            self.faults.append(f"{container}: {added.error}, has {sorted(found)}")
        deleted = self._node.call("DEL", container, self._sandbox, pod=self._pod)
        if deleted.status:
            self.faults.append(f"{container}: DEL {deleted.stdout!r}")


def _resident_mib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 >> 20


def _ask(node: ClusterNode, path: str) -> tuple[int, str]:
    """Ask over the daemon's socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(node.socket))
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    head, _, body = answer.decode().partition("\r\n\r\n")
    return int(head.split()[1]), body
