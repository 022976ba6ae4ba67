"""Holders of static addresses whose pods were found gone, and pods that are there again.

A kubelet makes the mirror of a static pod anew where somebody deletes it. So a pod that was found
gone is read again and again until its holder is removed.
"""

from __future__ import annotations

from dataclasses import dataclass

from planes.kube.addresses.holders import Holder
from planes.kube.addresses.pod_fate import PodFate, fate_of_pod
from planes.kube.api import KubeApi
from planes.model.addresses import IPAddress
from planes.run.clock import Clock
from webhook.controller.node_looks import LOOK_SECONDS


@dataclass(slots=True)
class GoneHolder:
    """A holder whose pod was found gone.

    Attributes:
        at: when the answer was there (seconds, monotonic).
        read_at: when the pod was read last.
        is_told: that it waits for its node was told.
    """

    holder: Holder
    fate: PodFate
    at: float
    read_at: float
    is_told: bool = False


async def drop_those_back(
    api: KubeApi, clock: Clock, gone: dict[IPAddress, GoneHolder], *, most: int
) -> None:
    """Forget that a pod was gone where it is there again.

    Args:
        api: the API server.
        clock: says when a pod has to be read again.
        gone: by address; those that are back are removed.
        most: how many are read at once, those first that were not read for longest.

    Raises:
        PlanesError: a pod cannot be read.
    """
    due = clock.monotonic() - LOOK_SECONDS
    old = sorted((a for a in gone if gone[a].read_at <= due), key=lambda a: gone[a].read_at)
    for address in old[:most]:
        gone[address].read_at = clock.monotonic()
        if await fate_of_pod(api, gone[address].holder.owner) is PodFate.EXISTS:
            del gone[address]
