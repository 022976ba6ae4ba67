"""Containers without a pod: attached by podman, nerdctl, ctr or a script.

The daemon's journal has them, by the container's ID. Who called named them, and is not trusted:
names are as long and as plain as a table bears.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from planes.model.lines import one_line
from planes.model.wire.status import statuses_of

if TYPE_CHECKING:
    from cni.journal.entry import Entry
    from cni.plugins.attachment import PlannedAttachment

_JOURNAL: Final = "journal"
_LONGEST_NAME: Final = 64
_SHORT_ID: Final = 12
_PHASES: Final = {"begun": "Attaching", "attached": "Attached", "leaving": "Detaching"}


@dataclass(frozen=True, slots=True)
class Containers:
    """What the journal has beside pods.

    Attributes:
        shown: the containers, by name.
        damaged: how many entries cannot be read.
    """

    shown: tuple[dict[str, Any], ...]
    damaged: int = 0


def read_containers(state_dir: Path, pods: Collection[str]) -> Containers:
    """Return the containers of a daemon's journal that are no pods.

    Args:
        state_dir: of the daemon.
        pods: container IDs that are those of pods.

    Raises:
        Internal: the journal cannot be read; only root may.
    """
    from cni.journal.files import inspect_entries  # noqa: PLC0415 - other commands need not load it

    content = inspect_entries(state_dir / _JOURNAL)
    by_id: dict[str, list[Entry]] = {}
    for entry in content.entries:
        if entry.container_id not in pods:
            by_id.setdefault(entry.container_id, []).append(entry)
    shown = map(_described, by_id.values())
    in_order = sorted(shown, key=lambda one: (title_of(one), one["containerID"]))
    return Containers(tuple(in_order), len(content.damaged))


def title_of(container: dict[str, Any]) -> str:
    """Return how a table names a container."""
    return one_line(f"{container['namespace']}/{container['name']}", _LONGEST_NAME)


def _described(entries: list[Entry]) -> dict[str, Any]:
    """Describe a container by its entries, one for each network that it was attached to."""
    entries.sort(key=lambda entry: entry.ifname)
    first = entries[0]
    short = first.container_id[:_SHORT_ID]
    return {
        "kind": "Container",
        "namespace": first.namespace,
        "name": short if first.pod in {"", first.container_id} else first.pod,
        "uid": first.uid,
        "node": first.node,
        "phase": _phase(entries),
        "containerID": first.container_id,
        "netns": first.netns,
        "networks": list(dict.fromkeys(entry.network for entry in entries)),
        "interfaces": [
            interface
            for entry in entries
            for attachment in entry.attachments
            for interface in _interfaces(attachment)
        ],
    }


def _phase(entries: Iterable[Entry]) -> str:
    """Return the phase of what is not yet attached or not yet gone, if anything is."""
    phases = {_PHASES[entry.stage.value] for entry in entries}
    return next(phase for phase in ("Detaching", "Attaching", "Attached") if phase in phases)


def _interfaces(attachment: PlannedAttachment) -> Iterator[dict[str, Any]]:
    if attachment.result is None:
        return
    for status in statuses_of(
        attachment.network,
        attachment.result,
        is_default=attachment.is_default,
        ifname=attachment.ifname,
    ):
        yield {
            "interface": status.interface or attachment.ifname,
            "network": status.name,
            "plane": attachment.plane or None,
            "ips": list(status.ips),
            "mac": status.mac,
            "default": status.default,
        }
