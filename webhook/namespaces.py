"""`/mutate/namespaces`: set the joined label of a namespace in the request that labels it.

So its very next pod is reviewed. It never refuses and never waits: where no webhook ran, or it had
not read the planes yet, the controller corrects the label; what the controller writes is left as it
is. A label that joins nothing (no such plane, neither `enabled` nor `required`) is warned about.
"""

from __future__ import annotations

from collections.abc import Mapping

from planes.model.errors import BadInput, JsonObject
from planes.model.names import JOINED_LABEL, NETPLANE_NAMESPACE
from planes.model.objects import Namespace
from planes.model.patch import escape
from planes.model.state.catalog import Catalog
from planes.store.protocol import Store
from webhook.joined_label import JOINED_VALUE, needs_joined_label
from webhook.review import Allowed, Answer, Errored, Patched, Review

_LABELS = "/metadata/labels"
_OUR_USERS = f"system:serviceaccount:{NETPLANE_NAMESPACE}:"


def mutate_namespace(review: Review, store: Store) -> Answer:
    """Answer a review with a patch that adds or removes the joined label."""
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
    # Any peer of the port may write reviews: nothing of one is remembered.
    is_wanted = needs_joined_label(namespace, store.catalog, is_kept=False)
    patch = _patch(obj, namespace, is_wanted=is_wanted)
    before = _labels_before(review)
    warnings = _warnings(namespace, before, store.catalog)
    if not patch:
        return Allowed(warnings, {"decision": "nothing to change"})
    warnings = (*warnings, *_undone(namespace, before, is_wanted=is_wanted))
    return Patched(patch, warnings, {"decision": "marked" if "value" in patch[-1] else "unmarked"})


def _labels_before(review: Review) -> Mapping[str, str]:
    try:
        return Namespace.from_object(review.old).labels if review.old else {}
    except BadInput:
        return {}


def _warnings(namespace: Namespace, before: Mapping[str, str], catalog: Catalog) -> tuple[str, ...]:
    """Return warnings about the labels that a request changes."""
    changed = [key for key, text in namespace.labels.items() if before.get(key) != text]
    found = catalog.membership(namespace, is_kept=False).findings_of(changed) if changed else ()
    return tuple(str(finding).removeprefix("namespace.") for finding in found)


def _undone(namespace: Namespace, before: Mapping[str, str], *, is_wanted: bool) -> tuple[str, ...]:
    """Warn of a joined label in the request, which is undone though kubectl says "labeled"."""
    asked = namespace.labels.get(JOINED_LABEL)
    if asked == before.get(JOINED_LABEL):
        return ()
    if is_wanted and asked is None:
        return (
            f"cannot take {JOINED_LABEL} off: the namespace joins planes, so it was put back; "
            "to leave a plane remove its label plane.netplane.io/NAME",
        )
    if is_wanted:
        return (
            f"cannot set {JOINED_LABEL} to another value than {JOINED_VALUE}: it was put right",
        )
    return (
        f"cannot set {JOINED_LABEL}: Netplane alone sets it, and it was taken off again; "
        "to join a plane set the label plane.netplane.io/NAME=enabled",
    )


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
    if present == JOINED_VALUE:
        return []
    if obj["metadata"].get("labels") is None:
        return [{"op": "add", "path": _LABELS, "value": {JOINED_LABEL: JOINED_VALUE}}]
    return [{"op": "add", "path": path, "value": JOINED_VALUE}]
