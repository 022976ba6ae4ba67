"""The spool: DELs that came while the daemon was down, replayed later, in order for each sandbox.

The shim writes each request to a file of its own, complete before it gets its name; the daemon does
the same with a DEL that it has to postpone. A file is unlinked only after its DEL succeeded. One
that failed is retried with backoff; one that is no DEL goes to `quarantine/`, with the reason in a
file beside it.

Invariant: a sandbox's spooled DELs are over before an ADD of it begins, otherwise a late DEL would
detach what that ADD attached.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cni.call import CniRequest
from cni.serving.protocol import SandboxVerbs, join_request
from cni.serving.spool_files import (
    changed_at,
    put_spooled,
    quarantine,
    read_spooled,
    remove_if_stale,
)
from planes.model.errors import BadInput, PlanesError, Unavailable
from planes.run.background_jobs import BackgroundJob, BackgroundJobs, all_ended, ended_or_slow
from planes.run.backoff import Backoff
from planes.run.clock import Clock
from planes.run.logs import bind
from planes.run.shielded import shielded

_logger: Final = logging.getLogger(__name__)
_SUFFIX: Final = ".request"
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 300.0
_STAMP_SECONDS: Final = 1.0  # far coarser than the time stamps of any file system
_NO_CALL: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Failure:
    count: int
    not_before: float


@dataclass(frozen=True, slots=True)
class Replay:
    """The outcome of one pass over the spool, in numbers of files."""

    done: int = 0
    failed: int = 0
    quarantined: int = 0


class Spool:
    """The directory of spooled DELs.

    Args:
        directory: `STATE/spool`; may not exist yet.
        verbs: carries out the DELs.
        clock: for the backoff between attempts.
        deadline: seconds one DEL may take.
        interval: seconds between two passes.
    """

    def __init__(
        self,
        directory: Path,
        verbs: SandboxVerbs,
        clock: Clock,
        *,
        deadline: float = 55.0,
        interval: float = 2.0,
    ) -> None:
        self._directory = directory
        self._verbs = verbs
        self._clock = clock
        self._deadline = deadline
        self._interval = interval
        self._jobs = BackgroundJobs()
        self._backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE)
        self._failures: dict[str, _Failure] = {}
        self._sandboxes: dict[str, str] = {}
        self._listed: float | None = None

    async def run(self) -> None:
        """Replay again and again until cancelled."""
        try:
            while True:
                await self.begin()
                await self._clock.sleep(self._interval)
        finally:
            await self._jobs.close()

    async def begin(self) -> int:
        """Start a pass like `replay`, and wait for all sandboxes but those that take long.

        Returns:
            How many sandboxes take long; they go on in the background.
        """
        return await ended_or_slow([job for job, _ in await self._put_due()])

    async def replay(self) -> Replay:
        """Carry out every file that is due, to its end; never raises.

        Sandboxes are handled in parallel, the files of one sandbox one by one, oldest first.
        """
        started = await self._put_due()
        await all_ended([job for job, _ in started])
        outcomes = [outcome for _, found in started for outcome in found]
        return Replay(*(outcomes.count(kind) for kind in ("done", "failed", "quarantined")))

    async def _put_due(self) -> list[tuple[BackgroundJob, list[str]]]:
        """Start a job for each sandbox without one; return the jobs with their outcomes so far."""
        try:
            sandboxes = await self._list()
        except OSError as error:
            _logger.warning("cannot read the spool", extra={"reason": str(error)})
            return []
        now = self._clock.monotonic()
        due: dict[str, list[str]] = {}
        for name, sandbox in sandboxes.items():
            if name not in self._failures or self._failures[name].not_before <= now:
                due.setdefault(sandbox, []).append(name)

        async def in_order(names: list[str], outcomes: list[str]) -> None:
            outcomes.extend([await self._replay(name) for name in names])

        found: list[tuple[BackgroundJob, list[str]]] = []
        for sandbox, names in due.items():
            outcomes: list[str] = []
            found.append((self._jobs.start(sandbox, partial(in_order, names, outcomes)), outcomes))
        return found

    async def finish(self, container_id: str) -> None:
        """Carry out the spooled DELs of a sandbox, whose lock the caller holds for its ADD.

        Raises:
            Unavailable: one of its DELs fails, or the spool cannot be read.
        """
        try:
            sandboxes = self._sandboxes if self._is_as_listed() else await self._list()
        except OSError as error:
            raise Unavailable(
                f"cannot read the spool {self._directory}: {error.strerror or error}",
                remedy="make it a directory that the daemon may read",
            ) from error
        for name, sandbox in sandboxes.items():
            if sandbox == container_id and await self._replay(name, is_locked=True) == "failed":
                raise Unavailable(
                    f"cannot attach sandbox {container_id}: an earlier DEL of it still fails",
                    remedy="read the log of netplane-cni for why",
                )

    async def keep(self, request: CniRequest) -> None:
        """Write a DEL to the spool durably, as the shim does.

        Raises:
            BadInput: its variables do not fit into the format.
            Unavailable: the file cannot be written.
        """
        data = join_request(request)
        name = f"{int(self._clock.now() * 1e9):021d}-{secrets.token_hex(4)}{_SUFFIX}"
        try:
            await shielded(asyncio.to_thread(put_spooled, self._directory / name, data))
        except OSError as error:
            raise Unavailable(
                f"cannot write to the spool {self._directory}: {error.strerror or error}",
                remedy="make room and check the permissions of the state directory",
            ) from error
        _logger.warning("DEL spooled", extra={"file": name})

    def _is_as_listed(self) -> bool:
        # Every ADD comes here: stat of a cached inode is far cheaper than a thread.
        return self._listed is not None and self._listed == changed_at(self._directory)

    async def _list(self) -> dict[str, str]:
        changed = await asyncio.to_thread(changed_at, self._directory)
        sandboxes = await asyncio.to_thread(self._index, dict(self._sandboxes))
        self._sandboxes = sandboxes
        # A change right after the listing may have the same time stamp: then list once more.
        is_stable = abs(self._clock.now() - changed) > _STAMP_SECONDS
        self._listed = changed if is_stable else None
        self._failures = {n: self._failures[n] for n in sandboxes if n in self._failures}
        return sandboxes

    async def _replay(self, name: str, *, is_locked: bool = False) -> str:
        """Carry out one file; return "done", "failed", "quarantined", or "gone" where another did.

        Args:
            name: of the file.
            is_locked: the caller holds the lock of its sandbox.
        """
        try:
            request = await asyncio.to_thread(read_spooled, self._directory / name)
        except FileNotFoundError:
            return "gone"
        except BadInput as error:
            return await self._set_aside(name, str(error))
        except OSError as error:
            return self._failed(name, str(error))
        delete = self._delete if is_locked else self._delete_in_turn
        return await self._carry_out(name, request, delete)

    async def _carry_out(
        self, name: str, request: CniRequest, delete: Callable[[str, CniRequest], Awaitable[bool]]
    ) -> str:
        facts = {**request.facts, "file": name}
        try:
            with bind(**request.facts):
                async with asyncio.timeout(self._deadline):
                    if not await delete(name, request):
                        return "gone"
        except PlanesError as error:
            return self._failed(name, str(error), request.facts)
        except TimeoutError:
            return self._failed(name, f"not done within {self._deadline:g} s", request.facts)
        except Exception as error:
            _logger.exception("cannot replay a spooled DEL", extra=facts)
            return self._failed(name, type(error).__name__, request.facts)
        self._failures.pop(name, None)
        _logger.info("replayed a spooled DEL", extra=facts)
        return "done"

    async def _delete_in_turn(self, name: str, request: CniRequest) -> bool:
        """Wait for the lock of the sandbox; return False where an ADD carried the DEL out first."""
        async with self._verbs.sandbox(request.container_id) as waited:
            if not await asyncio.to_thread((self._directory / name).exists):
                return False
            return await self._delete(name, request.after_waiting(waited))

    async def _delete(self, name: str, request: CniRequest) -> bool:
        """Carry out a DEL of a sandbox that is locked; then unlink its file."""
        await self._verbs.handle_locked(request)
        await asyncio.to_thread((self._directory / name).unlink, missing_ok=True)
        return True

    async def _set_aside(self, name: str, reason: str) -> str:
        try:
            await asyncio.to_thread(quarantine, self._directory / name, reason)
        except OSError as error:
            return self._failed(name, f"{reason}; cannot quarantine it: {error}")
        _logger.error("quarantined a spooled request", extra={"file": name, "reason": reason})
        return "quarantined"

    def _failed(self, name: str, reason: str, call: Mapping[str, str] = _NO_CALL) -> str:
        earlier = self._failures.get(name)
        count = earlier.count + 1 if earlier else 1
        pause = self._backoff.after(count)
        self._failures[name] = _Failure(count, self._clock.monotonic() + pause)
        tries = {"attempts": count, "retry_seconds": pause}
        facts = {**call, **tries, "file": name, "reason": reason}
        _logger.warning("cannot replay a spooled DEL yet", extra=facts)
        return "failed"

    def _names(self) -> list[str]:
        """Return names of complete files, oldest first; remove stale ones of killed shims."""
        try:
            names = sorted(os.listdir(self._directory))
        except FileNotFoundError:
            return []
        for name in names:
            if name.endswith(f"{_SUFFIX}.tmp"):
                remove_if_stale(self._directory / name, self._clock.now())
        return [name for name in names if name.endswith(_SUFFIX)]

    def _index(self, known: dict[str, str]) -> dict[str, str]:
        """Return the sandbox of each file, oldest first; an unreadable file counts as one."""
        index: dict[str, str] = {}
        for name in self._names():
            try:
                index[name] = known.get(name) or read_spooled(self._directory / name).container_id
            except (OSError, BadInput):
                index[name] = f"/{name}"  # no container ID has a slash
        return index
