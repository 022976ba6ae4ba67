"""What pods show of planes' addresses in their network-status, which their authors may write.

Invariant: what one pod shows, and what the pods of one namespace show, is bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from planes.kube.api import Query, ReadApi
from planes.kube.resources import PODS
from planes.kube.store.pod_views import POD_FIELDS
from planes.model.addresses import IPAddress, parse_address
from planes.model.bounds import (
    MAX_CLAIMS_OF_NAMESPACE,
    MAX_SHOWN_IPS_OF_POD,
    MAX_STATUS_CHARACTERS,
)
from planes.model.errors import BadInput, JsonObject
from planes.model.lines import one_line
from planes.model.names import STATUS_ANNOTATION
from planes.model.spec.plane_spec import Plane
from planes.model.wire.status import parse_addresses

LONGEST_TEXT: Final = 512
"""Of a name as it is shown: a namespace, a slash and a pod's name have 317 at most."""


@dataclass(frozen=True, slots=True)
class ShownAddress:
    """An address of a plane that a pod shows.

    Attributes:
        pod: `namespace/name`.
        created: when the pod was, as the API server writes it.
    """

    plane: str
    address: IPAddress
    pod: str
    uid: str
    created: str


async def addresses_of_pods(
    api: ReadApi,
    planes: Iterable[Plane],
    *,
    only: IPAddress | None = None,
    cut: Callable[[str, str], None],
) -> AsyncIterator[ShownAddress]:
    """Yield what pods show of addresses of planes.

    Args:
        api: where pods are listed.
        planes: the planes.
        only: this address, also where it is in no subnet; None for all that are in one.
        cut: called with plane and namespace where its pods show more than is read.

    Raises:
        PlanesError: pods cannot be listed.
    """
    networks = {str(plane.ref): plane for plane in planes}
    counts: Counter[str] = Counter()
    async for page in api.pages(Query(PODS, fields=POD_FIELDS, is_metadata_only=True)):
        for obj in page.items:
            meta = obj["metadata"]
            space = str(meta.get("namespace") or "")
            for plane, address in _of_planes(meta, networks, only):
                counts[space] += 1
                if counts[space] > MAX_CLAIMS_OF_NAMESPACE:
                    cut(plane, one_line(space, LONGEST_TEXT))
                    break
                yield _shown_by(meta, plane, address)


def _of_planes(
    meta: JsonObject, networks: Mapping[str, Plane], only: IPAddress | None
) -> Iterable[tuple[str, IPAddress]]:
    """Return the planes and addresses that a pod shows, each once, a bounded number."""
    named = ((networks.get(network), address) for network, address in _addresses(meta))
    shown = (
        (plane.name, address)
        for plane, address in named
        if plane is not None
        and (plane.subnet_of(address) is not None if only is None else address == only)
    )
    return dict.fromkeys(islice(shown, MAX_SHOWN_IPS_OF_POD))


def _shown_by(meta: JsonObject, plane: str, address: IPAddress) -> ShownAddress:
    pod = f"{meta.get('namespace') or ''}/{meta.get('name') or ''}"
    texts = (pod, str(meta.get("uid") or ""), str(meta.get("creationTimestamp") or ""))
    return ShownAddress(plane, address, *(one_line(text, LONGEST_TEXT) for text in texts))


def _addresses(meta: JsonObject) -> Iterator[tuple[str, IPAddress]]:
    return shown_addresses(str((meta.get("annotations") or {}).get(STATUS_ANNOTATION) or ""))


def shown_addresses(status: str) -> Iterator[tuple[str, IPAddress]]:
    """Yield network and address as a network-status has them; nothing of one that is too large."""
    if not status or len(status) > MAX_STATUS_CHARACTERS:
        return
    try:
        elements = parse_addresses(status)
    except BadInput:
        return
    for network, texts in elements:
        for text in texts:
            try:
                yield network, parse_address(text)
            except BadInput:
                continue
