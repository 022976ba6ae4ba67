"""`netplane-cni check-addresses` and `adopt` on a real node."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.node.netns import Namespace, namespace
from tests.support.node.node import LiveNode

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]
ROOT = Path(__file__).parents[2]


def command(node: LiveNode, *argv: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "cni", *argv, "--socket", str(node.socket)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def listed(node: LiveNode, *argv: str) -> list[dict[str, Any]]:
    _, text = command(node, *argv, "-o", "json")
    found = json.loads(text)
    return found if isinstance(found, list) else found["addresses"]


def wear(sandbox: Namespace, address: str) -> None:
    """Set an address that no plugin knows on an interface of a sandbox."""
    sandbox.ip("link", "add", "net1", "type", "veth", "peer", "name", "x")
    sandbox.ip("addr", "add", address, "dev", "net1")


def held(node: LiveNode) -> set[str]:
    directory = node.state / "addresses" / "business"
    names = (path.name for path in directory.iterdir()) if directory.is_dir() else ()
    return {name for name in names if name.startswith("192.168.")}


def test_addresses_in_use_are_shown_then_held(own_node: LiveNode, sandbox: Namespace) -> None:
    """A sandbox has one address, a file of host-local another."""
    wear(sandbox, "192.168.10.7/16")
    network = own_node.home / "networks" / "legacy"
    network.mkdir(parents=True)
    (network / "192.168.10.8").write_text("c8\r\neth0")
    own_node.start()
    status, text = command(own_node, "adopt")
    assert status == 0, text
    assert "192.168.10.7" in text
    assert "192.168.10.8" in text
    assert "nothing was changed" in text
    assert held(own_node) <= {"192.168.10.7"}
    status, text = command(own_node, "adopt", "--apply", "--plane", "business")
    assert status == 0, text
    assert held(own_node) == {"192.168.10.7", "192.168.10.8"}
    verdicts = {one["address"]: one["verdict"] for one in listed(own_node, "adopt")}
    assert verdicts == {"192.168.10.7": "held", "192.168.10.8": "held"}
    status, text = command(own_node, "adopt", "--plane", "nothing")
    assert status == 1
    assert "cannot adopt addresses: there is no plane 'nothing'" in text
    own_node.stop()
    shutil.rmtree(own_node.home / "networks")
    shutil.rmtree(own_node.state)


def test_only_the_networks_that_are_named_are_adopted(own_node: LiveNode) -> None:
    """A tenant's own network may use the same addresses on another wire."""
    for number, name in enumerate(("legacy", "other", "tenant")):
        network = own_node.home / "networks" / name
        network.mkdir(parents=True)
        (network / f"192.168.10.{number}").write_text(f"c{number}\r\neth0")
    own_node.start()
    status, text = command(own_node, "adopt", "--network", "legacy", "--network", "other")
    assert status == 0, text
    assert "192.168.10.0" in text
    assert "192.168.10.1" in text
    assert "192.168.10.2" not in text
    own_node.stop()
    shutil.rmtree(own_node.home / "networks")


def test_an_address_without_a_record_is_shown(own_node: LiveNode, sandbox: Namespace) -> None:
    own_node.start()
    own_node.put_pod("web")
    assert own_node.call("ADD", "c1", sandbox, pod="web").result
    assert command(own_node, "check-addresses") == (
        0,
        "all addresses of this node are accounted for\n",
    )
    with namespace("other") as other:
        wear(other, "192.168.10.77/16")
        status, text = command(own_node, "check-addresses")
    assert status == 3
    assert text.startswith("KIND")
    assert "unrecorded" in text
    assert "192.168.10.77" in text
    assert own_node.call("DEL", "c1", sandbox, pod="web").status == 0


def test_without_a_daemon_the_error_says_so(own_node: LiveNode) -> None:
    status, text = command(own_node, "adopt")
    assert status == 1
    assert "cannot look at the addresses of this node: no daemon listens at" in text
