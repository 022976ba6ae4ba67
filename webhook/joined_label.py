"""The label `netplane.io/joined=true`, by which the pod webhooks' namespaceSelector selects.

It only says that pods of the namespace have to be reviewed. Which planes a pod gets is decided for
each pod.
"""

from __future__ import annotations

from typing import Final

from planes.model.names import JOINED_LABEL
from planes.model.objects import Namespace
from planes.model.state.catalog import Catalog
from planes.model.state.membership import required_by_label

JOINED_VALUE: Final = "true"


def needs_joined_label(namespace: Namespace, catalog: Catalog, *, is_kept: bool = True) -> bool:
    """Report whether pods of a namespace have to be reviewed: it joins a plane, or tries to.

    One with a label `required` always needs it: the policy for required planes expects each pod to
    be reviewed. `is_kept` as in `Catalog.membership`.
    """
    membership = catalog.membership(namespace, is_kept=is_kept)
    found = membership.planes or membership.findings
    return bool(found or required_by_label(namespace))


def has_joined_label(namespace: Namespace) -> bool:
    """Report whether a namespace has the label, with its one value."""
    return namespace.labels.get(JOINED_LABEL) == JOINED_VALUE
