"""Cables between namespaces, and interfaces that are set up, by requests of pyroute2."""

from __future__ import annotations

import time
from pathlib import Path
from socket import AF_INET6

from pyroute2 import IPRoute

from tests.support.node.inside import inside


def lay_cable(name: str, here: str, there: str) -> None:
    """Make a veth pair whose ends have one name, in the namespaces at two paths."""

    def make() -> None:
        with IPRoute() as kernel, open(there, "rb") as netns:
            other_end = {"ifname": name, "net_ns_fd": netns.fileno()}
            kernel.link("add", ifname=name, kind="veth", peer=other_end)

    inside(here, make)


def set_up(path: str, *names: str) -> None:
    """Set interfaces up in the namespace at a path."""

    def work() -> None:
        with IPRoute() as kernel:
            for name in names:
                kernel.link("set", ifname=name, state="up")

    inside(path, work)


def await_carrier(path: str, *names: str) -> None:
    """Wait for what the kernel does after `up`: carrier, and with IPv6 an address to be checked."""

    def wait() -> None:
        switch = Path(f"/proc/sys/net/ipv6/conf/{names[0]}/disable_ipv6")
        has_ipv6 = switch.exists() and switch.read_text().strip() == "0"
        with IPRoute() as kernel:
            for _ in range(2000):
                links = [one for one in kernel.get_links() if one.get("IFLA_IFNAME") in names]
                ready = {one["index"] for one in links if one.get("IFLA_OPERSTATE") == "UP"}
                if has_ipv6:
                    ready &= {one["index"] for one in kernel.get_addr(family=AF_INET6)}
                if len(ready) == len(names):
                    return
                time.sleep(0.01)
        raise AssertionError(f"{', '.join(names)} had no carrier after 20 s")

    inside(path, wait)
