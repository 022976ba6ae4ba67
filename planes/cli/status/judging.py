"""Which of the facts about a cluster are faults, and what to do about each. Pure.

Refused pods are no faults: a policy that refuses does its work. Nor are planes whose Available is
not known: nobody has started a pod on them yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from planes.cli.reading.plane_conditions import PlaneStatusSeen
from planes.cli.status.cluster_facts import (
    CertificateSeen,
    ClusterSeen,
    DaemonSeen,
    LeaderSeen,
    StatusFault,
)
from planes.model.lines import first_few

FEW_DAYS: Final = 14.0
"""Certificates are renewed at two thirds of their life: 30 days before the end of the shorter."""
STALE_SECONDS: Final = 60.0
"""A Lease is renewed every 2 seconds; clocks of people's machines may differ a little."""
_NAMED: Final = 6
_LOOK_AT_WEBHOOK: Final = "kubectl -n netplane-system describe pods -l app.kubernetes.io/name="
_LOGS: Final = "kubectl -n netplane-system logs"


def faults_of(seen: ClusterSeen) -> list[StatusFault]:
    """Return every fault, in the order in which they should be mended."""
    if seen.is_nothing_known:
        what = "cannot tell whether all is well: nothing of it may be read"
        remedy = "ask for the ClusterRole planes-viewer, and for get and list in netplane-system"
        return [StatusFault(what, remedy)]
    return [
        *seen.absent,
        *_webhook(seen),
        *_leader(seen.leader),
        *_certificates(seen.certificates or ()),
        *_daemons(seen),
        *_versions(seen),
        *(fault for plane in seen.planes or () for fault in _plane(plane)),
    ]


def _webhook(seen: ClusterSeen) -> Iterator[StatusFault]:
    found = seen.webhook
    if found is None:
        return
    remedy = f"{_LOOK_AT_WEBHOOK}netplane-webhook"
    if found.wanted == 0:
        what = "the webhook has no replicas: no pod is reviewed, nodes alone decide"
        yield StatusFault(what, "kubectl -n netplane-system scale deployment netplane-webhook")
    elif found.ready < found.wanted:
        what = f"{found.ready} of {found.wanted} replicas of the webhook are ready"
        yield StatusFault(what, remedy)


def _leader(found: LeaderSeen | None) -> Iterator[StatusFault]:
    if found is None:
        return
    remedy = f"{_LOGS} -l app.kubernetes.io/name=netplane-webhook"
    if not found.holder:
        yield StatusFault("no replica of the webhook leads: no status is kept right", remedy)
    elif found.seconds is None:
        yield StatusFault("the webhook's Lease was never renewed: no replica leads", remedy)
    elif found.seconds > STALE_SECONDS:
        what = f"the webhook's leader {found.holder} renewed its Lease {found.seconds:.0f} s ago"
        yield StatusFault(what, f"{remedy}; is the clock of this machine right?")


def _certificates(found: Sequence[CertificateSeen]) -> Iterator[StatusFault]:
    remedy = f"{_LOGS} -l app.kubernetes.io/name=netplane-webhook; cert-manager's, if it issues"
    for one in found:
        if one.fault:
            yield StatusFault(f"{one.what}: {one.fault}", remedy)
        elif one.days is not None and one.days <= 0:
            yield StatusFault(f"{one.what} has expired", remedy)
        elif one.days is not None and one.days < FEW_DAYS:
            what = f"{one.what} has {one.days:.0f} days left: it was to be renewed before"
            yield StatusFault(what, remedy)


def _daemons(seen: ClusterSeen) -> Iterator[StatusFault]:
    pods = seen.daemon_pods
    if pods is None:
        found = seen.daemons
        if found is not None and found.ready < found.wanted:
            what = f"{found.ready} of {found.wanted} daemons are ready"
            yield StatusFault(what, "kubectl -n netplane-system get pods -o wide")
        return
    with_daemon = {pod.node for pod in pods}
    lacking = [node for node in seen.nodes or () if node not in with_daemon]
    if lacking:
        what = f"{_count(lacking, 'node')} without a daemon: {first_few(lacking, _NAMED)}"
        yield StatusFault(what, "kubectl -n netplane-system describe daemonset netplane-cni")
    yield from _not_ready([pod for pod in pods if not pod.is_ready])
    failing: dict[str, list[DaemonSeen]] = {}
    for pod in pods:
        for plane in pod.failing:
            failing.setdefault(plane, []).append(pod)
    for plane, nodes in sorted(failing.items()):
        names = [pod.node for pod in nodes]
        reason = nodes[0].failing[plane]
        what = f"plane {plane} fails on {_count(names, 'node')} ({first_few(names, _NAMED)})"
        yield StatusFault(f"{what}: {reason}", f"netplane doctor {names[0]}")


def _not_ready(pods: Sequence[DaemonSeen]) -> Iterator[StatusFault]:
    """Yield a fault for each reason, as a bad image is one fault and not one of each node."""
    by_reason: dict[str, list[DaemonSeen]] = {}
    for pod in pods:
        by_reason.setdefault(pod.why, []).append(pod)
    for why, those in by_reason.items():
        names = [pod.node or "(no node)" for pod in those]
        is_one = len(names) == 1
        told = f": {why}" if why else ""
        what = f"the daemon{'' if is_one else 's'} of {_count(names, 'node')}"
        what += f" {'is' if is_one else 'are'} not ready"
        yield StatusFault(
            f"{what} ({first_few(names, _NAMED)}){told}",
            f"kubectl -n netplane-system describe pod {those[0].pod}, then logs {those[0].pod}",
        )


def _versions(seen: ClusterSeen) -> Iterator[StatusFault]:
    images = Counter(pod.image for pod in seen.daemon_pods or () if pod.image)
    if len(images) > 1:
        told = ", ".join(f"{image} on {count}" for image, count in images.most_common(_NAMED))
        remedy = "kubectl -n netplane-system rollout status daemonset netplane-cni"
        yield StatusFault(f"nodes run different versions: {told}", remedy)
    webhook, daemons = seen.webhook, seen.daemons
    if webhook is not None and daemons is not None and webhook.image != daemons.image:
        what = f"the webhook is to run {webhook.image}, the daemons {daemons.image}"
        yield StatusFault(what, "apply the manifests of one version: kubectl apply -k …")


def _plane(plane: PlaneStatusSeen) -> Iterator[StatusFault]:
    look = f"kubectl describe plane {plane.name}"
    if "Accepted" not in plane.conditions:
        yield StatusFault(f"plane {plane.name} has no status yet", "is there a leader? see above")
        return
    if not plane.is_current:
        what = f"the status of plane {plane.name} is of an earlier spec"
        yield StatusFault(what, "wait a moment; is there a leader? see above")
    accepted = plane.conditions["Accepted"]
    if accepted.status != "True":
        yield StatusFault(f"plane {plane.name} is not accepted: {accepted.message}", look)
        return
    for name, bad, text in (
        ("NADReady", "False", "has no NAD that can be used"),
        ("Available", "False", "is not available"),
        ("Exhausted", "True", "has few addresses left"),
        ("BlocksIgnored", "True", "has IPBlocks that are ignored"),
        ("Overlapping", "True", "overlaps"),
    ):
        found = plane.conditions.get(name)
        if found is not None and found.status == bad:
            yield StatusFault(f"plane {plane.name} {text}: {found.message}", look)


def _count(names: Sequence[str], what: str) -> str:
    return f"{len(names)} {what}{'' if len(names) == 1 else 's'}"
