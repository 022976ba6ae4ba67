"""The shipped webhook configurations, roles and program, before a real API server.

The configurations name a Service; without a network for pods the test gives the webhook's address
on this machine instead (`url`), and changes nothing else of them.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.apiserver import ApiServer, KubectlError, running_api_server
from tests.cluster.lab.binaries import CONTROL_PLANE, why_missing
from tests.cluster.lab.process import free_ports

ROOT = Path(__file__).parents[2]
BASE = ROOT / "manifests" / "base"
NETWORKS = "k8s.v1.cni.cncf.io/networks"
STATUS = "k8s.v1.cni.cncf.io/network-status"
PLANE = {
    "apiVersion": "netplane.io/v1alpha1",
    "kind": "Plane",
    "metadata": {"name": "business"},
    "spec": {
        "network": {"type": "macvlan", "master": "eth1"},
        "subnets": [{"cidr": "192.168.0.0/16"}],
        "ipam": {"mode": "Plane"},
    },
}
MEMBER = {"plane.netplane.io/business": "enabled"}


def read(*paths: Path) -> list[dict[str, Any]]:
    return [obj for path in paths for obj in yaml.safe_load_all(path.read_text()) if obj]


def configurations(port: int) -> list[dict[str, Any]]:
    """Give the shipped configurations with a local address for the Service."""
    found = read(BASE / "webhook" / "configurations.yaml")
    for configuration in found:
        for hook in configuration["webhooks"]:
            path = hook["clientConfig"]["service"]["path"]
            hook["clientConfig"] = {"url": f"https://127.0.0.1:{port}{path}"}
    return found


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod(name: str, space: str, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    metadata = {"name": name, "namespace": space, "annotations": annotations or {}}
    spec = {"containers": [{"name": "main", "image": "none"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def until(seconds: float, what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)
    return found


class Cluster:
    """An API server with what is shipped applied, and webhook replicas beside it."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.port, self.metrics = free_ports(2)
        self.log = server.folder / "log" / "webhook"
        self.process: subprocess.Popen[bytes] | None = None

    def install(self, *, crds: bool = True) -> None:
        self.server.apply(namespace("netplane-system"))
        if crds:
            self.define()
        self.server.apply(*read(BASE / "webhook" / "rbac.yaml"), *configurations(self.port))

    def define(self) -> None:
        self.server.apply(*read(*sorted((BASE / "crds").glob("[!k]*.yaml"))))
        until(10, lambda: self._is_served("planes"))

    def _is_served(self, kind: str) -> bool:
        try:
            self.server.kubectl("get", kind)
        except KubectlError:
            return False
        return True

    def start(self) -> None:
        kubeconfig = self.server.folder / "kubeconfig" / "webhook"
        token = self.server.service_account_token("netplane-system", "netplane-webhook")
        self.server.write_kubeconfig(kubeconfig, token)
        command = [
            *(sys.executable, "-m", "webhook", "--kubeconfig", str(kubeconfig)),
            *("--listen", f"127.0.0.1:{self.port}", "--metrics", f"127.0.0.1:{self.metrics}"),
            *("--pod", "netplane-webhook-one", "--cert-names", "127.0.0.1"),
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def stop(self) -> int:
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(20)
        finally:
            process.kill()
            process.wait()

    def ask(self, path: str) -> tuple[int, str]:
        """Ask a probe or /metrics over plain HTTP; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.metrics}{path}", timeout=2
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> None:
        until(40, lambda: self.ask("/readyz")[0] == 200)

    def calls(self) -> float:
        """Count the reviews answered so far."""
        text = self.ask("/metrics")[1]
        counts = re.findall(r"^netplane_reviews_total\{.*\} (\S+)$", text, re.MULTILINE)
        return sum(map(float, counts))

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = map(json.loads, self.log.read_text().splitlines())
        return [line for line in found if line["event"] == event]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if reason := why_missing(CONTROL_PLANE):
        pytest.skip(reason)
    with running_api_server() as server:
        made = Cluster(server)
        try:
            made.install()
            made.server.apply(PLANE)
            made.start()
            made.ready()
            made.server.apply(namespace("shop", **MEMBER), namespace("plain"))
            yield made
        finally:
            made.stop()


def test_a_pod_gets_its_plane_at_once_after_its_namespace_was_made(cluster: Cluster) -> None:
    """Namespace and pod in one apply: the mark comes with the namespace, the watch catches up."""
    for number in range(5):
        space = f"quick-{number}"
        cluster.server.apply(namespace(space, **MEMBER), pod("web", space))
        made = cluster.server.get("pod", "web", "-n", space)
        assert '"business"' in made["metadata"]["annotations"][NETWORKS]


def test_the_log_follows_a_pod_by_the_uid_it_keeps(cluster: Cluster) -> None:
    cluster.server.apply(pod("followed", "shop"))
    made = cluster.server.get("pod", "followed", "-n", "shop")
    (line,) = [each for each in cluster.lines("pod admitted") if each["pod"] == "shop/followed"]
    assert line["uid"] == made["metadata"]["uid"]
    assert line["planes"] == ["business"]


def test_a_generated_name_is_known_when_it_is_logged(cluster: Cluster) -> None:
    obj = pod("", "shop")
    obj["metadata"] = {"generateName": "many-", "namespace": "shop"}
    made = cluster.server.kubectl("create", "-f", "-", "-o", "name", text=json.dumps(obj))
    name = made.strip().removeprefix("pod/")
    assert any(each["pod"] == f"shop/{name}" for each in cluster.lines("pod admitted"))


def test_pods_outside_planes_cost_no_call(cluster: Cluster) -> None:
    before = cluster.calls()
    cluster.server.apply(pod("web", "plain", {NETWORKS: "nonsense,,"}), pod("web", "kube-system"))
    cluster.server.kubectl("delete", "pod", "web", "-n", "plain", "--now", "--wait=false")
    assert cluster.calls() == before


def test_a_pod_on_the_host_network_costs_no_call(cluster: Cluster) -> None:
    obj = pod("host", "shop")
    obj["spec"]["hostNetwork"] = True
    before = cluster.calls()
    cluster.server.apply(obj)
    assert cluster.calls() == before


def test_status_updates_and_labels_cost_no_call(cluster: Cluster) -> None:
    cluster.server.apply(pod("busy", "shop"))
    before = cluster.calls()
    running = json.dumps({"status": {"phase": "Running", "podIP": "10.0.0.9"}})
    cluster.server.kubectl(
        *("patch", "pod", "busy", "-n", "shop", "--subresource=status", "--type=merge"),
        *("-p", running),
    )
    cluster.server.kubectl("label", "pod", "busy", "-n", "shop", "colour=blue")
    cluster.server.kubectl("annotate", "pod", "busy", "-n", "shop", "note=other")
    assert cluster.calls() == before


@pytest.mark.parametrize("subresource", [[], ["--subresource=status"]])
def test_a_forged_network_status_is_refused(cluster: Cluster, subresource: list[str]) -> None:
    cluster.server.apply(pod("forged", "shop"))
    patch = json.dumps({"metadata": {"annotations": {STATUS: "[]"}}})
    with pytest.raises(KubectlError, match="only the pod's node reports it"):
        cluster.server.kubectl(
            *("patch", "pod", "forged", "-n", "shop", "--type=merge", *subresource, "-p", patch)
        )


def test_the_node_s_own_report_costs_no_call(cluster: Cluster) -> None:
    obj = pod("reported", "shop")
    obj["spec"]["nodeName"] = "node1"
    cluster.server.apply(obj)
    before = cluster.calls()
    patch = json.dumps({"metadata": {"annotations": {STATUS: "[]"}}})
    identity = [
        "--as=system:serviceaccount:netplane-system:netplane-cni",
        "--as-group=system:masters",
        "--as-user-extra=authentication.kubernetes.io/node-name=node1",
    ]
    arguments = ("patch", "pod", "reported", "-n", "shop", "--type=merge", "-p")
    cluster.server.kubectl(*arguments, patch, *identity)
    assert cluster.calls() == before
    identity[-1] = identity[-1].replace("node1", "node2")
    other = patch.replace("[]", "[ ]")
    with pytest.raises(KubectlError, match="only the pod's node reports it"):
        cluster.server.kubectl(*arguments, other, *identity)


def test_a_refused_pod_is_told_why_and_logged(cluster: Cluster) -> None:
    with pytest.raises(KubectlError, match="cannot"):
        cluster.server.apply(pod("bad", "shop", {NETWORKS: "nonsense,,"}))
    assert any(each.get("pod") == "shop/bad" for each in cluster.lines("review refused"))


def test_a_dry_run_gets_its_planes_and_leaves_nothing(cluster: Cluster) -> None:
    text = json.dumps(pod("dry", "shop"))
    shown = json.loads(
        cluster.server.kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", text=text)
    )
    assert NETWORKS in shown["metadata"]["annotations"]


def test_the_mark_comes_and_goes_in_the_request_that_labels(cluster: Cluster) -> None:
    server = cluster.server
    server.apply(namespace("moving"))
    server.kubectl("label", "namespace", "moving", "plane.netplane.io/business=enabled")
    assert server.get("namespace", "moving")["metadata"]["labels"]["netplane.io/joined"] == "true"
    server.kubectl("label", "namespace", "moving", "netplane.io/joined-")
    assert server.get("namespace", "moving")["metadata"]["labels"]["netplane.io/joined"] == "true"
    server.kubectl("label", "namespace", "moving", "plane.netplane.io/business-")
    assert "netplane.io/joined" not in server.get("namespace", "moving")["metadata"]["labels"]


def test_the_plane_s_nad_and_status_are_there(cluster: Cluster) -> None:
    nad = until(20, lambda: cluster.server.get("net-attach-def", "-n", "netplane-system")["items"])
    assert nad[0]["metadata"]["name"] == "business"

    def conditions() -> dict[str, str]:
        status = cluster.server.get("plane", "business").get("status", {})
        return {each["type"]: each["status"] for each in status.get("conditions", [])}

    wanted = {"Accepted": "True", "Overlapping": "False", "NADReady": "True", "Exhausted": "False"}
    until(20, lambda: conditions() == wanted)
    until(20, lambda: cluster.server.get("plane", "business")["status"]["namespaces"] >= 1)


def test_the_shipped_roles_are_enough(cluster: Cluster) -> None:
    assert "forbidden" not in cluster.log.read_text()
    assert "netplane_controller_failures_total 0.0" in cluster.ask("/metrics")[1]
    assert "netplane_leader 1.0" in cluster.ask("/metrics")[1]


def test_probes_need_no_certificate_and_a_stop_is_clean(cluster: Cluster) -> None:
    assert cluster.ask("/livez") == (200, "ok\n")
    assert cluster.stop() == 0
    lease = cluster.server.get("lease", "netplane-webhook", "-n", "netplane-system")
    assert lease["spec"].get("holderIdentity", "") == ""
    cluster.server.apply(pod("unattended", "shop"))  # nobody answers: created all the same
    cluster.start()
    cluster.ready()


def test_without_the_plane_kind_it_waits_and_says_so(own_api_server: ApiServer) -> None:
    cluster = Cluster(own_api_server)
    cluster.install(crds=False)
    cluster.start()
    try:
        until(20, lambda: cluster.ask("/readyz")[0] == 503)
        assert cluster.ask("/livez")[0] == 200
        until(10, lambda: re.search(r"planes \(cannot list ", cluster.ask("/readyz")[1]))
        cluster.define()
        cluster.ready()
    finally:
        assert cluster.stop() == 0
