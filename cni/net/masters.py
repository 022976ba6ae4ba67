"""Finding the host device that a sandbox interface is to sit on."""

from __future__ import annotations

from cni.net.addresses import default_device, get_routes
from cni.net.links import Link, find_link, get_links, read_links
from cni.net.workers import Worker
from planes.model.errors import NotFound


def find_master(worker: Worker, name: str) -> Link:
    """Find a device by name; without one, the device of the first default route.

    Raises:
        NotFound: there is none.
    """
    if name:
        found = read_links(worker.host.batch([find_link(name)])[0])
        if not found:
            raise NotFound(
                f"cannot find master device {name} on this node",
                remedy="name a device that `ip link` shows here",
            )
        return found[0]
    for version in (4, 6):
        index = default_device(worker.host.dump(get_routes(version)))
        for link in read_links(worker.host.dump(get_links())) if index else ():
            if link.index == index:
                return link
    raise NotFound(
        "cannot find a master device: none is named and there is no default route",
        remedy='set "master"',
    )
