"""The demo's folder, programs and commands, which all steps use.

Invariant: everything is below one temporary folder, in the demo's namespaces or in a child process,
so that `close` leaves nothing.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any, Final

from planes.cli.console import Console
from planes.cli.demo import namespaces
from planes.cli.demo.leftovers import DemoFolder, sandbox_of
from planes.cli.demo.namespaces import NODES, Node
from planes.cli.demo.programs import Program, answers, free_port, python_module
from planes.model.errors import JsonObject
from planes.model.objects import Pod
from planes.store.pod_files import PodFiles

_SUBNET_ENV: Final = """\
FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET={gateway}/24
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
"""


class DemoEnvironment:
    """The folder and the programs of one demo.

    Args:
        console: where commands and their output are printed.
        shim: path of the shim.
        map_file: where the map is written as a page; "" for nowhere.
    """

    def __init__(self, console: Console, shim: str, map_file: str = "") -> None:
        self.console = console
        self.shim = shim
        self.map_file = map_file
        self._locked = DemoFolder(Path(tempfile.gettempdir()))
        self.folder = self._locked.path
        self.manifests = self.folder / "manifests"
        self.addresses = self.folder / "addresses"
        self.certificates = self.folder / "certs"
        self.pods = PodFiles(self.manifests)
        self.made: set[str] = set()
        self._url = f"https://127.0.0.1:{free_port()}"
        self._webhook = Program("the webhook", self._webhook_command(), self.folder / "webhook.log")
        self._daemons = {
            node.name: Program(
                f"the daemon of {node.name}", self._daemon_command(node), self.log(node)
            )
            for node in NODES
        }

    def open(self) -> None:
        """Make the nodes and start the programs."""
        self.manifests.mkdir()
        self.certificates.mkdir()
        self.put("planes.yaml")
        namespaces.build()
        for node in NODES:
            self._write_default_network(node)
        self.start_webhook()
        for node in NODES:
            self.start_daemon(node)

    def close(self) -> None:
        """Stop the programs, remove the nodes and the folder."""
        for program in (self._webhook, *self._daemons.values()):
            program.stop()
        for name in self.sandboxes():
            namespaces.remove_sandbox(name)
        namespaces.clear()
        self._locked.remove()

    def start_webhook(self) -> None:
        """Start the webhook."""
        self._webhook.start(self._webhook_is_ready)

    def stop_webhook(self) -> None:
        """Stop the webhook."""
        self._webhook.stop()

    def start_daemon(self, node: Node) -> None:
        """Start the daemon of a node."""
        self._daemons[node.name].start(answers(self.socket(node)))

    def stop_daemon(self, node: Node) -> None:
        """Stop the daemon of a node."""
        self._daemons[node.name].stop()

    def state(self, node: Node) -> Path:
        """Return the state directory of a node."""
        return self.folder / node.name / "state"

    def socket(self, node: Node) -> Path:
        """Return the socket of a node's daemon."""
        return self.folder / node.name / "cni.sock"

    def log(self, node: Node) -> Path:
        """Return the log file of a node's daemon."""
        return self.folder / f"{node.name}.log"

    def put(self, name: str) -> None:
        """Write one of the demo's inputs into the manifest directory."""
        (self.manifests / name).write_text(self.text(name))

    def text(self, name: str) -> str:
        """Return the text of one of the demo's inputs."""
        return resources.files("planes.cli.demo").joinpath("inputs", name).read_text()

    def sandboxes(self) -> list[str]:
        """Return the network namespaces of the demo's pods that exist now."""
        self.made |= {self.netns(pod) for pod in self.pods.all()}
        return sorted(name for name in self.made if (namespaces.NETNS_FOLDER / name).exists())

    def netns(self, pod: JsonObject) -> str:
        """Return the name of a pod's network namespace."""
        name = sandbox_of(Pod.from_object(pod)).netns_name
        self.made.add(name)
        return name

    def netplane(
        self, *words: str, node: Node, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Print a netplane command and run it; `env` is added to the environment."""
        self.console.line(f"  $ netplane {' '.join(words)}", "bold")
        options = {"--manifests": str(self.manifests)}
        if words[0] == "pod":
            options["--state-dir"] = str(self.state(node))
        if words[:2] in {("pod", "add"), ("pod", "rm")}:
            options |= {"--socket": str(self.socket(node)), "--shim": self.shim}
        if words[:2] == ("pod", "add"):
            options["--node"] = node.name
            options |= {"--webhook": self._url, "--ca": str(self.certificates / "ca.crt")}
        given = [part for pair in options.items() for part in pair]
        return _run(python_module("planes.cli", *words, *given), stdin, env)

    def show(self, done: subprocess.CompletedProcess[str]) -> None:
        """Print the output of a command, indented."""
        for line in (done.stdout + done.stderr).splitlines():
            if line.strip() and not line.endswith(" …"):
                self.console.line(f"    {line}")

    def inside(self, netns: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a namespace."""
        return _run(namespaces.inside(netns, *command))

    def events(self, node: Node) -> list[dict[str, Any]]:
        """Return the events that a node's daemon published."""
        path = self.state(node) / "events.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines() if line]

    def _webhook_is_ready(self) -> bool:
        ca = self.certificates / "ca.crt"
        if not ca.is_file():
            return False
        with suppress(OSError, urllib.error.URLError):
            trust = ssl.create_default_context(cafile=str(ca))
            with urllib.request.urlopen(f"{self._url}/readyz", context=trust) as answer:  # noqa: S310 - our own https address
                return bool(answer.status == 200)
        return False

    def _webhook_command(self) -> list[str]:
        listen = self._url.removeprefix("https://")
        return python_module(
            *("webhook", "--standalone", str(self.manifests), "--listen", listen),
            *("--cert-dir", str(self.certificates), "--state-dir", str(self.state(NODES[0]))),
        )

    def _daemon_command(self, node: Node) -> list[str]:
        folder = self.folder / node.name
        command = python_module(
            *("cni", "--standalone", str(self.manifests), "--node", node.name),
            *("--socket", str(self.socket(node)), "--state-dir", str(self.state(node))),
            *("--cni-conf-dir", str(folder / "net.d"), "--address-dir", str(self.addresses)),
        )
        return namespaces.inside(node.netns, *command)

    def _write_default_network(self, node: Node) -> None:
        """Write the files that Flannel has on a node: its lease and its conflist."""
        folder = self.folder / node.name
        (folder / "net.d").mkdir(parents=True)
        gateway = node.pod_subnet.replace(".0/24", ".1")
        (folder / "subnet.env").write_text(_SUBNET_ENV.format(gateway=gateway))
        flannel = {
            "type": "flannel",
            "subnetFile": str(folder / "subnet.env"),
            "dataDir": str(folder / "flannel"),
            "ipam": {"dataDir": str(folder / "networks")},
            "delegate": {"hairpinMode": True, "isDefaultGateway": True},
        }
        portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
        conflist = {"name": "cbr0", "cniVersion": "0.3.1", "plugins": [flannel, portmap]}
        (folder / "net.d" / "10-flannel.conflist").write_text(json.dumps(conflist))


def _run(
    command: Sequence[str], stdin: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    whole = {**os.environ, **env} if env else None
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, env=whole
    )
