"""Errors of the API server that only the Kubernetes adapter tells apart.

HTTP status to error: 400/405/415/422 BadInput, 403 Denied (`Forbidden` where a right is missing),
404 NotFound (so is a create in a namespace that is being deleted), 409 Conflict (`AlreadyExists`
where the reason says so), 410 Expired (so is a version that a server does not have yet), 401
Unauthenticated, 429/5xx and errors of the connection Unavailable (`IdleConnection` where a response
began and then stopped).
"""

from __future__ import annotations

from dataclasses import dataclass

from planes.model.errors import Conflict, Denied, Unavailable


@dataclass(frozen=True, slots=True)
class MissingRight:
    """What RBAC does not allow, as the API server says it.

    Attributes:
        user: who asked.
        verb: of RBAC, e.g. `list`.
        resource: plural, maybe with a subresource, and its group: `pods/status`,
            `planes.netplane.io`.
        namespace: "" for a right in the whole cluster.
    """

    user: str
    verb: str
    resource: str
    namespace: str = ""

    @property
    def text(self) -> str:
        """Return in words that it is missing."""
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"the right to {self.verb} {self.resource}{where} is missing"


class Forbidden(Denied):
    """Our account lacks a right (403 by RBAC), not one by a policy or webhook.

    Args:
        message: as for every error.
        right: that is missing.
        remedy: what the reader can do.
    """

    def __init__(self, message: str, right: MissingRight, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.right = right


class AlreadyExists(Conflict):
    """An object of that name exists already."""


class Expired(Unavailable):
    """The resourceVersion is too old to go on from (410), or too new: list again."""


class Unauthenticated(Unavailable):
    """The server does not accept our credentials (401), even after they were read again."""


class IdleConnection(Unavailable):
    """Nothing came for too long on a connection that had begun to answer."""
