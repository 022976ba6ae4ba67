"""A node as the API server shows it: not ready, without our daemon, failing planes, warnings."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote
from typing import Final, TypeGuard

from planes.cli.doctor.diagnosis import CannotCheck, Diagnosis, error, hint, warning
from planes.cli.doctor.facts.cluster_node import ClusterNode, DaemonPod
from planes.model.lines import one_line
from planes.model.state.plane_health import FRESH_SECONDS, HealthReport

_BAD_IF_TRUE: Final = frozenset(
    {"DiskPressure", "MemoryPressure", "PIDPressure", "NetworkUnavailable"}
)
_LEASE_SECONDS: Final = 60.0
"""A kubelet renews it every 10 seconds; after 40 the node counts as lost."""
_RESTARTS: Final = 5
_RECENT_SECONDS: Final = 3600.0
_LONGEST: Final = 160


def judge_node(node: ClusterNode) -> Iterator[Diagnosis]:
    """Yield what is wrong with the Node and its kubelet.

    Raises:
        CannotCheck: its Lease cannot be read.
    """
    describe = f"kubectl describe node {node.name}"
    if not node.is_there:
        yield error(
            f"the cluster has no node {node.name}",
            "its kubelet has never registered it, or it was deleted",
            "kubectl get nodes",
        )
        return
    ready = next((one for one in node.conditions if one.type == "Ready"), None)
    if ready is None or ready.status != "True":
        text = one_line(f"{ready.reason}: {ready.message}", _LONGEST) if ready else "no report"
        yield error(
            f"node {node.name} is not ready ({text})",
            "no pod is started there, and its pods are moved away after five minutes",
            f"{describe}; on the node: journalctl -u kubelet -n 50",
        )
    for one in node.conditions:
        if one.type in _BAD_IF_TRUE and one.status == "True":
            yield warning(
                f"node {node.name} has {one.type} ({one_line(one.message, _LONGEST)})",
                "pods are evicted, or none is started there",
                describe,
            )
    if node.renewed is not None and node.renewed >= _LEASE_SECONDS:
        yield error(
            f"the kubelet of {node.name} renewed its Lease {node.renewed:.0f} s ago",
            "it is away, or does not reach the API server",
            "on the node: systemctl status kubelet; journalctl -u kubelet -n 50",
        )
    if node.is_cordoned:
        yield hint(
            f"node {node.name} is cordoned",
            "no new pod is scheduled there, and the daemon returns its address blocks",
            f"kubectl uncordon {node.name}",
        )
    if "its Lease" in node.unread:
        raise CannotCheck(f"its Lease: {node.unread['its Lease']}")


def judge_daemon(node: ClusterNode) -> Iterator[Diagnosis]:
    """Yield what is wrong with our daemon on the node.

    Raises:
        CannotCheck: its pod, or which version is wanted, cannot be read.
    """
    if not node.is_there:
        return
    if "daemon" in node.unread:
        raise CannotCheck(node.unread["daemon"])
    why = "pods wait at ADD until it is there; none starts without its planes"
    if not node.pods:
        yield error(
            f"no pod of netplane-cni is on node {node.name}",
            why,
            "kubectl -n netplane-system describe daemonset netplane-cni",
        )
    for pod in node.pods:
        logs = f"kubectl -n netplane-system logs {quote(pod.name)} -c cni --tail=50"
        if not pod.is_ready:
            told = pod.state or (pod.report.unready if _is_of(pod.report, node) else "")
            state = f" ({one_line(told, _LONGEST)})" if told else ""
            yield error(f"pod {pod.name} of netplane-cni is not ready{state}", why, logs)
        if pod.restarts >= _RESTARTS:
            yield warning(
                f"pod {pod.name} of netplane-cni was restarted {pod.restarts} times",
                "each time calls in flight are undone and pods start later",
                f"{logs} --previous",
            )
        yield from _version(pod, node)
    if "version of the DaemonSet" in node.unread:
        raise CannotCheck(f"its version: {node.unread['version of the DaemonSet']}")


def _is_of(report: HealthReport | None, node: ClusterNode) -> TypeGuard[HealthReport]:
    """Report whether a node's report is of that node itself: it may state facts of no other."""
    return report is not None and report.node == node.name


def _version(pod: DaemonPod, node: ClusterNode) -> Iterator[Diagnosis]:
    if node.wanted_image and pod.image and pod.image != node.wanted_image:
        yield warning(
            f"pod {pod.name} runs {one_line(pod.image, _LONGEST)}, the DaemonSet wants "
            f"{one_line(node.wanted_image, _LONGEST)}",
            "nodes of different versions may decide differently",
            "kubectl -n netplane-system rollout status daemonset netplane-cni",
        )


def judge_plane_health(node: ClusterNode, now: float) -> Iterator[Diagnosis]:
    """Yield planes that fail on the node, as its daemon reports.

    Raises:
        CannotCheck: there is no report.
    """
    reports = [pod.report for pod in node.pods if pod.report is not None]
    if node.pods and not reports:
        raise CannotCheck("the daemon has not reported yet: it does with the first pod of a plane")
    for report in reports:
        for plane, health in report.planes.items():
            is_fresh = now - FRESH_SECONDS <= health.last <= now + FRESH_SECONDS
            if _is_of(report, node) and health.is_failing and is_fresh:
                yield error(
                    f"plane {plane} fails on {node.name}: {health.failures} times since a pod got "
                    f"it, the last: {one_line(health.reason, _LONGEST)}",
                    "pods of this plane do not start on this node",
                    f"on the node, in the daemon's container: python3 -m planes.cli doctor; "
                    f"kubectl describe plane {plane}",
                )


def judge_events(node: ClusterNode) -> Iterator[Diagnosis]:
    """Yield warnings of the last hour about the node and the daemon.

    Raises:
        CannotCheck: events cannot be read.
    """
    for one in node.events:
        if one.age <= _RECENT_SECONDS:
            times = f"{one.count} times" if one.count > 1 else "once"
            yield warning(
                f"{one.about}: {one_line(one.reason, 64)}: {one_line(one.message, _LONGEST)} "
                f"({times}, the last {one.age / 60:.0f} min ago)",
                "something on the node reported it",
                f"kubectl describe node {node.name}",
            )
    if "events" in node.unread:
        raise CannotCheck(node.unread["events"])
