"""What a user whose account lacks a right is told: which one, and the commands that give it."""

from __future__ import annotations

import shlex

from planes.kube.errors import Forbidden, MissingRight
from planes.model.errors import PlanesError

_READING = frozenset({"get", "list", "watch"})
_ACCOUNT = "system:serviceaccount:"


def with_right(error: PlanesError) -> PlanesError:
    """Return an error whose remedy names the missing right; any other error as it is."""
    if not isinstance(error, Forbidden):
        return error
    return Forbidden(error.message, error.right, remedy=remedy_of(error.right))


def remedy_of(right: MissingRight) -> str:
    """Return the right, and below it the commands with which an administrator gives it."""
    # Who may read one object is soon asked to list them.
    verbs = "get,list" if right.verb in _READING else right.verb
    plural = right.resource.partition(".")[0].partition("/")[0]
    role = f"netplane-{'read' if right.verb in _READING else right.verb}-{plural}"
    kind, place = "clusterrolebinding", ""
    if right.namespace:
        kind, place = "rolebinding", f" -n {right.namespace}"
    return (
        f"{right.text}; an administrator gives it:\n"
        f"kubectl create clusterrole {role} --verb={verbs} --resource={right.resource}\n"
        f"kubectl create {kind} {role}{place} --clusterrole={role} {_subject(right.user)}"
    )


def _subject(user: str) -> str:
    if user.startswith(_ACCOUNT):
        return f"--serviceaccount={_quoted(user.removeprefix(_ACCOUNT))}"
    return f"--user={_quoted(user)}"


def _quoted(text: str) -> str:
    return shlex.quote(text) if text.isprintable() and text else "NAME"
