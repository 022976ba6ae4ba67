"""All that an installation could leave, on a node and in a cluster: written down and compared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from tests.cluster.lab.cluster import Cluster
from tests.cluster.lab.node import Node

Trace = Mapping[str, str]
"""{where: what}; equal where nothing was left and nothing was taken."""

PLACES = (
    *("/etc/cni", "/opt/cni", "/var/lib/cni", "/var/lib/netplane"),
    *("/run/netplane", "/run/netns", "/run/flannel"),
)
# host-local notes the address it gave out last; that is how it goes round.
_CHANGING_FILES = ("last_reserved_ip.",)
# What a cluster writes by itself, whether something is installed or not.
_CHANGING_KINDS = frozenset({"events", "events.events.k8s.io", "componentstatuses"})
_HEARTBEATS = "kube-node-lease"  # the first Lease of a kubelet may come after its node is Ready


def of_node(node: Node) -> Trace:
    """Files with mode, owner and content, links, routes, mounts and packet filter of a node."""
    return {
        **_files(node),
        **{f"link {line}": "" for line in _lines(node, "ls", "/sys/class/net")},
        **{f"route {line}": "" for line in _routes(node)},
        **{f"rule {line}": "" for line in _lines(node, "ip", "rule")},
        **{f"mount {line}": "" for line in _mounts(node)},
        "nft": _without_counters(node.run("nft", "list", "ruleset")),
    }


def of_cluster(cluster: Cluster) -> Trace:
    """Labels, and rules where it has any, of every object of every kind that can be listed."""
    kinds = cluster.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    asked = ",".join(sorted(set(kinds) - _CHANGING_KINDS))
    return {
        "/".join([one["kind"], meta.get("namespace", ""), meta["name"]]): json.dumps(
            [meta.get("labels"), one.get("rules")], sort_keys=True
        )
        for one in cluster.server.get(asked, "--all-namespaces")["items"]
        for meta in [one["metadata"]]
        if meta.get("namespace") != _HEARTBEATS
    }


def differences(before: Trace, after: Trace) -> list[str]:
    """Return one line for each thing that is new, gone or changed."""
    return [
        f"{where}: {before.get(where, '-')} -> {after.get(where, '-')}"
        for where in sorted({*before, *after})
        if before.get(where) != after.get(where)
    ]


def _files(node: Node) -> dict[str, str]:
    places = " ".join(PLACES)
    script = f"find {places} -printf '%p\\t%M %U:%G %l\\n' 2>/dev/null || true"
    found = dict(line.split("\t") for line in _lines(node, "sh", "-c", script))
    script = f"find {places} -type f -exec sha256sum {{}} + 2>/dev/null || true"
    for line in _lines(node, "sh", "-c", script):
        digest, path = line.split(maxsplit=1)
        if not any(one in path for one in _CHANGING_FILES):
            found[path] += f" {digest}"
    return found


def _routes(node: Node) -> list[str]:
    # Link-local ones come and go with the addresses that the kernel makes up for a bridge.
    lines = _lines(node, "ip", "route", "show", "table", "all")
    return [line for line in lines if not re.search(r"\b(fe80|ff00)::", line)]


def _mounts(node: Node) -> list[str]:
    lines = _lines(node, "findmnt", "--raw", "--noheadings", "--output", "TARGET")
    return [line for line in lines if line.startswith(PLACES)]


def _without_counters(rules: str) -> str:
    return re.sub(r"counter packets \d+ bytes \d+", "counter", rules)


def _lines(node: Node, *argv: str) -> list[str]:
    return [line.strip() for line in node.run(*argv).splitlines() if line.strip()]
