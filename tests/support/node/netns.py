"""Real network namespaces for tests: nodes, sandboxes, and a look at what is in them.

Everything is made under names of chance beginning with `np-t-`, and is gone after the test; the
root namespace is never changed.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from pyroute2 import IPRoute

from tests.support.node.cables import await_carrier, lay_cable, set_up
from tests.support.node.inside import make_namespace, remove_namespace

CNI_BIN_DIR = os.environ.get("NETPLANE_TEST_CNI_BIN_DIR", "/usr/lib/cni")
_RUN = "/run/netns"


@dataclass(frozen=True, slots=True)
class Namespace:
    """A named network namespace of a test."""

    name: str

    @property
    def path(self) -> str:
        return f"{_RUN}/{self.name}"

    def run(self, *argv: str, text: str = "") -> str:
        """Run a command inside; return its output."""
        return run("ip", "netns", "exec", self.name, *argv, text=text)

    def ip(self, *argv: str) -> str:
        return run("ip", "-n", self.name, *argv)

    def ip_json(self, *argv: str) -> list[dict[str, Any]]:
        found = run("ip", "-n", self.name, "-j", "-d", *argv)
        return json.loads(found) if found.strip() else []

    def sysctl(self, key: str) -> str:
        return self.run("cat", f"/proc/sys/net/{key}").strip()


def run(*argv: str, text: str = "", env: dict[str, str] | None = None) -> str:
    """Run a command and return its output; error output is in the exception."""
    done = subprocess.run(
        argv, input=text, capture_output=True, text=True, check=False, timeout=30, env=env
    )
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: {done.stderr or done.stdout}")
    return done.stdout


@cache
def why_no_kernel_tests() -> str:
    """Return why tests cannot make namespaces here; "" where they can."""
    if os.geteuid() != 0:
        return "needs root"
    name = f"np-t-probe{secrets.token_hex(3)}"
    done = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"cannot make network namespaces: {done.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return ""


_NEEDED = {"vlan": ["id", "5"], "vrf": ["table", "9"]}
"""What links of a kind cannot be made without."""


@cache
def why_no_link_kind(kind: str) -> str:
    """Return why links of a kind cannot be made here; "" where they can."""
    if reason := why_no_kernel_tests():
        return reason
    with namespace("probe") as probe:
        argv = ["ip", "-n", probe.name, "link", "add", "x0", "type", "veth", "peer", "name", "x1"]
        subprocess.run(argv, capture_output=True, check=False)
        argv = ["ip", "-n", probe.name, "link", "add", "y0", "link", "x0", "type", kind]
        argv += _NEEDED.get(kind, [])
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"kernel has no {kind}: {done.stderr.strip()}"


@cache
def why_no_vlan_filtering() -> str:
    """Return why bridges cannot keep VLANs apart here; "" where they can."""
    if reason := why_no_kernel_tests():
        return reason
    with namespace("probe") as probe:
        argv = ["ip", "-n", probe.name, "link", "add", "b0", "type", "bridge"]
        made = [*argv, "vlan_filtering", "1"]
        done = subprocess.run(made, capture_output=True, text=True, check=False)
    reason = f"kernel has no VLAN filtering of bridges: {done.stderr.strip()}"
    return "" if done.returncode == 0 else reason


def why_no_reference(plugin: str) -> str:
    """Return why the reference plugin cannot be run here; "" where it can."""
    present = os.access(f"{CNI_BIN_DIR}/{plugin}", os.X_OK)
    return "" if present else f"{CNI_BIN_DIR}/{plugin} is not installed"


@contextmanager
def namespace(kind: str) -> Iterator[Namespace]:
    """Make a namespace for a while."""
    made = Namespace(f"np-t-{kind}{secrets.token_hex(4)}")
    assert not why_no_kernel_tests()  # `ip netns add` was run, which makes its folder a mount point
    make_namespace(made.path)
    try:
        yield made
    finally:
        remove_namespace(made.path)


@dataclass(frozen=True, slots=True)
class Node:
    """A host with a network card `eth1` (carrier on) and a sandbox.

    Attributes:
        far: what is at the other end of the card's cable.
    """

    host: Namespace
    sandbox: Namespace
    far: Namespace


@contextmanager
def node() -> Iterator[Node]:
    """Make a node for a while."""
    with ExitStack() as stack:
        host, sandbox, far = (
            stack.enter_context(namespace(kind)) for kind in ("host", "pod", "far")
        )
        _connect(host, far, "eth1")
        yield Node(host, sandbox, far)


@contextmanager
def host_with_cards(*cards: str) -> Iterator[Namespace]:
    """Make a host for a while, with network cards whose carrier is on."""
    with namespace("host") as host, namespace("far") as far:
        _connect(host, far, *cards)
        yield host


def _connect(host: Namespace, far: Namespace, *cards: str) -> None:
    for card in cards:
        lay_cable(card, host.path, far.path)
    set_up(host.path, "lo", *cards)
    set_up(far.path, *cards)
    await_carrier(host.path, *cards)


@contextmanager
def unchanged_machine() -> Iterator[None]:
    """Check that the machine is afterwards as it was before."""
    before = machine()
    yield
    assert machine() == before


@contextmanager
def unchanged_links() -> Iterator[None]:
    """Check links and addresses of the root namespace, which costs no program."""
    before = _links(), _addresses()
    yield
    assert (_links(), _addresses()) == before


def machine() -> dict[str, list[str]]:
    """Return what tests must leave as it was: the root namespace's links, addresses and rules."""
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=False).stdout
    return {
        "links": _links(),
        "addresses": _addresses(),
        "iptables": [line for line in rules.splitlines() if line.startswith("-A")],
    }


def _links() -> list[str]:
    with IPRoute() as kernel:
        return sorted(str(one.get("ifname")) for one in kernel.get_links())


def _addresses() -> list[str]:
    with IPRoute() as kernel:
        found = [(one["index"], one.get("address"), one["prefixlen"]) for one in kernel.get_addr()]
    return sorted(f"{index}: {address}/{length}" for index, address, length in found)


_VOLATILE_LINK = frozenset(
    {
        "ifindex",
        "link_index",
        "link_netnsid",
        "link_netns",
        "link",
        "stats64",
        "altnames",
        "txqlen",  # releases of the reference before 1.2 write 0, later ones leave the default
        "num_tx_queues",
        "num_rx_queues",
        "gso_max_size",
        "gso_max_segs",
    }
)
_VETH = re.compile(r"veth[0-9a-f]{8}")
# MACs that tests ask for begin with c2:11:22 and stay as they are.
_MAC = re.compile(r"(?!c2:11:22)\b(?:[0-9a-f]{2}[:.]){5,7}[0-9a-f]{2}", re.I)
_LINK_LOCAL = re.compile(r"fe80::[0-9a-f:]+")


def normalised(text: str, places: Sequence[tuple[str, str]] = ()) -> str:
    """Replace what differs between two runs by chance: names, MACs, given paths."""
    for old, new in places:
        text = text.replace(old, new)
    text = _VETH.sub("vethRANDOM", text)
    text = _LINK_LOCAL.sub("fe80::RANDOM", text)
    return _MAC.sub("MAC", text)


def picture(of: Namespace) -> dict[str, Any]:
    """Return links, addresses, routes and rules of a namespace, without what is random."""
    links = []
    for link in of.ip_json("link"):
        kept = {key: value for key, value in link.items() if key not in _VOLATILE_LINK}
        kept["flags"] = sorted(kept.get("flags", []))
        info = kept.get("linkinfo", {})
        for part in ("info_data", "info_slave_data"):
            if part in info:
                info[part] = _without_clock(info[part])
        links.append(kept)
    addresses = [
        {"ifname": link["ifname"], **_without_lifetime(one)}
        for link in of.ip_json("addr")
        for one in link.get("addr_info", [])
    ]
    routes = [
        {key: value for key, value in route.items() if key != "pref"}
        for family in ("-4", "-6")
        for route in of.ip_json(family, "route", "show", "table", "all")
    ]
    rules = [rule for family in ("-4", "-6") for rule in of.ip_json(family, "rule")]
    found = {"links": links, "addresses": addresses, "routes": routes, "rules": rules}
    text = normalised(json.dumps(found, sort_keys=True))
    parsed: dict[str, Any] = json.loads(text)
    return {key: sorted(value, key=json.dumps) for key, value in parsed.items()}


def _without_clock(info: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in info.items()
        if "timer" not in key and key not in {"topology_change", "id", "no", "bridge_id", "root_id"}
    }


def _without_lifetime(address: dict[str, Any]) -> dict[str, Any]:
    gone = {"valid_life_time", "preferred_life_time", "tentative", "nodad"}
    return {key: value for key, value in address.items() if key not in gone}
