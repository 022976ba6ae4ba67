"""The pods that have a plane, which block its deletion.

Only pods of joined namespaces count, as no other pod gets the plane: a pod elsewhere that names it,
or has a status of it, must not block its deletion.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nsmallest

from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Users:
    """The pods that have a plane.

    Attributes:
        count: how many there are.
        shown: the first few, `namespace/name`, sorted.
        namespaces: the first few of their namespaces, sorted.
    """

    count: int = 0
    shown: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.count == 1:
            return f"pod {self.shown[0]}"
        more = f" and {self.count - len(self.shown)} more" if self.count > len(self.shown) else ""
        return f"{self.count} pods ({', '.join(self.shown)}{more})"


def users_of(plane: Plane, catalog: Catalog) -> Users:
    """Return the pods of joined namespaces that ask for a plane or have an address of it."""
    found = list(_users(plane, catalog))
    namespaces = {pod.partition("/")[0] for pod in found}
    return Users(len(found), tuple(nsmallest(_SHOWN, found)), tuple(nsmallest(_SHOWN, namespaces)))


def is_used(plane: Plane, catalog: Catalog) -> bool:
    """Report whether any pod of a joined namespace asks for a plane or has an address of it."""
    return any(True for _ in _users(plane, catalog))


def _users(plane: Plane, catalog: Catalog) -> Iterator[str]:
    joined: dict[str, bool] = {}
    for name, pod in catalog.claims.pods_on(plane.ref):
        if name not in joined:
            namespace = catalog.namespace_of(name)
            joined[name] = namespace is not None and plane.joined_by(namespace)
        if joined[name]:
            yield pod
