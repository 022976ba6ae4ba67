"""Remove several links with one grace period of the kernel.

Each removal ends with a grace period of 5 to 20 ms. Links that are put into one group and removed
by group share one.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from cni.net.link_changes import delete_group, delete_link, set_group
from cni.net.links import find_link, read_links
from cni.net.workers import Worker
from planes.model.errors import PlanesError

_FIRST_GROUP = 0x40000000  # far from the small numbers that people write
_GROUP_BITS = 30


def remove_links(worker: Worker, netns: str, names: Sequence[str]) -> None:
    """Remove links of a sandbox in one grace period; missing links are fine.

    Raises:
        MissingNetns: the namespace is gone, and the links with it.
        PlanesError: the kernel refuses to remove one of them.
    """
    with worker.sandbox(netns) as sandbox:
        channel = sandbox.channel
        # Asked for one by one: the pod itself may have made links by the ten thousand.
        answers = channel.batch([find_link(name) for name in names])
        found = {link.name for answer in answers for link in read_links(answer)}
        present = [name for name in names if name in found]  # not by an alternative name
        if not present:
            return
        if len(present) > 1:
            group = _FIRST_GROUP | secrets.randbits(_GROUP_BITS)  # no link of the pod's is in it
            try:
                channel.batch([*(set_group(name, group) for name in present), delete_group(group)])
            except PlanesError:
                # Because of one link that cannot be removed (a device of the host) none is.
                pass
            else:
                return
        _remove_each(worker, netns, present)


def _remove_each(worker: Worker, netns: str, names: Sequence[str]) -> None:
    failures: list[PlanesError] = []
    with worker.sandbox(netns) as sandbox:
        for name in names:
            try:
                sandbox.channel.batch([delete_link(name)])
            except PlanesError as error:
                failures.append(error)
    if failures:
        raise failures[0]
