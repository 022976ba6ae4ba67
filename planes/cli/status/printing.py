"""Print what was seen, and below it each fault with its remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from planes.cli.console import Console
from planes.cli.explaining.pod_start import told
from planes.cli.reading.plane_conditions import PlaneStatusSeen
from planes.cli.status.cluster_facts import (
    ClusterSeen,
    DaemonSeen,
    EventGroup,
    ReadyReplicas,
)
from planes.cli.status.machine import MachineSeen
from planes.cli.status.probes import ProbeAnswer
from planes.cli.status.report import StatusReport

_FEW_NODES: Final = 20
_FEW_EVENTS: Final = 10
_UNKNOWN: Final = "not known"
_CONDITIONS: Final = ("Accepted", "NADReady", "Available", "Exhausted")
_COUNTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "IN-USE": "inUse",
        "FREE": "available",
        "CAPACITY": "capacity",
        "NAMESPACES": "namespaces",
        "STATIC": "static",
        "COOLING": "cooling",
    }
)
"""Members of a plane's status by the title of their column."""
_SHORT: Final = 8
"""Columns of planes that are printed without `-o wide`."""


def print_report(console: Console, report: StatusReport) -> None:
    """Print a look at Netplane."""
    seen = report.seen
    if isinstance(seen, ClusterSeen):
        _cluster(console, seen)
    elif seen is not None:
        _machine(console, seen)
    for text in report.unknown:
        console.warn(text)
    if seen is not None:
        console.line("")
    for fault in report.faults:
        console.line(f"fault: {fault.what}", "red")
        if fault.remedy:
            console.line(f"  remedy: {fault.remedy}")
    if report.is_well:
        rest = ", as far as it is known" if report.unknown else ""
        console.line(f"All is well{rest}.", "green")
    elif not report.faults:
        console.line("Not everything is known, and --strict was given.", "red")


def _cluster(console: Console, seen: ClusterSeen) -> None:
    console.line(f"webhook       {_replicas(seen.webhook)}")
    leader = seen.leader
    text = _UNKNOWN if leader is None else leader.holder or "none"
    if leader is not None and leader.seconds is not None:
        text += f", renewed {told(leader.seconds)} ago"
    console.line(f"leader        {text}")
    for number, one in enumerate(seen.certificates or ()):
        days = f"{one.days:.0f} days left" if one.days is not None else one.fault or _UNKNOWN
        console.line(f"{'' if number else 'certificates':<14}{one.what}: {days}")
    if seen.certificates is None:
        console.line(f"certificates  {_UNKNOWN}")
    console.line(f"daemons       {_replicas(seen.daemons)}")
    _nodes(console, seen)
    _planes(console, seen.planes)
    _events(console, seen.events)


def _replicas(found: ReadyReplicas | None) -> str:
    return _UNKNOWN if found is None else f"{found.ready} of {found.wanted} ready, {found.image}"


def _nodes(console: Console, seen: ClusterSeen) -> None:
    """Print the nodes: all of a small cluster, else those that are not well."""
    pods = list(seen.daemon_pods or ())
    if seen.daemon_pods is None and seen.nodes is None:
        return
    with_daemon = {pod.node for pod in pods}
    if seen.daemon_pods is not None:
        pods += [DaemonSeen(n, "", False, "-") for n in seen.nodes or () if n not in with_daemon]
    shown = sorted(pods, key=lambda pod: pod.node)
    if len(shown) > _FEW_NODES and not console.is_wide:
        shown = [pod for pod in shown if not pod.is_ready or pod.failing]
    if not shown:
        return
    rows = [
        (
            pod.node or "-",
            "yes" if pod.is_ready else "no" if pod.pod else "no daemon",
            pod.image,
            str(pod.restarts),
            _note(pod),
        )
        for pod in shown
    ]
    console.line("")
    console.table(("NODE", "READY", "VERSION", "RESTARTS", "NOTE"), rows)


def _note(pod: DaemonSeen) -> str:
    return pod.why or "; ".join(f"{name} fails: {why}" for name, why in pod.failing.items())


def _planes(console: Console, planes: Sequence[PlaneStatusSeen] | None) -> None:
    if planes is None:
        return
    console.line("")
    if not planes:
        console.line("There is no plane.")
        return
    rows = [
        (
            f"{plane.name} (being deleted)" if plane.is_leaving else plane.name,
            *(_condition(plane, name) for name in _CONDITIONS),
            *(str(plane.counts.get(key, "-")) for key in _COUNTS.values()),
        )
        for plane in planes
    ]
    header = ("PLANE", *(name.upper() for name in _CONDITIONS), *_COUNTS)
    console.table(header, rows, wide=_SHORT)


def _condition(plane: PlaneStatusSeen, name: str) -> str:
    found = plane.conditions.get(name)
    return "-" if found is None else found.status


def _events(console: Console, groups: Sequence[EventGroup] | None) -> None:
    if not groups:
        return
    console.line("")
    console.line("Warnings of the last hour:")
    for group in groups if console.is_wide else groups[:_FEW_EVENTS]:
        often = f" ({group.count} times)" if group.count > 1 else ""
        console.line(f"  {group.last}  {group.reason}{often}  {group.about}: {group.message}")
    if len(groups) > _FEW_EVENTS and not console.is_wide:
        console.line(f"  and {len(groups) - _FEW_EVENTS} more kinds: -o wide")


def _machine(console: Console, seen: MachineSeen) -> None:
    console.line(f"daemon    {_answer(seen.daemon)}")
    console.line(f"webhook   {_answer(seen.webhook)}")
    console.line(f"planes    {', '.join(seen.planes) or 'none'}")
    console.line(f"pods      {seen.pods}")
    _events(console, seen.events)


def _answer(answer: ProbeAnswer | None) -> str:
    if answer is None:
        return "not asked"
    if not answer.is_asked:
        return _UNKNOWN
    return f"ready ({answer.text})" if answer.is_ready else "not ready"
