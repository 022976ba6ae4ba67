"""NADs that Multus' file names: networks which the node's administrator gives to every pod.

Invariant: no tenant can write one. Where the NAD policy restricts NADs, one outside the
administrators' namespaces is refused, since it configures the network of every pod.
"""

from __future__ import annotations

from collections.abc import Callable

from planes.model.errors import BadInput, Denied
from planes.model.objects import NadRef
from planes.model.wire.netconf import ConfList, parse_conflist
from planes.store.protocol import Store

TrustedNads = Callable[[NadRef], ConfList | None]
"""Returns a NAD's configuration; None where there is no such NAD, or it has none of its own."""


def no_nads(_: NadRef) -> ConfList | None:
    """Return None: a node without a cluster has no NADs."""
    return None


def trusted_nads(store: Store) -> TrustedNads:
    """Return a lookup of NADs in a store, which raises PlanesError for one that may not be used."""

    def find(ref: NadRef) -> ConfList | None:
        nad = store.catalog.nads.get(ref)
        if nad is None:
            return None
        if store.catalog.nad_checks.policy.restricts(ref.namespace):
            raise Denied(
                f"cannot give every pod the NAD {ref} that Multus' file names: namespace "
                f"{ref.namespace} is none of the administrators'",
                remedy=f"add {ref.namespace} to NETPLANE_NAD_NAMESPACES, or move the NAD",
            )
        if nad.fault:
            raise BadInput(nad.fault, remedy=nad.remedy)
        if not nad.config.strip():
            return None
        return parse_conflist(nad.config, default_name=nad.name, what=f"the NAD {ref}")

    return find
