"""Collect facts about addresses in use on this node, whatever the address book says.

Sources: the journal, interfaces in the namespaces that container runtimes mount, and network-status
of this node's pods. The runtime's own results say which container and pod a namespace belongs to.

Invariant: where a source cannot be read nothing is concluded; the caller tries again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from cni.host.runtime_results import RuntimeSandbox, sandboxes_by_netns
from cni.journal.entry import Entry
from cni.journal.journal import Journal
from cni.net.live_addresses import Live
from planes.model.bounds import MAX_SHOWN_IPS_OF_POD, MAX_STATUS_CHARACTERS
from planes.model.decide.adoption import AddressUser, Fact, Source, canonical_netns
from planes.model.errors import BadInput
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import Pod
from planes.model.state.claims import bare_address
from planes.model.wire.status import parse_status
from planes.run.jobs import start
from planes.run.shielded import shielded
from planes.store.protocol import Store


class AddressesInUse:
    """Reads the sources of this node.

    Args:
        journal: what is attached.
        live: lists the addresses of sandboxes.
        store: the pods of this node.
        results: directory of the container runtime's results.
        files: runs the reading of files; None for the default executor of the event loop.
    """

    def __init__(
        self,
        journal: Journal,
        live: Live,
        store: Store,
        results: Path,
        files: Executor | None = None,
    ) -> None:
        self._journal = journal
        self._live = live
        self._store = store
        self._results = results
        self._files = files

    async def facts(self) -> tuple[Fact, ...]:
        """Return what all sources say.

        Raises:
            PlanesError: a namespace could not be read.
        """
        found = await self.unjournaled()
        return (*self.journaled(), *found)

    async def unjournaled(self) -> tuple[Fact, ...]:
        """Return what all sources but the journal say.

        Raises:
            PlanesError: a namespace could not be read.
        """
        work = partial(sandboxes_by_netns, self._results)
        sandboxes = await shielded(start(work, self._files))
        known = {canonical_netns(path): sandbox for path, sandbox in sandboxes.items()}
        return (*await self._in_sandboxes(known), *self.shown())

    def journaled(self) -> Iterator[Fact]:
        """Yield the addresses of attachments in the journal."""
        for entry in self._journal.entries():
            user = _user_of(entry)
            for one in entry.attachments:
                held = {text: plane for plane, texts in one.holds.items() for text in texts}
                on = replace(user, interface=one.ifname)
                for ip in () if one.result is None else one.result.ips:
                    address = bare_address(ip.address)
                    if address is not None:
                        plane = held.get(str(address), one.plane)
                        yield Fact(Source.JOURNAL, address, on, one.network, plane)

    def shown(self) -> Iterator[Fact]:
        """Yield the addresses in network-status of this node's pods, bounded for each."""
        for pod in self._store.pods():
            yield from islice(status_facts(pod), MAX_SHOWN_IPS_OF_POD)

    async def _in_sandboxes(self, known: Mapping[str, RuntimeSandbox]) -> tuple[Fact, ...]:
        found = []
        for sandbox in await self._live.by_sandbox(self.hints()):
            user = _user_in(sandbox.netns, known.get(canonical_netns(sandbox.netns)))
            for interface, address in sandbox.addresses:
                found.append(Fact(Source.SANDBOX, address, replace(user, interface=interface)))
        return tuple(found)

    def hints(self) -> list[str]:
        """Return the paths of known namespaces."""
        known = [entry.netns for entry in self._journal.entries()]
        return [path for path in (*known, *(d.netns for d in self._journal.damaged())) if path]


def status_facts(pod: Pod) -> Iterator[Fact]:
    """Yield the addresses in a pod's network-status; none where it cannot be read."""
    text = pod.annotations.get(STATUS_ANNOTATION, "")
    if not text or len(text) > MAX_STATUS_CHARACTERS:
        return
    try:
        elements = parse_status(text)
    except BadInput:
        return
    for element in elements:
        user = AddressUser("", element.interface, pod.namespace, pod.name, pod.uid)
        for address in map(bare_address, element.ips):
            if address is not None:
                yield Fact(Source.STATUS, address, user, element.name)


def _user_of(entry: Entry) -> AddressUser:
    return AddressUser(
        container_id=entry.container_id,
        namespace=entry.namespace,
        pod=entry.pod,
        uid=entry.uid,
        netns=entry.netns,
    )


def _user_in(netns: str, sandbox: RuntimeSandbox | None) -> AddressUser:
    if sandbox is None:
        return AddressUser(netns=netns)
    return AddressUser(
        container_id=sandbox.container_id,
        namespace=sandbox.namespace,
        pod=sandbox.pod,
        uid=sandbox.uid,
        netns=netns,
    )
