"""Netplane on a cluster of the tests: installed from the manifests people apply, and looked at.

Nothing here goes around the manifests: roles, policies and certificates are the real ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.lab.binaries import ROOT, program
from tests.cluster.lab.cluster import Cluster

SYSTEM = "netplane-system"
NAD_KIND = "network-attachment-definitions.k8s.cni.cncf.io"
IMAGE = ROOT / "build" / "image" / "netplane-amd64.tar"
OVERLAYS = ROOT / "manifests" / "overlays"
EXAMPLES = ROOT / "manifests" / "examples"
STATUS = "k8s.v1.cni.cncf.io/network-status"
NETWORKS = "k8s.v1.cni.cncf.io/networks"
STATIC_IPS = "netplane.io/static-ips"
WEBHOOK, DAEMON = "deployment/netplane-webhook", "daemonset/netplane-cni"


class Netplane:
    """The installation on one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def install(self, overlay: str = "lab") -> None:
        """Apply an overlay, and the kind of NADs where it is missing; wait for both programs."""
        if not self.cluster.kubectl("get", "crd", NAD_KIND, "--ignore-not-found"):
            self.cluster.kubectl("create", "-f", str(OVERLAYS.parent / "nad-kind.yaml"))
        self.cluster.kubectl("apply", "-k", str(OVERLAYS / overlay))
        self.wait_for_rollouts()

    def wait_for_rollouts(self) -> None:
        """Wait until both programs are ready everywhere."""
        for what in (WEBHOOK, DAEMON):
            self.rollout(what)

    def rollout(self, what: str, *, seconds: int = 120) -> None:
        """Wait for a rollout of a workload of Netplane's namespace."""
        argv = ("-n", SYSTEM, "rollout", "status", what, f"--timeout={seconds}s")
        self.cluster.kubectl(*argv, seconds=seconds + 10)

    def restart(self, what: str) -> None:
        """Restart a workload of Netplane's namespace, as an upgrade does, and wait for it."""
        self.cluster.kubectl("-n", SYSTEM, "rollout", "restart", what)
        self.rollout(what)

    @contextmanager
    def webhook_away(self) -> Iterator[None]:
        """Run no webhook at all meanwhile."""
        self._scale_webhook(0)
        try:
            yield
        finally:
            self._scale_webhook(2)
            self.rollout(WEBHOOK)

    def pods(self, part: str) -> list[dict[str, Any]]:
        """Return the pods of `netplane-webhook` or `netplane-cni`."""
        argv = ("pods", "-n", SYSTEM, "-l", f"app.kubernetes.io/name={part}")
        found: list[dict[str, Any]] = self.cluster.server.get(*argv)["items"]
        return found

    def log(self, part: str) -> list[str]:
        """Return the lines all pods of a part wrote."""
        argv = ("-l", f"app.kubernetes.io/name={part}", "--all-containers", "--tail=-1")
        return self.cluster.kubectl("-n", SYSTEM, "logs", *argv).splitlines()

    def on_node(self, node: str, *argv: str) -> str:
        """Run a command of `netplane-cni` in the daemon of a node; return its output."""
        (daemon,) = [
            one["metadata"]["name"]
            for one in self.pods("netplane-cni")
            if one["spec"].get("nodeName") == node
        ]
        inside = ("exec", daemon, "-c", "cni", "--", "python3", "-m", "cni", *argv)
        return self.cluster.kubectl("-n", SYSTEM, *inside)

    def asks(self, *words: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run the command `netplane` of this checkout with the administrator's kubeconfig."""
        argv = self.cluster.inside.entering_network(*(sys.executable, "-m", "planes.cli", *words))
        return subprocess.run(
            argv,
            cwd=ROOT,
            env={**os.environ, "KUBECONFIG": str(self.cluster.server.kubeconfig())},
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def command_line(self, script: str, *, seconds: float = 600) -> str:
        """Run a script of a document from the checkout, with `kubectl` pointing at the cluster.

        Raises:
            AssertionError: A command of it ended with an error.
        """
        folder = self.cluster.folder / "path"
        folder.mkdir(exist_ok=True)
        argv = self.cluster.inside.entering_network(
            program("kubectl"),
            f"--kubeconfig={self.cluster.server.kubeconfig()}",
            f"--cache-dir={self.cluster.folder / 'kubectl'}",
        )
        wrapper = folder / "kubectl"
        wrapper.write_text(f'#!/bin/sh\nexec {" ".join(argv)} "$@"\n')
        wrapper.chmod(0o755)
        done = subprocess.run(
            ["sh", "-exc", script],
            cwd=ROOT,
            env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _scale_webhook(self, replicas: int) -> None:
        self.cluster.kubectl("-n", SYSTEM, "scale", WEBHOOK, f"--replicas={replicas}")
        if replicas == 0:
            self.cluster.wait_for("no webhook", lambda: not self.pods("netplane-webhook"))


class Workspace:
    """A namespace of a test, and what runs in it."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name

    def create(self, planes: Mapping[str, str]) -> None:
        """Make it, joined to planes: {plane: "enabled" or "required"}."""
        labels = {f"plane.netplane.io/{plane}": value for plane, value in planes.items()}
        meta = {"name": self.name, "labels": labels}
        self.cluster.server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        # The controller manager makes it; a pod is refused before.
        self.cluster.wait_for("default service account", lambda: self.get("serviceaccount/default"))

    def delete(self, *, wait: bool = False) -> None:
        """Delete it with all that is in it."""
        argv = ("delete", "namespace", self.name, f"--wait={str(wait).lower()}")
        self.cluster.kubectl(*argv, "--ignore-not-found", seconds=180)

    def kubectl(self, *argv: str, text: str = "", seconds: float = 120) -> str:
        return self.cluster.kubectl("-n", self.name, *argv, text=text, seconds=seconds)

    def get(self, *argv: str) -> Any:
        return self.cluster.server.get("-n", self.name, *argv)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Apply objects into it; their namespace is filled in."""
        placed = [
            {**one, "metadata": {**one["metadata"], "namespace": self.name}} for one in objects
        ]
        self.cluster.server.apply(*placed)

    def wait_ready(self, *pods: str, seconds: int = 60) -> None:
        """Wait until the pods (default: all) are Ready."""
        names = [f"pod/{pod}" for pod in pods] or ["pod", "--all"]
        self.kubectl(
            "wait", "--for=condition=Ready", *names, f"--timeout={seconds}s", seconds=seconds + 10
        )

    def pods(self, selector: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("pods", "-l", selector)["items"]
        return found

    def networks(self, pod: str) -> dict[str, list[str]]:
        """{interface: addresses} of a pod's network-status."""
        return status_of(self.get("pod", pod))

    def inside(self, pod: str, *argv: str) -> str:
        """Run a command in a pod."""
        return self.kubectl("exec", pod, "--", *argv)

    def messages(self, reason: str, about: str = "") -> list[str]:
        """Return the messages of events with that reason, about an object of that name."""
        events = self.get("events")["items"]
        return [
            one["message"]
            for one in events
            if one["reason"] == reason and about in one["involvedObject"]["name"]
        ]


def status_of(pod: Mapping[str, Any]) -> dict[str, list[str]]:
    """{interface: addresses} of a pod's network-status; {} where it has none."""
    text = pod["metadata"].get("annotations", {}).get(STATUS, "[]")
    return {one["interface"]: one.get("ips", []) for one in json.loads(text)}


def address(networks: Mapping[str, list[str]], interface: str) -> str:
    """Return the first address of an interface."""
    return networks[interface][0]


def example(name: str) -> Path:
    """Return the file of an example."""
    return EXAMPLES / f"{name}.yaml"
