"""`/validate/networkattachmentdefinitions`: judge a NAD when it is written or deleted.

An update is judged only where it changes configuration or resource: it must stay possible to
label, own and delete an older NAD. A NAD that is being deleted is judged too, as pods may still use
it. One that pods of its namespace name, or that backs a plane, is deleted only with the annotation
`netplane.io/delete-in-use`; the namespace and garbage collectors are never refused.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import Final

from planes.model.decide.nad_review import review_nad
from planes.model.errors import BadInput, Finding, JsonObject, Unavailable
from planes.model.names import DELETE_IN_USE_ANNOTATION, NETPLANE_NAMESPACE
from planes.model.objects import Nad
from planes.store.protocol import Store
from webhook.review import NADS, Allowed, Answer, Errored, Rejected, Review

CONTROLLER: Final = f"system:serviceaccount:{NETPLANE_NAMESPACE}:netplane-webhook"
CLEANERS: Final = frozenset(
    {
        "system:serviceaccount:kube-system:namespace-controller",
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:kube-controller-manager",
    }
)
"""Users that delete because a namespace or an owner is gone.

The last one is that of controllers that share an account.
"""

_WARNING_CHARACTERS: Final = 120
_SHOWN_PODS: Final = 3


def validate_nad(review: Review, store: Store) -> Answer:
    """Answer a review of a NAD."""
    if review.resource != NADS:
        return Errored(
            BadInput(
                f"cannot review {review.resource or 'an object without resource'}: "
                "this path is for network-attachment-definitions",
                remedy="correct the rules of the webhook configuration",
            )
        )
    if reason := _exemption(review):
        return Allowed(audit={"decision": f"exempt: {reason}"})
    if not store.is_synced:
        cause = "cannot judge the NAD: planes and NADs have not been read yet"
        return Errored(Unavailable(cause, remedy="try again in a moment"))
    try:
        if review.operation == "DELETE":
            return _deleted(_nad(review.old or {}, review), store)
        old = _nad(review.old, review) if review.old else None
        return _written(_nad(review.obj or {}, review), old, store)
    except BadInput as error:
        return Errored(error)


def _exemption(review: Review) -> str:
    if review.subresource or review.operation not in {"CREATE", "UPDATE", "DELETE"}:
        return "nothing here changes what nodes do"
    user = review.user.name
    if user == CONTROLLER and review.namespace == NETPLANE_NAMESPACE:
        return "the controller's own"
    if review.operation == "DELETE" and user in CLEANERS:
        return "its namespace or owner is gone"
    return ""


def _nad(obj: JsonObject, review: Review) -> Nad:
    """Read the NAD; one whose name is generated after admission gets its prefix with a 0."""
    metadata = obj.get("metadata")
    if isinstance(metadata, dict) and not metadata.get("name"):
        name = review.name or f"{review.display_name.removesuffix('*')}0"
        obj = {**obj, "metadata": {**metadata, "name": name}}
    return Nad.from_object(obj, review.namespace)


def _written(nad: Nad, old: Nad | None, store: Store) -> Answer:
    namespace = store.namespace(nad.namespace)
    found = review_nad(nad, store.catalog, old, namespace=namespace)
    warnings = [_short(finding) for finding in found.warnings]
    if found.errors:
        return Rejected(found.errors, warnings, {"decision": "denied"})
    plane = store.catalog.plane_of(nad.ref)
    if plane is not None and plane.network is not None:
        warnings.append(f"it is rendered from plane {plane.name}: what you change is undone")
    if old is not None and old.config != nad.config and (pods := store.pods_naming(nad.ref)):
        warnings.append(f"attached as it was, until created anew: {_listed(pods)}")
    return Allowed(warnings, {"decision": "allowed"})


def _deleted(nad: Nad, store: Store) -> Answer:
    plane = store.catalog.plane_of(nad.ref)
    warnings = []
    findings = []
    remedy = f"or annotate the NAD {DELETE_IN_USE_ANNOTATION}: true"
    if plane is not None and plane.network is not None:
        warnings.append(f"it is rendered from plane {plane.name}, and will be made again")
    elif plane is not None:
        message = f"cannot delete NAD {nad.ref}: plane {plane.name} stands on it"
        findings.append(Finding("", message, f"delete the plane first, {remedy}", 409))
    if pods := store.pods_naming(nad.ref):
        message = f"cannot delete NAD {nad.ref}: it is in use by {_listed(pods)}"
        findings.append(Finding("", message, f"delete them first, {remedy}", 409))
    if findings and nad.annotations.get(DELETE_IN_USE_ANNOTATION) != "true":
        return Rejected(findings, warnings, {"decision": "denied"})
    warnings += [_short(Finding("", each.message.partition(": ")[2])) for each in findings]
    return Allowed(warnings, {"decision": "allowed"})


def _listed(pods: tuple[str, ...]) -> str:
    shown = ", ".join(nsmallest(_SHOWN_PODS, pods))
    more = f" and {len(pods) - _SHOWN_PODS} more" if len(pods) > _SHOWN_PODS else ""
    return f"{len(pods)} pods ({shown}{more})" if more or len(pods) > 1 else f"pod {shown}"


def _short(finding: Finding) -> str:
    """Return a warning of the length that kubectl shows; a long one loses its remedy first."""
    text = str(finding)
    if len(text) > _WARNING_CHARACTERS:
        text = f"{finding.path}: {finding.message}" if finding.path else finding.message
    return text if len(text) <= _WARNING_CHARACTERS else text[: _WARNING_CHARACTERS - 1] + "…"
