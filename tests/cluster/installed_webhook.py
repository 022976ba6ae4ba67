"""What is shipped of the webhook, applied to a real API server, and a replica of the program.

The configurations name a Service; without a network for pods the webhook's address on this machine
stands in for it (`url`), and nothing else of them is changed.
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from planes.model.names import JOINED_LABEL
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
    """Return the shipped configurations with a local address for the Service."""
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


class Installed:
    """An API server with what is shipped applied, and a webhook replica beside it."""

    def __init__(self, server: ApiServer, pod: str = "netplane-webhook-one") -> None:
        self.server = server
        self.pod = pod
        self.port, self.metrics = free_ports(2)
        self.log = server.folder / "log" / pod
        self.process: subprocess.Popen[bytes] | None = None

    def install(self, *, crds: bool = True) -> None:
        self.server.apply(namespace("netplane-system"))
        if crds:
            self.define()
        self.server.apply(
            *read(*(BASE / "webhook").glob("rbac*.yaml"), BASE / "webhook" / "secret.yaml"),
            *configurations(self.port),
        )

    def define(self) -> None:
        kinds = sorted((BASE / "crds").glob("[!k]*.yaml"))
        self.server.apply(*read(*kinds, BASE.parent / "nad-kind.yaml"))
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
            *("--pod", self.pod, "--cert-names", "127.0.0.1"),
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """End it as a node's failure does."""
        process, self.process = self.process, None
        assert process is not None
        process.kill()
        process.wait()

    @property
    def is_leader(self) -> bool:
        return "netplane_leader 1.0" in self.ask("/metrics")[1]

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

    def asked(self) -> None:
        """Wait until the API server asks it: it has to see the caBundle that was written first."""
        probe = json.dumps(namespace("probe", **MEMBER))
        dry_run = ("create", "--dry-run=server", "-o", "json", "-f", "-")
        until(30, lambda: JOINED_LABEL in self.server.kubectl(*dry_run, text=probe))

    def calls(self) -> float:
        """Count the reviews answered so far."""
        # A rendering is served for a while; the next one differs, if only in the age of watches.
        old = self.ask("/metrics")[1]
        text = until(20, lambda: (new := self.ask("/metrics")[1]) != old and new)
        counts = re.findall(r"^netplane_reviews_total\{.*\} (\S+)$", text, re.MULTILINE)
        return sum(map(float, counts))

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = map(json.loads, self.log.read_text().splitlines())
        return [line for line in found if line["event"] == event]


@contextmanager
def running_webhook(*objects: Mapping[str, Any]) -> Iterator[Installed]:
    """Run an API server with the plane and a webhook that is asked, and then apply objects."""
    if reason := why_missing(CONTROL_PLANE):
        pytest.skip(reason)
    with running_api_server() as server:
        made = Installed(server)
        try:
            made.install()
            made.server.apply(PLANE)
            made.start()
            made.ready()
            made.asked()
            made.server.apply(*objects)
            yield made
        finally:
            made.stop()
