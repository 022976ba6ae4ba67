"""`/mutate/namespaces`: set the mark of a namespace in the request that labels it.

So its very next pod is asked about. It never refuses and never waits: where it was not there, or
did not know better yet, the controller puts the mark right; what the controller writes stands.
"""

from __future__ import annotations

from planes.model.errors import BadInput, JsonObject
from planes.model.names import JOINED_LABEL, NETPLANE_NAMESPACE
from planes.model.objects import Namespace
from planes.model.patch import escape
from planes.store.protocol import Store
from webhook.marks import MARK, is_concerned
from webhook.review import Allowed, Answer, Errored, Patched, Review

_LABELS = "/metadata/labels"
_OUR_USERS = f"system:serviceaccount:{NETPLANE_NAMESPACE}:"


def mutate_namespace(review: Review, store: Store) -> Answer:
    """Answer a review with the mark that the namespace lacks, or has no more."""
    if review.resource != "namespaces":
        return Errored(
            BadInput(
                f"cannot review {review.resource or 'an object without resource'}: "
                "this path is for namespaces",
                remedy="correct the rules of the webhook configuration",
            )
        )
    reason = _exemption(review, store)
    if reason:
        return Allowed(audit={"decision": reason})
    obj = review.obj or {}
    try:
        namespace = Namespace.from_object(obj)
    except BadInput:
        return Allowed(audit={"decision": "left to the API server: it cannot be read"})
    # Whoever reaches the port writes reviews: nothing of what is in one outlasts its answer.
    is_wanted = is_concerned(namespace, store.catalog, is_kept=False)
    patch = _patch(obj, namespace, is_wanted=is_wanted)
    if not patch:
        return Allowed(audit={"decision": "nothing to change"})
    return Patched(patch, audit={"decision": "marked" if "value" in patch[-1] else "unmarked"})


def _exemption(review: Review, store: Store) -> str:
    if review.operation not in {"CREATE", "UPDATE"} or review.subresource or review.obj is None:
        return "exempt: only labels concern planes"
    if review.user.name.startswith(_OUR_USERS):
        return "exempt: the controller's own"
    return "" if store.is_synced else "left to the controller"


def _patch(obj: JsonObject, namespace: Namespace, *, is_wanted: bool) -> list[JsonObject]:
    present = namespace.labels.get(JOINED_LABEL)
    path = f"{_LABELS}/{escape(JOINED_LABEL)}"
    if not is_wanted:
        return [] if present is None else [{"op": "remove", "path": path}]
    if present == MARK:
        return []
    if obj["metadata"].get("labels") is None:
        return [{"op": "add", "path": _LABELS, "value": {JOINED_LABEL: MARK}}]
    return [{"op": "add", "path": path, "value": MARK}]
