"""The pod under review with its namespace and the catalog, or an answer where it is exempt.

Exempt are the namespaces that a cluster needs to start (ours and kube-system), and the mirror pods
that a kubelet creates of its static ones. The annotation of a static pod counts only where a node
sends it: anybody else could write it. Pods on the host's network are judged where that is possible
and never have to wait. Nothing here does I/O.
"""

from __future__ import annotations

from dataclasses import dataclass

from planes.model.decide.decision import Decision
from planes.model.errors import BadInput, Finding, Unavailable
from planes.model.names import NETPLANE_NAMESPACE
from planes.model.objects import Namespace, Pod
from planes.model.state.catalog import Catalog
from planes.store.protocol import Store
from webhook.review import Allowed, Answer, Errored, Rejected, Review, User

EXEMPT_NAMESPACES = frozenset({"kube-system", NETPLANE_NAMESPACE})

_NODE_USER = "system:node:"
_NODES = "system:nodes"
_AUDIT_CHARACTERS = 2048

# Kubernetes' own limit for all annotations of an object. It is checked there only after mutating
# hooks were asked; here it bounds what a hostile annotation can cost.
_LARGEST = 256 << 10
_TOO_LARGE = Finding(
    "metadata.annotations",
    f"cannot read the annotations: together they are larger than {_LARGEST >> 10} KiB",
    "shorten them",
)


@dataclass(frozen=True, slots=True)
class ReviewedPod:
    """A pod under review, and the state by which it is judged."""

    pod: Pod
    namespace: Namespace
    catalog: Catalog


def pod_of(review: Review) -> Pod | Answer:
    """Return the pod under review, or the answer where it is exempt or cannot be read."""
    if review.resource != "pods":
        return Errored(
            BadInput(
                f"cannot review {review.resource or 'an object without resource'}: "
                "this path is for pods",
                remedy="correct the rules of the webhook configuration",
            )
        )
    if review.obj is None:
        return Allowed(audit={"decision": "exempt: there is no object"})
    try:
        pod = Pod.from_object(review.obj, review.namespace)
    except BadInput as error:
        return Errored(error)
    reason = _exemption(pod, review)
    if reason:
        return Allowed(audit={"decision": f"exempt: {reason}"})
    size = sum(len(key) + len(text) for key, text in pod.annotations.items())
    return Rejected([_TOO_LARGE], audit={"decision": "denied"}) if size > _LARGEST else pod


def reviewed_pod(pod: Pod, store: Store) -> ReviewedPod | Answer:
    """Return a pod with the watched state it is judged by, or an answer while that is missing."""
    namespace = store.namespace(pod.namespace)
    if store.is_synced and namespace is not None:
        return ReviewedPod(pod, namespace, store.catalog)
    if pod.host_network:  # gets no plane in any namespace, and others may need it to start
        return Allowed(audit={"decision": "exempt: host network"})
    if not store.is_synced:
        cause, remedy = "planes and namespaces have not been read yet", "try again in a moment"
    else:
        cause = f"the namespace {pod.namespace or '(none)'} is not known"
        remedy = "create the namespace, or try again in a moment if it is new"
    return Errored(Unavailable(f"cannot judge the pod: {cause}", remedy=remedy))


def audit_of(decision: Decision) -> dict[str, str]:
    """Return a decision's audit annotations: its planes, and breaches that are only recorded."""
    audit = {}
    planes = dict.fromkeys(each.plane for each in decision.attachments if each.plane)
    if planes:
        audit["planes"] = ",".join(planes)
    if decision.audits:
        audit["breaches"] = " | ".join(map(str, decision.audits))[:_AUDIT_CHARACTERS]
    return audit


def is_node(user: User) -> bool:
    """Report whether a user is a kubelet."""
    return user.name.startswith(_NODE_USER) and _NODES in user.groups


def node_of(user: User) -> str:
    """Return the node that a request comes from; "" where it comes from none.

    A kubelet's user name has it; our daemon's token is bound to it.
    """
    if is_node(user):
        return user.name.removeprefix(_NODE_USER)
    if user.name.startswith(f"system:serviceaccount:{NETPLANE_NAMESPACE}:"):
        return user.node
    return ""


def _exemption(pod: Pod, review: Review) -> str:
    if pod.namespace in EXEMPT_NAMESPACES:
        return f"namespace {pod.namespace}"
    if pod.is_static and is_node(review.user):
        return "static pod"
    return ""
