"""The readers and the keeper of the CNI conf dir, and of Multus' file in it."""

from __future__ import annotations

from dataclasses import dataclass

from cni.composition.shared import Shared
from cni.confdir.default_network import ConfDir
from cni.confdir.keeper import ConflistKeeper
from cni.confdir.trusted_nads import trusted_nads
from cni.planning.networks import Networks
from cni.takeover.followed_settings import FollowedSettings
from cni.takeover.multus_notice import MultusNotice


@dataclass(frozen=True, slots=True)
class ConfDirParts:
    """What reads and writes the CNI conf dir.

    Attributes:
        networks: reads the configuration of a network, from the conf dir or its NAD.
        followed: Multus' settings that calls follow.
        notice: reports which of Multus' settings are not followed.
        keeper: keeps our conflist; None on a single machine, whose owner writes netconfs.
    """

    networks: Networks
    followed: FollowedSettings
    notice: MultusNotice
    keeper: ConflistKeeper | None


def make_confdir(shared: Shared) -> ConfDirParts:
    """Make them over one `ConfDir`."""
    settings, environment = shared.settings, shared.environment
    conf_dir = ConfDir(
        settings.cni_conf_dir,
        environment.clock,
        settings.host_root,
        multus_dir=settings.multus_conf_dir,
        nads=trusted_nads(environment.store),
    )
    own = frozenset(settings.global_namespaces) if settings.namespace_isolation else None
    return ConfDirParts(
        Networks(environment.store, conf_dir, is_standalone=settings.is_standalone),
        FollowedSettings(conf_dir, environment.clock, settings.cni_conf_dir, settings.host_root),
        MultusNotice(conf_dir, shared.reporter, settings.node, environment.clock, own),
        None if settings.is_standalone else _keeper(shared, conf_dir),
    )


def _keeper(shared: Shared, conf_dir: ConfDir) -> ConflistKeeper:
    return ConflistKeeper(
        shared.settings.cni_conf_dir,
        conf_dir,
        shared.environment.clock,
        shared.environment.metrics,
        replaces_multus=shared.settings.replace_multus,
    )
