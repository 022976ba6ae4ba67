"""A node whose sandbox has an interface already, for the types that go on with it in a chain."""

from __future__ import annotations

import os
from typing import Any

from cni.plugins.plugin import Call
from tests.support.node.cables import await_carrier
from tests.support.node.netns import CNI_BIN_DIR, Namespace, Node, picture

CURRENT_BIN_DIR = os.environ.get("NETPLANE_TEST_CURRENT_CNI_BIN_DIR", "build/reference/bin")
"""Where `scripts/reference-plugins` builds the current release of the reference plugins."""

MAC = "c2:11:22:00:00:05"
HOST_MAC = "c2:11:22:00:00:06"
HOST_LINK = "veth0000beef"
CONTAINER = "c0ffee"


def why_no_current_reference(plugin: str, directory: str = CURRENT_BIN_DIR) -> str:
    """Return why the current release of a reference plugin cannot be run; "" where it can."""
    present = os.access(f"{directory}/{plugin}", os.X_OK)
    return "" if present else f"{directory}/{plugin} is not built (scripts/reference-plugins)"


def newest_bin_dir(plugin: str) -> str:
    """Return the directory of the newest release there is of a reference plugin."""
    return CNI_BIN_DIR if why_no_current_reference(plugin) else CURRENT_BIN_DIR


def plug_in(node: Node, *addresses: str, ifname: str = "eth0", host_link: str = HOST_LINK) -> None:
    """Make an interface in the sandbox: one end of a veth pair, the other one on the host."""
    host, sandbox = node.host, node.sandbox
    host.ip("link", "add", host_link, "type", "veth", "peer", "name", ifname, "netns", sandbox.name)
    host.ip("link", "set", host_link, "address", HOST_MAC, "up")
    sandbox.ip("link", "set", ifname, "address", MAC)
    sandbox.ip("link", "set", "lo", "up")
    for address in addresses:
        sandbox.ip("addr", "add", address, "dev", ifname, *(["nodad"] if ":" in address else []))
    sandbox.ip("link", "set", ifname, "up")
    await_carrier(host.path, host_link)
    await_carrier(sandbox.path, ifname)


def call_of(node: Node, ifname: str = "eth0", *cni_args: tuple[str, str]) -> Call:
    return Call(CONTAINER, node.sandbox.path, ifname, cni_args, is_confined=False)


def previous(
    node: Node, *addresses: str, version: str = "1.0.0", gateways: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the result of the plugin that made `eth0`, as `plug_in` did."""
    ways = dict(zip(addresses, gateways, strict=False))
    ips: list[dict[str, Any]] = [
        {
            **({} if version.startswith("1.") else {"version": "6" if ":" in one else "4"}),
            "address": one,
            **({"gateway": ways[one]} if ways.get(one) else {}),
            "interface": 1,
        }
        for one in addresses
    ]
    interfaces = [
        {"name": HOST_LINK, "mac": HOST_MAC},
        {"name": "eth0", "mac": MAC, "sandbox": node.sandbox.path},
    ]
    return {"cniVersion": version, "interfaces": interfaces, "ips": ips, "dns": {}}


def conf_of(kind: str, result: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """Return the netconf of a chained type behind a result."""
    version = "1.0.0" if result is None else result["cniVersion"]
    made = {"cniVersion": version, "name": "testnet", "type": kind, **more}
    return made if result is None else {**made, "prevResult": result}


def still_picture(of: Namespace) -> dict[str, list[Any]]:
    """Return `picture` without link-local addresses, which come when their detection has ended."""
    return {
        kind: [one for one in found if "fe80::RANDOM" not in str(one)]
        for kind, found in picture(of).items()
    }
