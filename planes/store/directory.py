"""The store of standalone mode: manifests in a directory, results in a state directory.

Looks at the directory four times a second in a thread. Invariant: what is offered is always one
whole, last good state; the files are the truth and are never written from here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from planes.model.events import Event, event_name, to_object
from planes.model.objects import NadRef, Namespace, Pod
from planes.model.spec.nad_policy import NadPolicy
from planes.model.state.catalog import Catalog
from planes.run.clock import Clock
from planes.run.jobs import ended, start
from planes.store.addressbook import LocalAddressBook
from planes.store.manifests import BrokenFileError, read_manifests
from planes.store.podfiles import pod_path
from planes.store.protocol import Problem
from planes.store.records import EventLog, StatusFiles
from planes.store.scan import Look, ManifestDirectory, read_file
from planes.store.snapshot import Snapshot, with_status

# A change must hold still for one look and then be read: seen within half a second.
LOOK_SECONDS: Final = 0.25

P = ParamSpec("P")
T = TypeVar("T")

_log = logging.getLogger(__name__)


class DirStore:
    """A `Store` over a directory of manifests.

    Args:
        directory: manifests, `*.yaml`, `*.yml`, `*.json`, in any depth.
        state_dir: status, events and addresses; made when something is first written.
        clock: the time of events, and of addresses that rest.
        node: named in events.
        addresses_dir: the addresses, where several daemons share them; default STATE/addresses.
        executor: where files are read and written; None = the event loop's own threads.
        namespace_isolation: Multus' option: a NAD serves its own namespace only.
        global_namespaces: namespaces whose NADs serve everybody under isolation.
        nad_policy: what NADs of tenants may be.
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
        self._told: frozenset[Problem] = frozenset()
        self._last_event = 0
        self._is_synced = False

    @property
    def catalog(self) -> Catalog:
        """The current snapshot."""
        return self._snapshot.catalog

    @property
    def addresses(self) -> LocalAddressBook:
        """The plane addresses of this machine."""
        return self._addresses

    @property
    def is_synced(self) -> bool:
        """True once the directory was read."""
        return self._is_synced

    def namespace(self, name: str) -> Namespace | None:
        """A namespace as last seen."""
        return self._snapshot.namespaces.get(name)

    def pod(self, namespace: str, name: str) -> Pod | None:
        """A pod as last seen, with its network-status."""
        return self._snapshot.pods.get((namespace, name))

    def pods_naming(self, ref: NadRef) -> tuple[str, ...]:
        """Pods of a NAD's namespace that ask for it."""
        return self._snapshot.pods_naming(ref)

    async def fetch_pod(self, namespace: str, name: str) -> Pod | None:
        """A pod as it is now: its own file where it has one, else the directory looked at anew."""
        found = await self._in_thread(self._read_pod, namespace, name)
        if found is not None:
            return found
        await self.refresh(Look.NEW_AT_ONCE)
        return self.pod(namespace, name)

    @property
    def checks_owners(self) -> bool:
        """False: whoever writes the manifests decides whose pods they are."""
        return False

    async def owner_doubt(self, _pod: Pod) -> str:
        """Doubt nothing."""
        return ""

    async def put_status(self, pod: Pod, status: str) -> None:
        """Write a pod's network-status.

        Raises:
            Unavailable: it could not be written.
        """
        stamp = await self._in_thread(self._statuses.put, pod.namespace, pod.name, status)
        self._statuses.note(pod.namespace, pod.name, status, stamp)
        self._show_status((pod.namespace, pod.name), status)

    async def drop_status(self, namespace: str, name: str) -> None:
        """Remove a pod's network-status file.

        Raises:
            Unavailable: it could not be removed.
        """
        await self._in_thread(self._statuses.drop, namespace, name)
        self._statuses.forget(namespace, name)
        self._show_status((namespace, name), None)

    async def emit(self, *events: Event) -> None:
        """Append events to the log; a failure is logged, never raised."""
        now = self._clock.now()
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
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
        """What is ignored now, and why."""
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
            self._tell_problems()

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

    def _tell_problems(self) -> None:
        problems = self.problems()
        for problem in problems:
            if problem not in self._told:
                _log.warning(
                    "manifest ignored", extra={"where": problem.where, "reason": problem.reason}
                )
        for problem in self._told - frozenset(problems):
            _log.info("manifest mended", extra={"where": problem.where})
        self._told = frozenset(problems)

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        # Begun is done: a cancelled caller must not leave while its thread still writes.
        return await ended(start(partial(work, *args, **kwargs), self._executor))
