"""What only the Kubernetes adapter tells apart; everything else is an error of the model.

HTTP status to error: 400/405/415/422 BadInput, 403 Denied, 404 NotFound (as is whatever should
be made in a namespace that is being deleted), 409 Conflict
(`AlreadyExists` where the reason says so), 410 Expired (so is a version that a server does not
have yet), 401 Unauthenticated, 429/5xx and transport Unavailable (`Silent` where an answer began
and then stopped).
"""

from __future__ import annotations

from planes.model.errors import Conflict, Unavailable


class AlreadyExists(Conflict):
    """An object of that name is there already: whoever made it first holds the name."""


class Expired(Unavailable):
    """The resourceVersion is too old to go on from (410), or too new: list again."""


class Unauthenticated(Unavailable):
    """The server does not know us (401), even after our credentials were read again."""


class Silent(Unavailable):
    """Nothing came for too long on a connection that had begun to answer."""
