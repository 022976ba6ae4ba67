"""Errors of the API server that only the Kubernetes adapter tells apart.

HTTP status to error: 400/405/415/422 BadInput, 403 Denied, 404 NotFound (so is a create in a
namespace that is being deleted), 409 Conflict (`AlreadyExists` where the reason says so), 410
Expired (so is a version that a server does not have yet), 401 Unauthenticated, 429/5xx and errors
of the connection Unavailable (`IdleConnection` where a response began and then stopped).
"""

from __future__ import annotations

from planes.model.errors import Conflict, Unavailable


class AlreadyExists(Conflict):
    """An object of that name exists already."""


class Expired(Unavailable):
    """The resourceVersion is too old to go on from (410), or too new: list again."""


class Unauthenticated(Unavailable):
    """The server does not accept our credentials (401), even after they were read again."""


class IdleConnection(Unavailable):
    """Nothing came for too long on a connection that had begun to answer."""
