"""The facts of the node that this process runs on, each read when a check first asks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cni.host.chroot import is_file, search_path
from cni.net.execute import Tools
from cni.net.host_survey import HostSurvey, survey_host
from planes.cli.doctor.api_access import ApiSource
from planes.cli.doctor.checkup import Gathered
from planes.cli.doctor.diagnosis import CannotCheck
from planes.cli.doctor.facts.conf_dir import ConfDirFiles, read_conf_dir
from planes.cli.doctor.facts.daemon import DaemonState, read_daemon
from planes.cli.doctor.facts.networks import (
    KnownNetworks,
    LinkNeed,
    link_needs,
    read_networks,
    with_default,
    with_names,
)

JOURNAL: Final = "journal"


@dataclass(frozen=True, slots=True)
class NodePlaces:
    """Where the daemon of this node has what.

    Attributes:
        manifests: the directory of manifests of one machine; None on a cluster.
        bin_dirs: of plugins, as the node sees them.
        data_dirs: of host-local, as this process sees them.
        root: the node's root directory as this process sees it, "" where it is ours.
        not_native: plugin types that are executed all the same.
    """

    state_dir: Path
    addresses: Path
    socket: Path
    conf_dir: Path
    bin_dirs: tuple[str, ...]
    data_dirs: tuple[str, ...]
    root: str = ""
    manifests: Path | None = None
    replaces_multus: bool = False
    not_native: Container[str] = ()

    @property
    def journal(self) -> Path:
        """The directory of the journal."""
        return self.state_dir / JOURNAL


class NodeFacts:
    """What several checks of a node need.

    Args:
        places: of the daemon.
        source: asks the API server; None where nothing says how to reach one.

    Attributes:
        places: see above.
        source: see above.
    """

    def __init__(self, places: NodePlaces, source: ApiSource | None) -> None:
        self.places = places
        self.source = source
        self._known = Gathered("planes and NADs", self._read_networks)
        self._conf_dir = Gathered(
            f"the conf dir {places.conf_dir}", lambda: read_conf_dir(places.conf_dir, places.root)
        )
        self._survey = Gathered("the node's interfaces", lambda: survey_host(places.root))
        self._daemon = Gathered("the daemon's socket", lambda: read_daemon(places.socket))

    @property
    def is_cluster(self) -> bool:
        """Whether the node is one of a cluster."""
        return self.places.manifests is None and self.source is not None

    def root(self) -> str:
        """Return the node's root directory as this process sees it, "" where it is ours.

        Raises:
            CannotCheck: it cannot be read, so that everything would look missing.
        """
        root = self.places.root
        if root and not os.access(f"{root}/etc", os.R_OK | os.X_OK):
            raise CannotCheck(f"the node's root cannot be read at {root} (--host-root)")
        return root

    def networks(self) -> KnownNetworks:
        """Return planes, NADs and the default network.

        Raises:
            CannotCheck: planes and NADs cannot be read.
        """
        return self._with_default(self._known.value())

    def known_networks(self) -> tuple[KnownNetworks, str]:
        """Return the networks that can be read, and why others cannot; "" where all can.

        The default network is there, also while the API server is away.
        """
        try:
            return self.networks(), ""
        except CannotCheck as away:
            return self._with_default(KnownNetworks()), away.message

    def needs(self) -> tuple[LinkNeed, ...]:
        """Return the links that networks need.

        Raises:
            CannotCheck: planes and NADs, or the node's links, cannot be read.
        """
        needs = link_needs(self.networks().networks)
        return tuple(with_names(needs, self.survey(), self.places.root))

    def conf_dir(self) -> ConfDirFiles:
        """Return the CNI conf dir.

        Raises:
            CannotCheck: it cannot be read.
        """
        return self._conf_dir.value()

    def survey(self) -> HostSurvey:
        """Return the links of the node.

        Raises:
            CannotCheck: they cannot be read.
        """
        return self._survey.value()

    def daemon(self) -> DaemonState:
        """Return whether the daemon answers.

        Raises:
            CannotCheck: its socket may not be used.
        """
        return self._daemon.value()

    def runs(self) -> bool:
        """Report whether the daemon runs, as far as that is known."""
        try:
            return self.daemon().listens
        except CannotCheck:
            return False

    def tools(self) -> tuple[str, ...]:
        """Return which programs of a packet filter the node has.

        Raises:
            CannotCheck: the node's root cannot be read.
        """
        root = self.root()
        folders = search_path(root, "")
        return tuple(
            name
            for name in ("nft", "iptables")
            if any(_is_file(root, f"{folder}/{name}") for folder in folders)
        )

    def has_attached(self) -> bool:
        """Report whether the journal has entries, as far as it can be read."""
        try:
            with os.scandir(self.places.journal) as entries:
                return any(entry.name.endswith(".json") for entry in entries)
        except OSError:
            return False

    def packet_filter(self) -> Tools:
        """Return what runs the programs of the node."""
        return Tools(self.places.root)

    def _with_default(self, known: KnownNetworks) -> KnownNetworks:
        try:
            found = self._conf_dir.value()
        except CannotCheck:  # another check says so
            return known
        return with_default(known, found.default, found.directory)

    def _read_networks(self) -> KnownNetworks:
        if self.places.manifests is not None:
            # What it reads with takes longer to load than the commands of one machine.
            from planes.cli.reading.directory_api import DirectoryApi  # noqa: PLC0415

            api = DirectoryApi(self.places.manifests, self.places.state_dir)
            known = asyncio.run(read_networks(api, str(self.places.manifests)))
            problems = [f"{one.where}: {one.reason}" for one in api.problems]
            return KnownNetworks(known.networks, (*problems, *known.problems))
        if self.source is None:
            raise CannotCheck("give --manifests on one machine, --kubeconfig on a cluster's node")
        return self.source.ask(lambda api, _: read_networks(api))


def _is_file(root: str, path: str) -> bool:
    try:
        return is_file(root, path)
    except (OSError, ValueError):
        return False
