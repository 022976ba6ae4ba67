"""Removing links so that the kernel waits once for all of them, not once for each.

Each removal of a link ends with a grace period of 5 to 20 ms. Links that are put into one group
and removed by group share a single one.
"""

from __future__ import annotations

from collections.abc import Sequence

from cni.net.links import (
    delete_group,
    delete_link,
    find_link,
    get_links,
    read_links,
    set_group,
)
from cni.net.workers import Worker
from planes.model.errors import PlanesError

_FIRST_GROUP = 0x6E700000  # far from the small numbers that people write


def remove_links(worker: Worker, netns: str, names: Sequence[str]) -> None:
    """Remove links of a sandbox in one grace period; links that are gone are fine.

    Raises:
        MissingNetns: the namespace is gone, and the links with it.
        PlanesError: the kernel refuses to remove one of them.
    """
    with worker.sandbox(netns) as sandbox:
        channel = sandbox.channel
        if len(names) > 1:
            links = read_links(channel.dump(get_links()))
            present = [link.name for link in links if link.name in names]
            group = _free_group({link.group for link in links})
        else:
            answers = channel.batch([find_link(name) for name in names])
            present = [link.name for answer in answers for link in read_links(answer)]
            group = 0
        if not present:
            return
        if len(present) > 1:
            try:
                channel.batch([*(set_group(name, group) for name in present), delete_group(group)])
            except PlanesError:
                # One link that cannot be removed (a device of the host) spares the whole group.
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


def _free_group(taken: set[int]) -> int:
    group = _FIRST_GROUP
    while group in taken:
        group += 1
    return group
