"""Putting a new link into a sandbox under its final name.

Kernels of today check the name where the link will live. Older ones checked it where the request
was sent, so a name in use on the host was refused: then it travels under a name of chance.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace

from cni.net.links import (
    Link,
    Placement,
    delete_link,
    find_link,
    read_links,
    rename,
)
from cni.net.netlink import Request
from cni.net.workers import Sandbox, Worker
from planes.model.errors import Conflict


def random_mac() -> str:
    """Give a MAC of no vendor, for one interface."""
    first, *others = secrets.token_bytes(6)
    return bytes([first & 0xFC | 0x02, *others]).hex(":")


def random_name() -> str:
    """Give a name for a host interface, as the reference plugins do: veth and eight digits."""
    return f"veth{secrets.token_hex(4)}"


def place(
    worker: Worker, sandbox: Sandbox, to: Placement, request: Callable[[Placement], Request]
) -> None:
    """Create a link in the sandbox; `request` is sent on the host.

    Raises:
        Conflict: the sandbox has an interface of that name, or the master is taken.
        PlanesError: the kernel refuses for another reason.
    """
    try:
        worker.host.batch([request(to)])
    except Conflict as error:
        if look_up(sandbox, to.name) is not None:
            raise Conflict(
                f"cannot create interface {to.name}: the sandbox has one of that name",
                remedy="choose another interface name, or DEL the attachment first",
            ) from error
        if not read_links(worker.host.batch([find_link(to.name)])[0]):
            raise
        place_by_rename(worker, sandbox, to, request)


def place_by_rename(
    worker: Worker, sandbox: Sandbox, to: Placement, request: Callable[[Placement], Request]
) -> None:
    """Create a link under a name of chance, and rename it where it belongs.

    Raises:
        PlanesError: the kernel refuses; no link is left.
    """
    travelling = replace(to, name=random_name())
    worker.host.batch([request(travelling)])
    try:
        link = look_up(sandbox, travelling.name)
        if link is not None:
            sandbox.channel.batch([rename(link, to.name)])
    except BaseException:
        sandbox.channel.batch([delete_link(travelling.name)])
        raise


def look_up(sandbox: Sandbox, name: str) -> Link | None:
    """Find a link of the sandbox."""
    return next(iter(read_links(sandbox.channel.batch([find_link(name)])[0])), None)
