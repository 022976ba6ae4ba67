"""The words of a plan: each is another name for a field of the Plane API.

People wrote such files before there were planes: `cni`, `cidr`, `purpose` and `interface` are
theirs. All other words are called as the field they stand for, but for `podInterface`. What no word
stands for is under `spec` and `metadata`, as in a Plane manifest. A word with the value null is
answered: there is none, on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Route = tuple[str, ...]
"""Keys from a plane's spec down to a field."""

WORDS: Final[Mapping[str, Route]] = {
    "purpose": ("purpose",),
    "cni": ("network", "type"),
    "interface": ("network", "master"),
    "vlan": ("network", "vlan"),
    "mode": ("network", "mode"),
    "mtu": ("network", "mtu"),
    "resourceName": ("network", "resourceName"),
    "podInterface": ("interface",),
    "order": ("order",),
    "defaultRoute": ("defaultRoute",),
    "subnets": ("subnets",),
    "reservations": ("staticIPs", "reservations"),
}
SUBNET_WORDS: Final = ("cidr", "gateway", "ranges", "exclude", "staticRanges")
"""Fields of a plane's only subnet; of several the word is `subnets`."""
NAMESPACES: Final = "namespaces"
"""The namespaces that join: names, or a mapping of names to `enabled` and `required`."""
SPEC: Final = "spec"
METADATA: Final = "metadata"
ALL_WORDS: Final = (*WORDS, *SUBNET_WORDS, NAMESPACES, SPEC, METADATA)
LIST_WORDS: Final = frozenset({"ranges", "exclude", "staticRanges", NAMESPACES})
"""Words whose value is a list of texts."""
CLUSTER_CNIS: Final = frozenset(
    {"antrea", "aws-cni", "aws-vpc", "azure", "azure-cni", "azure-vnet", "calico", "canal"}
    | {"cilium", "flannel", "kindnet", "kube-ovn", "kube-router", "kubenet", "ovn-kubernetes"}
    | {"romana", "weave", "weave-net"}
)
"""What makes eth0 of all pods: a network of such a type is the cluster's own, and no plane."""


def plan_path(entry: str, field: str, *, is_flat: bool) -> str:
    """Return where a plan says what a finding about a Plane manifest is about.

    Args:
        entry: path of the network.
        field: path in the manifest, e.g. `spec.subnets[0].gateway`.
        is_flat: the plan writes the only subnet's fields beside the others.
    """
    if field == "metadata.name":
        return entry
    if field == "spec.network":  # of what type it is
        return f"{entry}.cni"
    if is_flat and (rest := _below(field, "spec.subnets[0]")) is not None:
        return f"{entry}{rest}" if rest else f"{entry}.cidr"
    if is_flat and field == "spec.subnets":
        return f"{entry}.cidr"
    for word, route in WORDS.items():
        rest = _below(field, f"spec.{'.'.join(route)}")
        if rest is not None:
            return f"{entry}.{word}{rest}"
    return f"{entry}.{field}"


def _below(path: str, prefix: str) -> str | None:
    """Return the rest of a path below a prefix, None where it is not below it."""
    rest = path.removeprefix(prefix)
    return rest if path.startswith(prefix) and (not rest or rest[0] in ".[") else None
