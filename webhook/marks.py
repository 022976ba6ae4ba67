"""Which namespaces carry the mark that the pod hooks' namespaceSelector asks for.

The mark only says "pods of this namespace concern planes"; which planes, and whether a pod may
have them, is decided anew for each pod.
"""

from __future__ import annotations

from typing import Final

from planes.model.names import JOINED_LABEL
from planes.model.objects import Namespace
from planes.model.state.catalog import Catalog
from planes.model.state.membership import required_by_label

MARK: Final = "true"


def is_concerned(namespace: Namespace, catalog: Catalog, *, is_kept: bool = True) -> bool:
    """Tell whether pods of a namespace have to be looked at: it joins, or tries to.

    One that says `required` always is: the policy for required planes wants each pod reviewed.
    `is_kept` as `Catalog.membership` has it.
    """
    membership = catalog.membership(namespace, is_kept=is_kept)
    found = membership.planes or membership.errors or membership.warnings
    return bool(found or required_by_label(namespace))


def is_marked(namespace: Namespace) -> bool:
    """Tell whether a namespace carries the mark."""
    return namespace.labels.get(JOINED_LABEL) == MARK
