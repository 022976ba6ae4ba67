"""What `netplane pod` meets: a scripted webhook, a scripted shim, and real namespaces."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from planes.store.pod_files import PodFiles
from tests.support.command_line import Outcome, netplane
from tests.support.node.netns import why_no_kernel_tests
from tests.support.node.scripted_shim import ScriptedShim
from tests.support.planes import plane_object
from tests.support.webhook.scripted_webhook import ScriptedWebhook, scripted_webhook

KERNEL_TESTS = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(why_no_kernel_tests()), reason=why_no_kernel_tests() or "none"),
]


@dataclass
class Machine:
    """Everything `pod add` meets; `pod` is a name of chance, so that no two tests share one."""

    home: Path
    webhook: ScriptedWebhook
    shim: ScriptedShim
    pod: str

    @property
    def manifests(self) -> Path:
        return self.home / "m"

    @property
    def words(self) -> tuple[str, ...]:
        """Options of `pod add`."""
        trust = ("--webhook", self.webhook.url, "--ca", str(self.webhook.ca))
        return (*trust, *self.where, "--node", "node-a")

    @property
    def where(self) -> tuple[str, ...]:
        """Options of `pod rm`."""
        state = ("--state-dir", str(self.home / "state"), "--socket", str(self.home / "sock"))
        return ("--manifests", str(self.manifests), *state, "--shim", str(self.shim.path))

    def write(self, *names: str, **annotations: str) -> str:
        text = "\n---\n".join(json.dumps(self.manifest(name, **annotations)) for name in names)
        (self.home / "pods.yaml").write_text(text)
        return str(self.home / "pods.yaml")

    def manifest(self, name: str, **annotations: str) -> dict[str, Any]:
        meta = {"name": name, "namespace": "shop", "annotations": annotations}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": "forged"}}

    def add(self, *words: str) -> Outcome:
        return netplane("pod", "add", "-f", self.write(self.pod), *self.words, *words)

    def remove(self, *words: str) -> Outcome:
        return netplane("pod", "rm", *(words or (f"shop/{self.pod}",)), *self.where)

    @property
    def stored(self) -> dict[str, Any] | None:
        return PodFiles(self.manifests).get("shop", self.pod)

    @property
    def namespaces(self) -> list[str]:
        """Network namespaces of this test's pods."""
        home = Path("/run/netns")
        return [path.name for path in home.glob(f"np-shop-{self.pod}*")] if home.is_dir() else []


@contextmanager
def pod_machine(directory: Path) -> Iterator[Machine]:
    """Make the machine for a while; no namespace of its pods may be left."""
    (directory / "m").mkdir()
    (directory / "m" / "plane.json").write_text(json.dumps(plane_object()))
    with scripted_webhook(directory / "webhook") as webhook:
        shim = ScriptedShim(directory / "shim", directory / "m")
        machine = Machine(directory, webhook, shim, f"t{secrets.token_hex(4)}")
        yield machine
        left = machine.namespaces
        for name in left:
            subprocess.run(["ip", "netns", "del", name], check=False)
    assert left == []
