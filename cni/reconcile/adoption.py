"""Take over addresses that pods of this node have from another IPAM: `netplane-cni adopt`.

An administrator runs it on each node before a plane that covers such addresses gets its first pods.
Without `--apply` it says what would be held, for whom and by which sources; nothing changes.

Sources beside those of `cni.reconcile.addresses_in_use`: files of host-local on this node, pools of
whereabouts and pod IPs in the API server, and wishes in annotations of Calico, which prove nothing.

Invariant: a node adopts addresses of its own pods and sandboxes only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

from cni.host.runtime_results import RuntimeSandbox, sandboxes_by_netns
from cni.ipam.kept import Kept, KeptAddresses
from cni.reconcile.addresses_in_use import AddressesInUse
from cni.reconcile.lost_records import LostRecords, owner_of
from planes.model.addresses import IPAddress
from planes.model.decide.adoption import AddressUser, Adoption, Fact, Source, Verdict
from planes.model.decide.foreign_addresses import annotation_facts
from planes.model.decode import Fields
from planes.model.errors import BadInput, JsonObject, NotFound
from planes.model.names import check_container_id
from planes.model.spec.plane_spec import IpamMode, Plane
from planes.run.jobs import start
from planes.run.shielded import shielded
from planes.store.protocol import AddressOwner, Store

ADOPT: Final = "adopt"
"""The name of the command, and of its path at the daemon."""
MOST_SHOWN: Final = 4096
_BY_NETWORK: Final = frozenset({Source.HOST_LOCAL, Source.WHEREABOUTS})
_REFUSED: Final = "refused"
"""The verdict of an address that should be held and could not be."""


class AddressAdoption:
    """Collects all sources, and has planes hold what is in use.

    Args:
        in_use: the sources that are always read.
        records: decides about addresses.
        kept: the files of host-local.
        results: directory of the container runtime's results.
        foreign: reads what other IPAMs of the cluster gave to this node's pods.
        store: planes, pods and the address book.
        node: the name of this node.
        files: runs the reading of files; None for the default executor of the event loop.
    """

    def __init__(
        self,
        in_use: AddressesInUse,
        records: LostRecords,
        kept: KeptAddresses,
        *,
        results: Path,
        foreign: Callable[[], Awaitable[Sequence[Fact]]],
        store: Store,
        node: str,
        files: Executor | None = None,
    ) -> None:
        self._in_use = in_use
        self._records = records
        self._kept = kept
        self._results = results
        self._foreign = foreign
        self._store = store
        self._node = node
        self._files = files

    async def answer(self, request: JsonObject) -> JsonObject:
        """Answer the command's request: `plane`, `networks` and `apply`.

        Raises:
            NotFound: there is no such plane.
            PlanesError: a source cannot be read, or records not be written.
        """
        asked = Fields(request, "the request")
        networks = asked.strings("networks")
        facts = [fact for fact in await self._facts() if _is_asked(fact, networks)]
        found: list[JsonObject] = []
        for plane in self._planes(asked.string("plane")):
            due = await self._records.plan(plane, facts)
            refused = await self._adopt(plane, due) if asked.boolean("apply") else {}
            found += [_json(plane, one, refused.get(one.address, "")) for one in due]
        return {"addresses": found[:MOST_SHOWN], "count": len(found)}

    def _planes(self, name: str) -> list[Plane]:
        planes = [one for one in self._store.catalog.planes if one.ipam_mode is IpamMode.PLANE]
        if not name:
            return planes
        found = [one for one in planes if one.name == name]
        if not found:
            raise NotFound(
                f"cannot adopt addresses: there is no plane {name!r:.80} with ipam.mode Plane",
                remedy="name one that `kubectl get planes` shows",
            )
        return found

    async def _facts(self) -> list[Fact]:
        kept, sandboxes = await shielded(start(self._read_files, self._files))
        by_container = {one.container_id: one for one in sandboxes.values()}
        wished = [fact for pod in self._store.pods() for fact in annotation_facts(pod)]
        return [
            *await self._in_use.facts(),
            *_of_files(kept, by_container),
            *await self._foreign(),
            *wished,
        ]

    def _read_files(self) -> tuple[list[Kept], Mapping[str, RuntimeSandbox]]:
        return self._kept.all(), sandboxes_by_netns(self._results)

    async def _adopt(self, plane: Plane, found: Iterable[Adoption]) -> Mapping[IPAddress, str]:
        book = self._store.addresses
        holders = await book.holders(plane.name)
        due: dict[tuple[str, str], tuple[AddressOwner, list[IPAddress]]] = {}
        for one in found:
            # Held on this node already, but other nodes may not know: no block, or a deleted one.
            is_known = one.verdict is Verdict.HELD
            owner = holders.get(one.address) or owner_of(one.user, self._node)
            if one.verdict is Verdict.HOLD or (is_known and owner.node in {"", self._node}):
                key = owner.container_id, owner.interface
                due.setdefault(key, (owner, []))[1].append(one.address)
        refused: dict[IPAddress, str] = {}
        for owner, addresses in due.values():
            refused |= await book.adopt(plane, owner, addresses)
        return refused


def _is_asked(fact: Fact, networks: Collection[str]) -> bool:
    return not networks or fact.source not in _BY_NETWORK or fact.network in networks


def _of_files(kept: Iterable[Kept], sandboxes: Mapping[str, RuntimeSandbox]) -> Iterable[Fact]:
    for one in kept:
        if not _is_container(one.container_id):  # a file of something else
            continue
        pod = sandboxes.get(one.container_id, RuntimeSandbox(one.container_id))
        user = AddressUser(one.container_id, one.ifname, pod.namespace, pod.pod, pod.uid)
        yield Fact(Source.HOST_LOCAL, one.address, user, one.network)


def _is_container(text: str) -> bool:
    try:
        check_container_id(text)
    except BadInput:
        return False
    return True


def _json(plane: Plane, one: Adoption, refusal: str) -> JsonObject:
    return {
        "verdict": _REFUSED if refusal else one.verdict.value,
        "plane": plane.name,
        "address": str(one.address),
        "holder": str(one.user),
        "sources": [source.value for source in one.sources],
        "networks": list(one.networks),
        "doubts": [*([refusal] if refusal else []), *one.doubts],
    }
