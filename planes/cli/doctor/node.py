"""The checks of the node that this process runs on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from cni.host.chroot import resolve
from cni.journal.files import inspect_entries
from cni.journal.pending import pending_of
from planes.cli.doctor.checkup import Check
from planes.cli.doctor.diagnosis import CannotCheck, Diagnosis, warning
from planes.cli.doctor.facts.certificates import SERVICE, authorities, read_authorities, served
from planes.cli.doctor.facts.disk import read_volumes
from planes.cli.doctor.facts.held_records import read_held_records
from planes.cli.doctor.facts.kernel import read_kernel
from planes.cli.doctor.facts.native import native_rule
from planes.cli.doctor.facts.networks import KnownNetwork
from planes.cli.doctor.facts.plugin_files import executed_plugins, plugin_files
from planes.cli.doctor.facts.reading import read_bounded
from planes.cli.doctor.facts.sysctls import read_sysctls
from planes.cli.doctor.judging.bridges import judge_bridges
from planes.cli.doctor.judging.certificates import judge_certificates
from planes.cli.doctor.judging.conf_dir import judge_conf_dir
from planes.cli.doctor.judging.daemon import judge_daemon_state
from planes.cli.doctor.judging.disk import judge_disk
from planes.cli.doctor.judging.held_addresses import judge_held_records
from planes.cli.doctor.judging.kernel_features import judge_kernel
from planes.cli.doctor.judging.leaving import judge_damaged, judge_pending
from planes.cli.doctor.judging.masters import judge_masters
from planes.cli.doctor.judging.mtu import judge_mtu
from planes.cli.doctor.judging.node_sysctls import judge_sysctls
from planes.cli.doctor.judging.node_uplink import judge_node_uplink
from planes.cli.doctor.judging.plugins import SHIM, judge_plugins, judge_shim
from planes.cli.doctor.node_facts import NodeFacts
from planes.cli.doctor.outside import api_checks
from planes.model.errors import PlanesError

_STATE: Final = ("/var/lib/cni", "/run/netplane")
_MOST_CA: Final = 1 << 18


def node_checks(facts: NodeFacts, webhook: str, authority: str | None) -> tuple[Check, ...]:
    """Return the checks of this node.

    Args:
        facts: of the node.
        webhook: the URL of the webhook of one machine.
        authority: the file of the CA that it is verified with; None on a cluster.
    """
    needs, survey = facts.needs, facts.survey
    checks = (
        Check("daemon", "the node daemon", lambda: _daemon(facts)),
        Check("networks", "planes and NADs", lambda: _problems(facts)),
        Check("masters", "masters and bridges", lambda: judge_masters(needs(), survey())),
        Check("mtu", "MTU chain", lambda: judge_mtu(needs(), survey())),
        Check("kernel", "kernel features and modules", lambda: _kernel(facts)),
        Check("sysctls", "sysctls", lambda: _sysctls(facts)),
        Check("confdir", "CNI conf dir", lambda: _conf_dir(facts)),
        Check("plugins", "plugin binaries", lambda: _plugins(facts)),
        Check("addresses", "address files", lambda: _addresses(facts)),
        Check("journal", "journal entries that cannot leave", lambda: _journal(facts)),
        Check("bridges", "subnets by bridge", lambda: _bridges(facts)),
        Check("uplink", "the node's own uplink", lambda: judge_node_uplink(needs(), survey())),
        Check("disk", "disk", lambda: _disk(facts)),
        Check("certificates", "certificates", lambda: _certificates(facts, webhook, authority)),
    )
    if facts.source is None or facts.places.manifests is not None:
        return checks
    return (*checks, *api_checks(facts.source))


def _daemon(facts: NodeFacts) -> Iterator[Diagnosis]:
    socket = str(facts.places.socket)
    return judge_daemon_state(facts.daemon(), socket, is_cluster=facts.is_cluster)


def _problems(facts: NodeFacts) -> Iterator[Diagnosis]:
    for text in facts.networks().problems:
        yield warning(
            text,
            "it is ignored, or no pod gets it",
            "correct the object; netplane explain -f FILE shows the effect",
        )


def _of_known(
    facts: NodeFacts, judge: Callable[[Sequence[KnownNetwork]], Iterator[Diagnosis]]
) -> Iterator[Diagnosis]:
    """Yield judgements over the networks that are known, then raise why others are not."""
    known, reason = facts.known_networks()
    yield from judge(known.networks)
    if reason:
        raise CannotCheck(reason)


def _kernel(facts: NodeFacts) -> Iterator[Diagnosis]:
    build, tools = read_kernel(facts.root()), facts.tools()
    return _of_known(facts, lambda networks: judge_kernel(networks, build, tools))


def _sysctls(facts: NodeFacts) -> Iterator[Diagnosis]:
    sysctls, survey = read_sysctls(facts.packet_filter()), facts.survey()
    attached = facts.has_attached()
    return _of_known(
        facts, lambda networks: judge_sysctls(networks, sysctls, survey, has_attached=attached)
    )


def _bridges(facts: NodeFacts) -> Iterator[Diagnosis]:
    return _of_known(facts, judge_bridges)


def _conf_dir(facts: NodeFacts) -> Iterator[Diagnosis]:
    return judge_conf_dir(
        facts.conf_dir(),
        is_cluster=facts.is_cluster,
        runs=facts.runs(),
        replaces_multus=facts.places.replaces_multus,
    )


def _plugins(facts: NodeFacts) -> Iterator[Diagnosis]:
    places, root = facts.places, facts.root()
    if facts.is_cluster or any(one.is_ours for one in facts.conf_dir().files):
        shim = plugin_files(SHIM, places.bin_dirs, root)
        yield from judge_shim(shim, places.bin_dirs, is_cluster=facts.is_cluster)
    rule = native_rule(places.not_native, places.data_dirs, root, places.state_dir)

    def judge(networks: Sequence[KnownNetwork]) -> Iterator[Diagnosis]:
        executed = executed_plugins(networks, rule, places.bin_dirs, root)
        return judge_plugins(executed, places.bin_dirs)

    yield from _of_known(facts, judge)


def _addresses(facts: NodeFacts) -> Iterator[Diagnosis]:
    places = facts.places
    held = read_held_records(places.addresses, places.journal, places.data_dirs)
    return judge_held_records(held, runs=facts.runs())


def _journal(facts: NodeFacts) -> Iterator[Diagnosis]:
    found = inspect_entries(facts.places.journal)
    yield from judge_pending(pending_of(found.entries), time.time())
    yield from judge_damaged(found.damaged)


def _disk(facts: NodeFacts) -> Iterator[Diagnosis]:
    places = facts.places
    if not places.state_dir.is_dir():
        raise CannotCheck(f"there is no state directory {places.state_dir}")
    others = (*_STATE, str(places.conf_dir), resolve(facts.root(), "/tmp"))  # noqa: S108
    volumes = read_volumes(others, str(places.state_dir))
    return judge_disk(volumes, is_root=os.geteuid() == 0)


def _certificates(facts: NodeFacts, webhook: str, authority: str | None) -> Iterator[Diagnosis]:
    now = datetime.now(UTC)
    if facts.places.manifests is not None:
        if not authority:
            raise CannotCheck("give the webhook's ca.crt as --ca, and its URL as --webhook")
        pem = read_bounded(authority, _MOST_CA)
        yield from judge_certificates(authorities(pem), now)
        parts = urlsplit(webhook)
        yield from judge_certificates([served(parts.hostname or "", parts.port or 443, pem)], now)
        return
    if facts.source is None:
        raise CannotCheck("no API server is known: give --kubeconfig")
    pem, reason = b"", ""
    try:
        bundles = facts.source.ask(lambda api, _: read_authorities(api))
    except PlanesError as error:
        reason = error.message
    else:
        for pem in bundles:
            yield from judge_certificates(authorities(pem), now)
    if facts.source.is_daemon:  # the name of the Service is known inside the cluster only
        yield from judge_certificates([served(*SERVICE, pem)], now)
    if reason:
        raise CannotCheck(reason)
