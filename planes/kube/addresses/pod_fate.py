"""Whether the pod of a holder still exists: read live, because its address may go to another."""

from __future__ import annotations

from enum import StrEnum

from planes.kube.api import ReadApi
from planes.kube.resources import PODS
from planes.model.errors import NotFound
from planes.model.objects import CONFIG_MIRROR_ANNOTATION
from planes.store.protocol import AddressOwner


class PodFate(StrEnum):
    """What a live read of a holder's pod shows."""

    EXISTS = "it exists, or the entry names no pod"
    GONE = "no pod has its UID; its node may still run it"
    ELSEWHERE = "it runs on another node than the entry says, so the entry was never true"


async def is_gone(api: ReadApi, owner: AddressOwner) -> bool:
    """Report by a live read whether a holder's pod is gone; False where it names no pod.

    Raises:
        PlanesError: the API server cannot be read.
    """
    return await fate_of_pod(api, owner) is not PodFate.EXISTS


async def fate_of_pod(api: ReadApi, owner: AddressOwner) -> PodFate:
    """Read a holder's pod, live.

    A pod of that name with another UID is another pod. For a static pod the kubelet's UID counts,
    too, which the mirror pod has in an annotation. Whoever may create pods can write that, so it
    keeps a holder on the pod's own node, and shows nothing of one on another node. A UID of the API
    server is of one pod, and pods never move.

    Raises:
        PlanesError: the API server cannot be read.
    """
    if not (owner.namespace and owner.pod and owner.uid):
        return PodFate.EXISTS
    try:
        pod = await api.get(PODS, owner.pod, namespace=owner.namespace)
    except NotFound:
        return PodFate.GONE
    metadata = pod["metadata"]
    mirrored = (metadata.get("annotations") or {}).get(CONFIG_MIRROR_ANNOTATION)
    if owner.uid not in {metadata.get("uid"), mirrored}:
        return PodFate.GONE
    runs_on = (pod.get("spec") or {}).get("nodeName") or owner.node
    if runs_on == owner.node:
        return PodFate.EXISTS
    return PodFate.ELSEWHERE if owner.uid == metadata.get("uid") else PodFate.GONE
