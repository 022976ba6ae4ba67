"""Report whether network-status of a pod of this node has an address that a record holds.

An interface may be invisible to the kernel (a device used by a program directly), so no interface
is no proof that an address is free while its pod runs. This concerns records that were made for a
sandbox or pod alone, after others were lost. A record with a container ID was made by an ADD, or
for an interface that was seen; after a power cut its pod still shows the address of a sandbox that
is gone.

Invariant: the answer is of live reads of the pods; one that cannot be read may have it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Final

from cni.reconcile.addresses_in_use import status_facts
from planes.model.decide.adoption import is_adopted
from planes.model.errors import PlanesError
from planes.model.objects import Pod
from planes.store.protocol import Held, Store

_log = logging.getLogger(__name__)

_MOST_READ: Final = 8
"""Pods that are read for one record: a status of a tenant may name the address of another pod."""


class ShownAddresses:
    """Reads network-status.

    Args:
        store: the pods.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def may_have(self, held: Held) -> bool:
        """Report whether a running pod shows an address of a record, or cannot be read now.

        False for a record with a container ID.
        """
        if not is_adopted(held.owner.container_id):
            return False
        for namespace, name in islice(self._candidates(held), _MOST_READ):
            try:
                pod = await self._store.fetch_pod(namespace, name)
            except PlanesError as error:
                facts = {"pod": f"{namespace}/{name}", "error": str(error)}
                _log.warning("cannot read whether a pod has an address", extra=facts)
                return True
            if pod is not None and not pod.is_ended and _shows(pod, held):
                return True
        return False

    def _candidates(self, held: Held) -> Iterator[tuple[str, str]]:
        owner = (held.owner.namespace, held.owner.pod)
        if held.owner.pod:
            yield owner
        for pod in self._store.pods():
            if (pod.namespace, pod.name) != owner and _shows(pod, held):
                yield pod.namespace, pod.name


def _shows(pod: Pod, held: Held) -> bool:
    return any(fact.address in held.addresses for fact in status_facts(pod))
