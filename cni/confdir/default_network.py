"""The default network: the first config of the CNI conf dir that is neither ours nor Multus'.

A Multus file, set aside or not, counts as the cluster network that it names. The directory is read
again when the times of its files change.

Invariant: a config of type `netplane` or `multus` is never the default network, whatever its file
is called; our own file never is, whatever it contains.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Final

from cni.confdir.files import paths_of
from cni.confdir.multus_settings import MultusSettings
from cni.confdir.reading import ConfDirContent, file_network, look
from cni.confdir.trusted_nads import TrustedNads, no_nads
from cni.host.chroot import resolve
from planes.model.errors import CniCode, NotFound, Unavailable
from planes.model.objects import NadRef
from planes.model.wire.netconf import ConfList
from planes.run.clock import Clock
from planes.run.shielded import shielded

_log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.25

MULTUS_DIR: Final = "/etc/cni/multus/net.d"
"""Where Multus looks by default for the files of NADs without `spec.config`."""


class ConfDir:
    """The CNI conf dir; what was read is reused for `LOOK_SECONDS`, so a burst of calls reads once.

    Args:
        root: the node's root directory as we see it, for files that Multus names.
        multus_dir: the directory of the files of NADs without `spec.config`; "" = as Multus' file
            says, `MULTUS_DIR` where it says nothing.
        nads: looks up NADs that Multus' file names.
    """

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        root: str = "",
        *,
        multus_dir: str = "",
        nads: TrustedNads = no_nads,
    ) -> None:
        self._directory = directory
        self._root = root
        self._clock = clock
        self._multus_dir = multus_dir
        self._nads = nads
        self._content = ConfDirContent()
        self._multus_content = ConfDirContent()
        self._look_after = 0.0

    async def default(self) -> ConfList:
        """Return the default network.

        Raises:
            Unavailable: there is none (code 50).
            PlanesError: the NAD that Multus' file names cannot be used.
        """
        _, found = await self.network()
        return found

    async def network(self) -> tuple[str, ConfList]:
        """Return the default network, and its name in status and events.

        Raises:
            Unavailable: there is none (code 50).
            PlanesError: the NAD that Multus' file names cannot be used.
        """
        content = await self._look()
        if content.default_name:
            return await self.of_multus(content.default_name)
        if content.default is None:
            found = f": {'; '.join(content.problems)}" if content.problems else ""
            raise Unavailable(
                f"cannot find a default network in {self._directory}{found}",
                remedy='put the cluster network\'s config there, or set "delegate" in the netconf',
                code=CniCode.NOT_AVAILABLE,
            )
        return content.default.name, content.default

    async def named(self, name: str) -> ConfList:
        """Return the config of that name, for a NAD without `spec.config`.

        Multus' directory comes first: Multus searches no other. A file of the conf dir may be the
        cluster network's.

        Raises:
            NotFound: no readable file of either directory has that name.
        """
        content = await self._look()
        found = self._multus_content.by_name.get(name) or content.by_name.get(name)
        if found is None:
            raise NotFound(
                f'cannot find a network config with name "{name}" in '
                f"{self._folder_of(content)} or {self._directory}",
                remedy="fill spec.config of the NAD or add the file on the node",
            )
        return found

    async def of_multus(self, name: str) -> tuple[str, ConfList]:
        """Return a network that Multus' file names, and its name in status and events.

        Args:
            name: an element of `clusterNetwork` or `defaultNetworks`: the path of a file, or of a
                directory whose first file counts; else the name of a NAD in Multus' namespace, or
                of a network in a file.

        Raises:
            Unavailable: there is no such network (code 50).
            PlanesError: it cannot be used.
        """
        content = await self._look()
        if "/" in name:
            found = await self._at(name)
        else:
            namespace = "" if content.multus is None else content.multus.namespace
            ref = NadRef(namespace, name)
            nad = self._nads(ref)
            if nad is not None:
                return str(ref), nad
            found = self._multus_content.by_name.get(name) or content.by_name.get(name)
        if found is None:
            raise Unavailable(
                f'cannot find the network "{name}" that Multus\' file in {self._directory} names',
                remedy="create the NAD or the file, or correct Multus' file on the node",
                code=CniCode.NOT_AVAILABLE,
            )
        return found.name, found

    async def _at(self, name: str) -> ConfList | None:
        loop = asyncio.get_running_loop()
        return await shielded(
            loop.run_in_executor(None, network_at, name, self._directory, self._root)
        )

    async def multus(self) -> MultusSettings | None:
        """Return the other settings of Multus' file; None where there is no such file."""
        return (await self._look()).multus

    async def has(self, name: str) -> bool:
        """Report whether a config of the node has that name; the default network's counts too."""
        return name in (await self._look()).by_name or name in self._multus_content.by_name

    async def _look(self) -> ConfDirContent:
        if self._content.default is not None and self._clock.monotonic() < self._look_after:
            return self._content
        loop = asyncio.get_running_loop()
        content, multus_content = await shielded(loop.run_in_executor(None, self._read_both))
        self._log_problems(
            multus_content.problems if multus_content is not self._multus_content else ()
        )
        self._multus_content = multus_content
        if content is not self._content:
            self._log_problems(content.problems)
            self._log_default(content)
            self._content = content
        self._look_after = self._clock.monotonic() + LOOK_SECONDS
        return content

    def _read_both(self) -> tuple[ConfDirContent, ConfDirContent]:
        content = look(self._directory, self._content, self._root)
        folder = Path(resolve(self._root, self._folder_of(content)))
        return content, look(folder, self._multus_content, self._root)

    def _folder_of(self, content: ConfDirContent) -> str:
        return self._multus_dir or multus_dir_of(content)

    def _log_problems(self, problems: tuple[str, ...]) -> None:
        for problem in problems:
            _log.warning("config ignored", extra={"problem": problem})

    def _log_default(self, content: ConfDirContent) -> None:
        before = self._content.default.name if self._content.default else ""
        now = content.default.name if content.default else ""
        if before != now:
            _log.info("default network", extra={"network": now, "before": before})


def multus_dir_of(content: ConfDirContent) -> str:
    """Return the directory that Multus' file names for the files of NADs, or the default."""
    return ("" if content.multus is None else content.multus.conf_dir) or MULTUS_DIR


def network_at(name: str, beside: Path, root: str) -> ConfList | None:
    """Return the network of a file or directory that Multus names; None where there is none."""
    for target in paths_of(name, beside, root):
        if target.is_dir():
            return look(target, ConfDirContent(), root).default
        if target.is_file():
            return file_network(target)
    return None
