"""Create a link in a sandbox under its final name.

New kernels check the name in the namespace of the link. Older ones checked it where the request was
sent, and refused a name in use on the host: there the link is created under a random name and
renamed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace

from cni.net.channel import Channel
from cni.net.link_changes import delete_link, rename
from cni.net.links import Link, find_link, read_links
from cni.net.netlink import NetlinkRequest
from cni.net.new_links import Placement
from cni.net.workers import OpenSandbox
from planes.model.errors import Conflict


def random_mac() -> str:
    """Return a MAC of no vendor, for one interface."""
    first, *others = secrets.token_bytes(6)
    return bytes([first & 0xFC | 0x02, *others]).hex(":")


def random_name() -> str:
    """Return a name for a host interface, as the reference plugins do: veth and eight digits."""
    return f"veth{secrets.token_hex(4)}"


def place(
    origin: Channel,
    sandbox: OpenSandbox,
    to: Placement,
    request: Callable[[Placement], NetlinkRequest],
) -> None:
    """Create a link in the sandbox.

    Args:
        origin: where the request is sent: in the namespace of the master or of the other end.
        sandbox: where the link is to be.
        to: its name, MAC and MTU.
        request: makes the request.

    Raises:
        Conflict: the sandbox has an interface of that name, or the master is in use.
        PlanesError: the kernel refuses for another reason.
    """
    try:
        origin.batch([request(to)])
    except Conflict as error:
        if look_up(sandbox, to.name) is not None:
            raise Conflict(
                f"cannot create interface {to.name}: the sandbox has one of that name",
                remedy="choose another interface name, or DEL the attachment first",
            ) from error
        if not read_links(origin.batch([find_link(to.name)])[0]):
            raise
        place_by_rename(origin, sandbox, to, request)


def place_by_rename(
    origin: Channel,
    sandbox: OpenSandbox,
    to: Placement,
    request: Callable[[Placement], NetlinkRequest],
) -> None:
    """Create a link under a random name, and rename it in the sandbox.

    Raises:
        PlanesError: the kernel refuses; no link is left.
    """
    temporary = replace(to, name=random_name())
    origin.batch([request(temporary)])
    try:
        link = look_up(sandbox, temporary.name)
        if link is not None:
            sandbox.channel.batch([rename(link, to.name)])
    except BaseException:
        sandbox.channel.batch([delete_link(temporary.name)])
        raise


def look_up(sandbox: OpenSandbox, name: str) -> Link | None:
    """Find a link of the sandbox."""
    return next(iter(read_links(sandbox.channel.batch([find_link(name)])[0])), None)
