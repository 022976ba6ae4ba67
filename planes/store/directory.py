"""The store of standalone mode: manifests in a directory, results in a state directory.

A thread looks at the directory four times a second. Invariant: the store shows one whole, last good
state at any time. Manifests are never written here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from planes.model.events import Event, event_name, to_object
from planes.model.objects import NadRef, Namespace, Pod
from planes.model.spec.nad_policy import NadPolicy
from planes.model.state.catalog import Catalog
from planes.model.state.claimed_devices import ClaimedDevice
from planes.run.clock import Clock, rfc3339
from planes.run.jobs import start
from planes.run.shielded import shielded
from planes.store.address_book import LocalAddressBook
from planes.store.manifests import BrokenFileError, read_manifests
from planes.store.pod_files import pod_path
from planes.store.protocol import Problem
from planes.store.records import EventLog, StatusFiles
from planes.store.scan import Look, ManifestDirectory, read_file
from planes.store.snapshot import Snapshot, with_status

# A change is read when it is the same at the next look: it is seen within half a second.
LOOK_SECONDS: Final = 0.25

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)


class DirStore:
    """A `Store` over a directory of manifests.

    Args:
        directory: manifests, `*.yaml`, `*.yml`, `*.json`, in any depth.
        state_dir: status, events and addresses; made when something is first written.
        clock: for events, and for addresses that cool down.
        node: named in events.
        addresses_dir: addresses that several daemons share; default STATE/addresses.
        executor: where files are read and written; None = the event loop's own threads.
        namespace_isolation: Multus' option: only pods of its namespace may name a NAD.
        global_namespaces: namespaces whose NADs all pods may name under isolation.
        nad_policy: limits NADs of tenants.
    """

    def __init__(
        self,
        directory: Path,
        state_dir: Path,
        *,
        clock: Clock,
        node: str = "",
        addresses_dir: Path | None = None,
        executor: Executor | None = None,
        namespace_isolation: bool = False,
        global_namespaces: Iterable[str] = ("default",),
        nad_policy: NadPolicy | None = None,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._node = node
        self._executor = executor
        self._manifests = ManifestDirectory(directory)
        self._statuses = StatusFiles(state_dir)
        self._events = EventLog(state_dir)
        self._addresses = LocalAddressBook(
            addresses_dir or state_dir / "addresses", clock, executor
        )
        self._snapshot = Snapshot(
            Catalog.build(
                namespace_isolation=namespace_isolation,
                global_namespaces=global_namespaces,
                nad_policy=nad_policy,
            )
        )
        self._refreshing = asyncio.Lock()
        self._recent: dict[tuple[str, str], str | None] = {}
        self._logged: frozenset[Problem] = frozenset()
        self._last_event = 0
        self._is_synced = False

    @property
    def catalog(self) -> Catalog:
        """Return the current snapshot."""
        return self._snapshot.catalog

    @property
    def addresses(self) -> LocalAddressBook:
        """Return the address book of this machine."""
        return self._addresses

    @property
    def is_synced(self) -> bool:
        """Report whether the directory was read."""
        return self._is_synced

    def namespace(self, name: str) -> Namespace | None:
        """Return a namespace as last seen."""
        return self._snapshot.namespaces.get(name)

    def pod(self, namespace: str, name: str) -> Pod | None:
        """Return a pod as last seen, with its network-status."""
        return self._snapshot.pods.get((namespace, name))

    def pods(self) -> tuple[Pod, ...]:
        """Return the pods of the manifests."""
        return tuple(self._snapshot.pods.values())

    def pods_naming(self, ref: NadRef) -> tuple[str, ...]:
        """Return the pods of a NAD's namespace that name it."""
        return self._snapshot.pods_naming(ref)

    async def fetch_pod(self, namespace: str, name: str) -> Pod | None:
        """Return a pod as it is now: from its own file, else from a new look at the directory."""
        found = await self._in_thread(self._read_pod, namespace, name)
        if found is not None:
            return found
        await self.refresh(Look.NEW_AT_ONCE)
        return self.pod(namespace, name)

    @property
    def checks_owners(self) -> bool:
        """Report False: the author of the manifests decides which owners pods have."""
        return False

    async def claimed_devices(
        self, _namespace: str, _name: str, _uid: str
    ) -> tuple[ClaimedDevice, ...]:
        """Return none: resource claims are objects of a cluster."""
        return ()

    async def owner_doubt(self, _pod: Pod) -> str:
        """Return "": owners are never in doubt here."""
        return ""

    async def put_status(self, pod: Pod, status: str) -> None:
        """Write a pod's network-status.

        Raises:
            Unavailable: it could not be written.
        """
        key = pod.namespace, pod.name
        written = await self._in_thread(self._statuses.put, *key, status)
        self._statuses.note(key, status, written)
        self._show_status(key, status)

    async def drop_status(self, namespace: str, name: str) -> None:
        """Remove a pod's network-status file.

        Raises:
            Unavailable: it could not be removed.
        """
        path = await self._in_thread(self._statuses.drop, namespace, name)
        self._statuses.forget((namespace, name), path)
        self._show_status((namespace, name), None)

    async def emit(self, *events: Event) -> None:
        """Append events to the log; a failure is logged, never raised."""
        now = self._clock.now()
        moment = rfc3339(now)
        objects = []
        for event in events:
            # Two events of one instant must not have one name.
            self._last_event = max(self._last_event + 1, int(now * 1e9))
            name = event_name(event, self._last_event)
            objects.append(to_object(event, name=name, now_rfc3339=moment, host=self._node))
        try:
            await self._in_thread(self._events.append, *objects)
        except OSError as error:
            reasons = sorted({event.reason for event in events})
            _log.warning("events not written", extra={"reasons": reasons, "cause": str(error)})

    def problems(self) -> tuple[Problem, ...]:
        """Return what is ignored now, and why."""
        return (*self._manifests.problems(), *self._snapshot.problems)

    async def run(self) -> None:
        """Watch the directories until cancelled."""
        await self.refresh(Look.ALL_AT_ONCE)
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            await self.refresh()

    async def refresh(self, look: Look = Look.PATIENT) -> None:
        """Look at the directories once."""
        async with self._refreshing:
            self._recent.clear()
            if await self._in_thread(self._look, look):
                renewed = await self._in_thread(self._renewed)
                for key, status in self._recent.items():  # written while the threads read
                    renewed = renewed.with_status(key, status)
                self._snapshot = renewed
            self._is_synced = self._is_synced or self._manifests.is_read
            self._log_problems()

    def _look(self, look: Look) -> bool:
        has_manifests = self._manifests.refresh(look)
        return self._statuses.refresh() or has_manifests

    def _renewed(self) -> Snapshot:
        return self._snapshot.renewed(self._manifests.manifests(), self._statuses.texts())

    def _show_status(self, key: tuple[str, str], status: str | None) -> None:
        self._recent[key] = status
        self._snapshot = self._snapshot.with_status(key, status)

    def _read_pod(self, namespace: str, name: str) -> Pod | None:
        path = str(pod_path(self._directory, namespace, name))
        try:
            content = read_manifests(read_file(path), path)
        except BrokenFileError:  # mostly: there is no such file
            return None
        for manifest in content.manifests:
            pod = manifest.value
            if isinstance(pod, Pod) and (pod.namespace, pod.name) == (namespace, name):
                return with_status(pod, self._statuses.texts().get((namespace, name)))
        return None

    def _log_problems(self) -> None:
        problems = self.problems()
        for problem in problems:
            if problem not in self._logged:
                _log.warning(
                    "manifest ignored", extra={"where": problem.where, "reason": problem.reason}
                )
        for problem in self._logged - frozenset(problems):
            _log.info("manifest mended", extra={"where": problem.where})
        self._logged = frozenset(problems)

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        # Shielded: a cancelled caller must not go on while its thread still writes.
        return await shielded(start(partial(work, *args, **kwargs), self._executor))
