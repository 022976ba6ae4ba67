"""Find the master of a sandbox interface: the device that it is made on.

That is a device of the host, or with `linkInContainer` an interface of the sandbox.
"""

from __future__ import annotations

from typing import Final

from cni.net.addresses import default_device, get_routes
from cni.net.channel import Channel
from cni.net.errors import MissingMaster
from cni.net.links import Link, find_link, get_links, read_links
from planes.model.errors import NotFound
from planes.model.lines import first_few
from planes.model.names import shown

_MOST_NAMED: Final = 12


def find_master(channel: Channel, name: str, *, is_inside: bool = False) -> Link:
    """Find a device by name; without one, the device of the first default route.

    Args:
        channel: in the namespace to search.
        name: of the device, "" for that of the default route.
        is_inside: whether the namespace is the sandbox, whose interfaces its pod sees.

    Raises:
        NotFound: there is none.
    """
    if name:
        found = read_links(channel.batch([find_link(name)])[0])
        if not found:
            raise _missing_inside(name, channel) if is_inside else _missing(name, channel)
        return found[0]
    for version in (4, 6):
        index = default_device(channel.dump(get_routes(version)))
        for link in read_links(channel.dump(get_links())) if index else ():
            if link.index == index:
                return link
    place = " in the sandbox" if is_inside else ""
    raise NotFound(
        f"cannot find a master device: none is named and there is no default route{place}",
        remedy='set "master"',
    )


def _missing(name: str, channel: Channel) -> NotFound:
    return MissingMaster(name, devices_of(channel))


def _missing_inside(name: str, channel: Channel) -> NotFound:
    return NotFound(
        f"cannot find master interface {shown(name)} in the sandbox: it has {devices_of(channel)}",
        remedy="name the interface of a network of the same pod, or drop linkInContainer",
    )


def devices_of(channel: Channel) -> str:
    """Return the names of devices that may be a master, host ends of pods last."""
    links = [one for one in read_links(channel.dump(get_links())) if one.name != "lo"]
    links.sort(key=lambda one: one.kind == "veth" and one.is_parent_elsewhere)
    names = [one.name for one in links]
    return first_few(names, _MOST_NAMED) or "none"
