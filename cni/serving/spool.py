"""DELs that came while the daemon was away: carried out later, those of one sandbox in order.

The shim writes one request a file, complete before it has its name; so do we with a DEL that has
to wait for something else than its sandbox. A file is unlinked only after
its DEL succeeded; one that failed stays and is tried again, later each time; one that is no DEL
goes to `quarantine/` beside its reason. Invariant: a sandbox's spooled DELs are over before an ADD
of the same sandbox begins, else a late DEL would take down what that ADD made.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from cni.completion import complete
from cni.serving.protocol import (
    Verbs,
    join_request,
)
from cni.serving.request import CniRequest
from cni.serving.spool_files import (
    changed_at,
    put_spooled,
    quarantine,
    read_spooled,
    remove_if_stale,
)
from planes.model.errors import BadInput, PlanesError, Unavailable
from planes.run.clock import Clock
from planes.run.lanes import Job, Lanes, have_ended, have_left
from planes.run.locks import KeyedLocks
from planes.run.logs import bind

_logger: Final = logging.getLogger(__name__)
_SUFFIX: Final = ".request"
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 300.0
_STAMP_SECONDS: Final = 1.0  # far coarser than any file system's time stamps
_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Failure:
    count: int
    not_before: float


@dataclass(frozen=True, slots=True)
class Replay:
    """What one pass over the spool did: numbers of files."""

    done: int = 0
    failed: int = 0
    quarantined: int = 0


class Spool:
    """The directory of spooled DELs.

    Args:
        directory: `STATE/spool`; may not exist yet.
        verbs: carries out the DELs.
        clock: for pauses between attempts.
        deadline: seconds one DEL may take.
        interval: seconds between two looks at the directory.
    """

    def __init__(
        self,
        directory: Path,
        verbs: Verbs,
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
        self._locks = KeyedLocks()
        self._lanes = Lanes()
        self._failures: dict[str, _Failure] = {}
        self._sandboxes: dict[str, str] = {}
        self._listed: float | None = None

    async def run(self) -> None:
        """Look and replay until cancelled."""
        try:
            while True:
                await self.begin()
                await self._clock.sleep(self._interval)
        finally:
            await self._lanes.close()

    async def begin(self) -> int:
        """Start to carry out what `replay` does, and wait for all of it but what takes long.

        Returns how many sandboxes take long.
        """
        return await have_left([job for job, _ in await self._put_due()])

    async def replay(self) -> Replay:
        """Carry out every file whose turn has come, to its end; never raises.

        Sandboxes go side by side, the files of one sandbox one after the other, oldest first.
        """
        started = await self._put_due()
        await have_ended([job for job, _ in started])
        outcomes = [outcome for _, found in started for outcome in found]
        return Replay(*(outcomes.count(kind) for kind in ("done", "failed", "quarantined")))

    async def _put_due(self) -> list[tuple[Job, list[str]]]:
        """Start a job for each sandbox that none is under way for; with it, its outcomes so far."""
        try:
            sandboxes = await self._look()
        except OSError as error:
            _logger.warning("cannot read the spool", extra={"reason": str(error)})
            return []
        now = self._clock.monotonic()
        due: dict[str, list[str]] = {}
        for name, sandbox in sandboxes.items():
            if name not in self._failures or self._failures[name].not_before <= now:
                due.setdefault(sandbox, []).append(name)

        async def in_order(names: list[str], outcomes: list[str]) -> None:
            outcomes.extend([await self._settle(name) for name in names])

        found: list[tuple[Job, list[str]]] = []
        for sandbox, names in due.items():
            outcomes: list[str] = []
            found.append((self._lanes.put(sandbox, partial(in_order, names, outcomes)), outcomes))
        return found

    async def settle(self, container_id: str) -> None:
        """Carry out what is spooled for a sandbox, before an ADD of it begins.

        Raises:
            Unavailable: one of its DELs fails, or the spool cannot be read.
        """
        try:
            sandboxes = self._sandboxes if self._is_as_listed() else await self._look()
        except OSError as error:
            raise Unavailable(
                f"cannot read the spool {self._directory}: {error.strerror or error}",
                remedy="make it a directory that the daemon may read",
            ) from error
        for name, sandbox in sandboxes.items():
            if sandbox == container_id and await self._settle(name) == "failed":
                raise Unavailable(
                    f"cannot attach sandbox {container_id}: an earlier DEL of it still fails",
                    remedy="read the log of netplane-cni for why",
                )

    async def keep(self, request: CniRequest) -> None:
        """Spool a DEL durably, as the shim does.

        Raises:
            BadInput: it cannot be written down.
            Unavailable: it cannot be written.
        """
        data = join_request(request)
        name = f"{int(self._clock.now() * 1e9):021d}-{secrets.token_hex(4)}{_SUFFIX}"
        try:
            await complete(asyncio.to_thread(put_spooled, self._directory / name, data))
        except OSError as error:
            raise Unavailable(
                f"cannot write to the spool {self._directory}: {error.strerror or error}",
                remedy="make room and check the permissions of the state directory",
            ) from error
        _logger.warning("DEL spooled", extra={"file": name})

    def _is_as_listed(self) -> bool:
        # On the path of every ADD: one cached inode, where a hop to a thread costs far more.
        return self._listed is not None and self._listed == changed_at(self._directory)

    async def _look(self) -> dict[str, str]:
        changed = await asyncio.to_thread(changed_at, self._directory)
        sandboxes = await asyncio.to_thread(self._index, dict(self._sandboxes))
        self._sandboxes = sandboxes
        # A change right after the listing may bear the same time stamp: then list once more.
        is_settled = abs(self._clock.now() - changed) > _STAMP_SECONDS
        self._listed = changed if is_settled else None
        self._failures = {n: self._failures[n] for n in sandboxes if n in self._failures}
        return sandboxes

    async def _settle(self, name: str) -> str:
        async with self._locks.hold(name):
            try:
                request = await asyncio.to_thread(read_spooled, self._directory / name)
            except FileNotFoundError:
                return "gone"  # somebody else carried it out while we waited
            except BadInput as error:
                return await self._set_aside(name, str(error))
            except OSError as error:
                return self._failed(name, str(error))
            return await self._carry_out(name, request)

    async def _carry_out(self, name: str, request: CniRequest) -> str:
        facts = {**request.facts, "file": name}
        try:
            with bind(**request.facts):
                async with asyncio.timeout(self._deadline):
                    await self._verbs.handle(request)
            await asyncio.to_thread((self._directory / name).unlink, missing_ok=True)
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

    async def _set_aside(self, name: str, reason: str) -> str:
        try:
            await asyncio.to_thread(quarantine, self._directory / name, reason)
        except OSError as error:
            return self._failed(name, f"{reason}; cannot quarantine it: {error}")
        _logger.error("quarantined a spooled request", extra={"file": name, "reason": reason})
        return "quarantined"

    def _failed(self, name: str, reason: str, whose: Mapping[str, str] = _NOBODY) -> str:
        earlier = self._failures.get(name)
        count = earlier.count + 1 if earlier else 1
        pause = min(_FIRST_PAUSE * 2.0 ** min(count - 1, 30), _LONGEST_PAUSE)
        self._failures[name] = _Failure(count, self._clock.monotonic() + pause)
        tries = {"attempts": count, "retry_seconds": pause}
        facts = {**whose, **tries, "file": name, "reason": reason}
        _logger.warning("cannot replay a spooled DEL yet", extra=facts)
        return "failed"

    def _names(self) -> list[str]:
        """Names of complete files, oldest first; removes what a shim that was killed left."""
        try:
            names = sorted(os.listdir(self._directory))
        except FileNotFoundError:
            return []
        for name in names:
            if name.endswith(f"{_SUFFIX}.tmp"):
                remove_if_stale(self._directory / name, self._clock.now())
        return [name for name in names if name.endswith(_SUFFIX)]

    def _index(self, known: dict[str, str]) -> dict[str, str]:
        """Sandbox by name of file, oldest first; what cannot be read is a sandbox of its own."""
        index: dict[str, str] = {}
        for name in self._names():
            try:
                index[name] = known.get(name) or read_spooled(self._directory / name).container_id
            except (OSError, BadInput):
                index[name] = f"/{name}"  # no container ID has a slash
        return index
