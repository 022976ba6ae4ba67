"""The devices that the kubelet of this node allocated to a pod.

The pod resources API is asked first. Where it does not answer, the kubelet's checkpoint file has
the same allocations, by the pod's UID.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from cni.call import PodIdentity
from cni.devices.checkpoint import read_checkpoint
from cni.devices.messages import PodResources
from cni.devices.pod_resources import SECONDS, PodResourcesSocket
from cni.host.chroot import resolve
from planes.model.decide.device_assignment import is_usable_id
from planes.model.errors import Unavailable
from planes.run.jobs import start

SOCKET: Final = "pod-resources/kubelet.sock"
CHECKPOINT: Final = "device-plugins/kubelet_internal_checkpoint"

_log = logging.getLogger(__name__)


class KubeletDevices(Protocol):
    """Where the devices of pods are looked up."""

    async def devices(self, pod: PodIdentity) -> Mapping[str, tuple[str, ...]]:
        """Return the device IDs of a pod by resource, in the order its networks get them.

        Raises:
            Unavailable: it cannot be found out now.
        """
        ...


class NodeKubelet:
    """The kubelet of this node; implements `KubeletDevices`.

    Args:
        directory: the kubelet's root directory, as the node has it.
        root: where the node's root is mounted, "" for our own.
        executor: where the checkpoint is read; None = the event loop's own threads.
        seconds: the longest that the API may take.
    """

    def __init__(
        self,
        directory: str,
        root: str = "",
        executor: Executor | None = None,
        *,
        seconds: float = SECONDS,
    ) -> None:
        self._directory = directory
        self._root = root
        self._executor = executor
        self._socket = PodResourcesSocket(lambda: self._path(SOCKET), seconds=seconds)

    async def devices(self, pod: PodIdentity) -> Mapping[str, tuple[str, ...]]:
        """Return the device IDs of a pod by resource, in the order its networks get them.

        That is the order of the pod's containers, sorted within a container, as since Multus
        4.3.1.

        Raises:
            Unavailable: neither API nor checkpoint can be read now.
        """
        try:
            found = await self._socket.ask(pod)
        except Unavailable as error:
            return await self._from_checkpoint(pod, error)
        return {} if found is None else _by_resource(found)

    async def _from_checkpoint(
        self, pod: PodIdentity, cause: Unavailable
    ) -> Mapping[str, tuple[str, ...]]:
        path = Path(self._path(CHECKPOINT))
        try:
            found = await start(partial(read_checkpoint, path, pod.uid), self._executor)
        except Unavailable as error:
            raise Unavailable(
                f"{cause.message}; {error.message}",
                remedy="see whether the kubelet runs and --kubelet-dir names its directory",
            ) from error
        _log.info("devices from the kubelet's checkpoint", extra={"error": cause.message})
        return {resource: _usable(devices) for resource, devices in found.items()}

    def _path(self, name: str) -> str:
        return resolve(self._root, f"{self._directory}/{name}")


def _by_resource(pod: PodResources) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for container in pod.containers:
        of_container: dict[str, list[str]] = {}
        for each in container:  # one for each NUMA node
            of_container.setdefault(each.resource, []).extend(each.devices)
        for resource, devices in of_container.items():
            found.setdefault(resource, []).extend(sorted(devices))
    return {resource: _usable(devices) for resource, devices in found.items()}


def _usable(devices: list[str]) -> tuple[str, ...]:
    return tuple(one for one in dict.fromkeys(devices) if is_usable_id(one))
