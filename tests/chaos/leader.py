"""The webhook's leader as far as it releases addresses: its own code, over a faulty connection.

It removes what nobody else can: entries of machines that lost their disks, holders of pods that
were deleted by force, and blocks of nodes that left.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, cast

import orjson

from planes.model.names import NETPLANE_NAMESPACE, STATUS_ANNOTATION
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from planes.store.protocol import Store
from tests.chaos.machine import MachineClock, Process
from tests.chaos.network import Connection
from tests.chaos.oracle import Attachment
from tests.chaos.scenes import IFNAME
from tests.support.model import make_catalog
from webhook.controller.address_keepers import AddressKeepers

Shown = Callable[[], Iterable[tuple[Attachment, Sequence[str]]]]


class Leader:
    """One term: a process from the moment at which it leads to its end.

    Args:
        link: its connection.
        clock: its clock.
        process: it ends with that.
        pods: what admission has seen of pods.
        released: counts what was released.
        rng: spreads its retries.
    """

    def __init__(
        self,
        link: Connection,
        clock: MachineClock,
        process: Process,
        pods: SeenPods,
        *,
        released: Callable[[str, int], None],
        rng: random.Random,
    ) -> None:
        self.link = link
        self.process = process
        self._keepers = AddressKeepers(
            link,
            cast("Store", pods),
            clock,
            randomness=rng.random,
            failed=lambda: None,
            released=released,
            listed=lambda: None,
        )

    def works(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield all that has to run until the process ends."""
        return self._keepers.works()


class SeenPods:
    """The store of the leader: which addresses pods show, now or as it was a while ago.

    Args:
        shown: returns which addresses the pods have that exist.
        plane: the plane, as it is at last.
        rng: chooses whether what is seen is old.
    """

    is_synced = True

    def __init__(self, shown: Shown, plane: Plane, rng: random.Random) -> None:
        self._shown = shown
        self._plane = plane
        self._rng = rng
        self._last: Catalog | None = None

    @property
    def catalog(self) -> Catalog:
        """What is seen now."""
        if self._last is None or self._rng.random() < 0.7:
            network = f"{NETPLANE_NAMESPACE}/{self._plane.name}"
            pods = []
            for who, texts in self._shown():
                status = [{"name": network, "interface": IFNAME, "ips": [*texts]}]
                annotations = {STATUS_ANNOTATION: orjson.dumps(status).decode()}
                meta = {"name": who.container, "namespace": "ns", "annotations": annotations}
                pods.append({"metadata": meta, "spec": {"nodeName": who.node}})
            self._last = make_catalog(self._plane, pods=pods)
        return self._last


def counting(happened: Counter[str]) -> Callable[[str, int], None]:
    """Return what counts releases of the leader."""

    def count(what: str, number: int) -> None:
        happened[f"leader's {what}"] += number

    return count
