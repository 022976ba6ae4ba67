"""The last hour's denials and failures, folded: a workload that is refused is refused often."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from planes.cli.reading.events import SeenEvent, events, since
from planes.cli.status.cluster_facts import EventGroup
from planes.kube.api import ReadApi
from planes.model.events import COMPONENT
from planes.run.clock import rfc3339

HOUR: Final = 3600.0
_MOST_GROUPS: Final = 50
_OURS: Final = f"reportingComponent={COMPONENT},type=Warning"
_OF_OTHERS: Final = (
    ("reason=FailedCreatePodSandBox", 'type="netplane"'),
    ("reason=FailedCreate", "netplane.io"),
)
"""Events of kubelets and controllers that quote us, and how they are told from others."""


async def recent(api: ReadApi, now: float) -> tuple[EventGroup, ...]:
    """Return warnings of the last hour that are Netplane's, latest first.

    Raises:
        PlanesError: they cannot be listed.
    """
    found = [each async for each in events(api, _OURS)]
    for fields, mark in _OF_OTHERS:
        found += [each async for each in events(api, fields) if mark in each.message]
    return grouped(since(found, rfc3339(now - HOUR)))


def grouped(found: Iterable[SeenEvent]) -> tuple[EventGroup, ...]:
    """Fold events of one reason in one namespace; they are given latest first."""
    groups: dict[tuple[str, str], tuple[SeenEvent, int]] = {}
    for event in found:
        key = event.reason, event.namespace
        latest, count = groups.get(key, (event, 0))
        groups[key] = latest, count + event.count
    return tuple(
        EventGroup(e.when, e.reason, e.namespace, count, _about(e), e.message)
        for e, count in list(groups.values())[:_MOST_GROUPS]
    )


def _about(event: SeenEvent) -> str:
    name = f"{event.namespace}/{event.name}" if event.namespace else event.name
    return f"{event.kind} {name}"
