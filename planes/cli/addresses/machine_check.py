"""Read what one machine says of addresses, for `netplane ip check --manifests`.

The journal is root's. Where it cannot be read, the rest is compared, and that is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from planes.cli.addresses.machine_facts import (
    Attachment,
    JournalFacts,
    MachineFacts,
    Place,
    audit_machine,
)
from planes.cli.reading.address_use import plane_uses
from planes.cli.reading.place import Place as Reading
from planes.cli.reading.shown_addresses import shown_addresses
from planes.kube.addresses.cluster_audit import AuditEntry, Misfit
from planes.kube.api import Query
from planes.kube.resources import PODS
from planes.model.bounds import MAX_SHOWN_IPS_OF_POD
from planes.model.errors import PlanesError, Unavailable
from planes.model.spec.plane_spec import IpamMode, Plane
from planes.model.state.claims import bare_address
from planes.run.jobs import start
from planes.store.address_audit import planes_in
from planes.store.address_files import AddressFiles, plane_directory
from planes.store.records import StatusFiles
from planes.store.used_addresses import ADDRESSES

PAUSE_SECONDS: Final = 1.0
"""Between two looks: pods are attached and detached meanwhile, and a file is written after another.
"""
_JOURNAL: Final = "journal"


async def check_machine(place: Reading, state_dir: Path) -> list[AuditEntry]:
    """Return what does not fit, sorted: only what two looks found.

    Raises:
        Unavailable: records cannot be read.
    """
    found = await _check_once(place, state_dir)
    if all(entry.kind is Misfit.UNREAD for entry in found):
        return sorted(found)
    await place.clock.sleep(PAUSE_SECONDS)
    return sorted(found & await _check_once(place, state_dir))


async def _check_once(place: Reading, state_dir: Path) -> set[AuditEntry]:
    uses = await plane_uses(place)
    own = {
        name: use.plane
        for name, use in uses.items()
        if use.plane.families and use.plane.ipam_mode is IpamMode.PLANE
    }
    facts = MachineFacts(own)
    async for page in place.api.pages(Query(PODS)):
        for obj in page.items:
            meta = obj["metadata"]
            pod = f"{meta.get('namespace') or ''}/{meta['name']}"
            facts.pods[pod] = str(meta.get("uid") or "")
    unread = await start(lambda: _read_files(facts, state_dir), None)
    return {*audit_machine(facts), *unread}


def _read_files(facts: MachineFacts, state_dir: Path) -> list[AuditEntry]:
    """Read statuses, records and the journal; return what cannot be read."""
    _read_statuses(facts, state_dir)
    root = state_dir / ADDRESSES
    try:
        names = planes_in(root)
    except OSError as error:
        raise Unavailable(
            f"cannot read the address records in {root}: {error.strerror}",
            remedy="run as root, or give --state-dir",
        ) from error
    for name in names:
        for address, owner in AddressFiles(plane_directory(root, name)).holders().items():
            facts.records[name, address] = owner
    try:
        facts.journal = _journal(state_dir / _JOURNAL, facts.planes)
    except PlanesError as error:
        text = f"{error.message}; records are compared with pods and their status alone"
        return [AuditEntry(Misfit.UNREAD, "", _JOURNAL, "", "", text)]
    return []


def _read_statuses(facts: MachineFacts, state_dir: Path) -> None:
    files = StatusFiles(state_dir)
    files.refresh()
    networks = {str(plane.ref): name for name, plane in facts.planes.items()}
    for (namespace, name), text in files.texts().items():
        pod = f"{namespace}/{name}"
        facts.statuses.append(pod)
        named = ((networks.get(network), a) for network, a in shown_addresses(text))
        shown = ((plane, a) for plane, a in named if plane is not None)
        for one in islice(shown, MAX_SHOWN_IPS_OF_POD):
            facts.shown.setdefault(one, []).append(pod)


def _journal(directory: Path, planes: Mapping[str, Plane]) -> JournalFacts:
    """Return what the journal says, read by the daemon's own code.

    Raises:
        Internal: it cannot be read.
    """
    from cni.journal.entry import Stage  # noqa: PLC0415
    from cni.journal.files import inspect_entries  # noqa: PLC0415

    content = inspect_entries(directory)
    pods: dict[Attachment, str] = {}
    has: dict[Place, list[Attachment]] = {}
    for entry in content.entries:
        for one in entry.attachments:
            attachment = entry.container_id, one.ifname
            pods[attachment] = f"{entry.namespace}/{entry.pod}" if entry.pod else ""
            if entry.stage is not Stage.ATTACHED:
                continue
            texts = {name: list(held) for name, held in one.holds.items()}
            if one.plane and one.result is not None:
                texts[one.plane] = [ip.address for ip in one.result.ips]
            for name, found in texts.items():
                plane = planes.get(name)
                for address in map(bare_address, found):
                    if plane and address is not None and plane.subnet_of(address) is not None:
                        has.setdefault((name, address), []).append(attachment)
    for damaged in content.damaged:  # whose addresses the daemon keeps until it is looked into
        pods.update({(damaged.container_id, ifname): "" for ifname in damaged.ifnames})
    return JournalFacts(pods, has, {Path(one.kept).name: one.reason for one in content.damaged})
