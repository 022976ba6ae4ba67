"""Netconfs of types that make an interface on a master, and what their tests assert."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cni.native.registry import native_plugins
from cni.net.kernel import Kernel
from cni.plugins.plugin import Call, NativePlugin
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result
from tests.support.node.netns import Namespace, Node
from tests.support.node.plugins import NoPlugin, ipams
from tests.support.node.scenarios import static

V4 = "10.9.0.7/24"
V6 = "fd00:9::7/64"


def netconf(kind: str, **conf: Any) -> NetConf:
    return NetConf({"cniVersion": "1.0.0", "name": "testnet", "type": kind, **conf})


def with_addresses(kind: str, *addresses: str, **conf: Any) -> NetConf:
    """Return a netconf on eth1 with static addresses."""
    each = [{"address": one} for one in addresses or (V4,)]
    return netconf(kind, **{"master": "eth1", "ipam": static(*each), **conf})


def plugin(kernel: Kernel, kind: str) -> NativePlugin:
    return native_plugins(kernel, ipams(), NoPlugin())[kind]


def call_in(sandbox: Namespace, ifname: str = "net1", container: str = "c1") -> Call:
    return Call(container, sandbox.path, ifname)


def after(conf: NetConf, result: Result) -> NetConf:
    """Return a netconf with the result of its ADD as prevResult, as DEL and CHECK get it."""
    return NetConf({**conf.raw, "prevResult": result.to_version("1.0.0")})


@contextmanager
def left_as_found(node: Node, directory: Path | None = None) -> Iterator[None]:
    """Check that sandbox and host are afterwards as they were, without address files."""
    before = _seen(node.sandbox), _seen(node.host)
    yield
    assert (_seen(node.sandbox), _seen(node.host)) == before
    assert directory is None or list(directory.glob("*/*.*.*")) == []


def _seen(of: Namespace) -> set[str]:
    """Return links, addresses and routes, but for what the kernel adds to a link after a while."""
    lines = set()
    for link in of.ip_json("addr"):
        lines.add(f"link {link['ifname']} {link.get('master')} {link['mtu']} {link['address']}")
        lines |= {f"{link['ifname']} has {one['local']}" for one in link.get("addr_info", [])}
    for family in ("-4", "-6"):
        shown = of.ip(family, "route", "show", "table", "all")
        lines |= {line.strip() for line in shown.splitlines()}
    return {line for line in lines if not any(late in line for late in _LATE)}


_LATE = ("fe80:", "ff00:", "linkdown")
