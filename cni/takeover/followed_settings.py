"""Follow the settings of Multus' file after a takeover.

Invariant: a pod gets, or is refused, the same networks as under Multus; where a setting cannot be
followed, the ADD fails with the reason. Without a Multus file in the CNI conf dir (set aside or
not) nothing here has any effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from cni.confdir.default_network import ConfDir
from cni.confdir.files import paths_of
from cni.confdir.multus_settings import MultusSettings
from cni.host.chroot import resolve
from cni.planning.networks import Network, usable
from cni.planning.pods import Subject
from planes.model.errors import BadInput, CniCode, Unavailable
from planes.model.state.catalog import Catalog
from planes.run.clock import Clock

READY_SECONDS: Final = 45.0
"""How long an ADD waits for the readiness file, as with Multus."""

_POLL_SECONDS: Final = 1.0


class FollowedSettings:
    """Applies the settings of Multus' file to calls.

    Args:
        conf_dir: reads the file.
        clock: for the wait for the readiness file.
        directory: the CNI conf dir.
        root: path of the node's root directory in our mount namespace.
    """

    def __init__(self, conf_dir: ConfDir, clock: Clock, directory: Path, root: str = "") -> None:
        self._conf_dir = conf_dir
        self._clock = clock
        self._directory = directory
        self._root = root
        self._is_stopping = False

    def stop_waiting(self) -> None:
        """Make ADDs that wait for the readiness file fail now, as the daemon stops."""
        self._is_stopping = True

    async def catalog(self, catalog: Catalog) -> Catalog:
        """Return the catalog with Multus' namespace isolation.

        Netplane's own setting (`--namespace-isolation`) takes precedence, with its list.
        """
        settings = await self._conf_dir.multus()
        if settings is None or not settings.isolates or catalog.namespace_isolation:
            return catalog
        return replace(
            catalog, namespace_isolation=True, global_namespaces=settings.global_namespaces
        )

    async def cni_path(self, given: tuple[str, ...]) -> tuple[str, ...]:
        """Return the directories of plugin binaries, with Multus' `binDir` first."""
        settings = await self._conf_dir.multus()
        if settings is None or not settings.bin_dir:
            return given
        return tuple(dict.fromkeys((settings.bin_dir, *given)))

    async def cache_dirs(self, given: Path) -> tuple[Path, ...]:
        """Return the directories of Multus' cache: its `cniDir`, and the given one."""
        settings = await self._conf_dir.multus()
        if settings is None or not settings.cache_dir:
            return (given,)
        return tuple(dict.fromkeys((Path(resolve(self._root, settings.cache_dir)), given)))

    async def further_networks(self, subject: Subject) -> tuple[Network, ...]:
        """Return the networks of a pod after the default network: delegates and defaultNetworks.

        Raises:
            PlanesError: one cannot be found or used, or the file cannot be followed.
        """
        settings = await self._conf_dir.multus()
        if settings is None or not subject.is_known:
            return ()
        _refuse_faulty(settings)
        found = [Network(one.name, usable(one)) for one in settings.delegates]
        if subject.pod.namespace not in settings.system_namespaces:
            for name in settings.networks:
                shown, conflist = await self._conf_dir.of_multus(name)
                found.append(Network(shown, usable(conflist)))
        return tuple(found)

    async def wait_until_ready(self) -> None:
        """Wait for the readiness file, 45 s at most, and not after `stop_waiting`.

        Raises:
            Unavailable: it does not exist (code 50).
        """
        deadline = self._clock.monotonic() + READY_SECONDS
        while True:
            try:
                await self.check_ready()
            except Unavailable:
                if self._is_stopping or self._clock.monotonic() >= deadline:
                    raise
                await self._clock.sleep(_POLL_SECONDS)
            else:
                return

    async def check_ready(self) -> None:
        """Check once that the readiness file exists.

        Raises:
            Unavailable: it does not (code 50).
        """
        settings = await self._conf_dir.multus()
        if settings is None or not settings.readiness_file:
            return
        places = paths_of(settings.readiness_file, self._directory, self._root)[:2]
        if not await asyncio.to_thread(_any_exists, places):
            raise Unavailable(
                "cannot attach pods yet: the cluster network is not ready on this node, for "
                f"{settings.readiness_file} is missing (readinessindicatorfile in {settings.file})",
                remedy="see whether the cluster network's own pod runs on this node",
                code=CniCode.NOT_AVAILABLE,
            )


def _any_exists(places: Sequence[Path]) -> bool:
    return any(place.exists() for place in places)


def _refuse_faulty(settings: MultusSettings) -> None:
    if settings.fault:
        raise BadInput(
            f"cannot attach pods as Multus' file on this node says: {settings.fault}",
            remedy=f"correct {settings.file} in the CNI conf dir of the node",
        )
