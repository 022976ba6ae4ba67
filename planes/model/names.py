"""Annotation and label keys, and the validation of names.

A check returns the name or raises `BadInput` with the CNI code of its rule (spec 1.1.0 §2 and §5,
libcni's validation).
"""

from __future__ import annotations

import re

from planes.model.errors import BadInput, CniCode

NETWORKS_ANNOTATION = "k8s.v1.cni.cncf.io/networks"
STATUS_ANNOTATION = "k8s.v1.cni.cncf.io/network-status"
OLD_STATUS_ANNOTATION = "k8s.v1.cni.cncf.io/networks-status"
"""The former key of network-status; some tools still read it."""
STATUS_ANNOTATIONS = (STATUS_ANNOTATION, OLD_STATUS_ANNOTATION)
DEFAULT_NETWORK_ANNOTATION = "v1.multus-cni.io/default-network"
MULTUS_NAMESPACE = "kube-system"
"""Where Multus looks for a default network named without namespace (its `multusNamespace`)."""
RESOURCE_NAME_ANNOTATION = "k8s.v1.cni.cncf.io/resourceName"
STATIC_IPS_ANNOTATION = "netplane.io/static-ips"
INJECTED_ANNOTATION = "netplane.io/injected"
REVIEWED_ANNOTATION = "netplane.io/reviewed"
"""On a pod: the required planes by which the webhook judged it; a policy requires it."""
DELETE_IN_USE_ANNOTATION = "netplane.io/delete-in-use"
"""On a NAD, "true": it may be deleted although pods name it or it backs a plane."""
IN_USE_FINALIZER = "netplane.io/in-use"
"""On a plane whose `deletionPolicy` is Block: it stays until no pod has it."""
PLANE_HEALTH_ANNOTATION = "netplane.io/plane-health"
"""On a daemon's own pod: its report about attaching to planes."""
PLANE_LABEL_PREFIX = "plane.netplane.io/"
NETPLANE_NAMESPACE = "netplane-system"
JOINED_LABEL = "netplane.io/joined"
"""Set by Netplane on namespaces whose pods are reviewed: the API server selects by it."""
RENDERED_LABEL = "netplane.io/plane"
"""On a rendered NAD: the plane it was rendered from; the controller repairs and deletes it."""

_MAX_IFNAME_BYTES = 15  # IFNAMSIZ less the final zero byte
_CNI_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.\-]*")
_DNS_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(
    r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
)
# "/", ":", NUL and Unicode white space, which libcni or the kernel refuse in a link's name; "%",
# which the kernel replaces
_NOT_IN_IFNAME = re.compile(
    "[%/:\0\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ud800-\udfff]"
)


def check_container_id(text: str) -> str:
    """Return the container ID, checked.

    Raises:
        BadInput: empty (code 3) or of other characters than `[a-zA-Z0-9_.-]` (code 4).
    """
    if not text:
        raise BadInput(
            "cannot use an empty container ID",
            remedy="set CNI_CONTAINERID",
            code=CniCode.UNKNOWN_CONTAINER,
        )
    if not _CNI_NAME.fullmatch(text):
        raise _bad("container ID", text, CniCode.BAD_ENVIRONMENT, _CNI_NAME_RULE)
    return text


def check_network_name(text: str) -> str:
    """Return the network name, checked.

    Raises:
        BadInput: code 7.
    """
    if not text:
        raise BadInput("cannot use a network configuration without name", remedy='set "name"')
    if not _CNI_NAME.fullmatch(text):
        raise _bad("network name", text, CniCode.BAD_CONFIG, _CNI_NAME_RULE)
    return text


def check_ifname(text: str) -> str:
    """Return the interface name: 1 to 15 printable bytes without `/`, `:`, `%`, white space.

    Nor is it `.` or `..`. The kernel replaces "%d" by a number: a link created as `net%d` is called
    `net0`. It takes control characters; we do not, as events tell the name.

    Raises:
        BadInput: code 4.
    """
    if not text:
        raise BadInput(
            "cannot use an empty interface name",
            remedy="name the interface, as with CNI_IFNAME",
            code=CniCode.BAD_ENVIRONMENT,
        )
    if text in {".", ".."} or _NOT_IN_IFNAME.search(text) or not text.isprintable():
        raise _bad("interface name", text, CniCode.BAD_ENVIRONMENT, _IFNAME_RULE)
    if len(text.encode()) > _MAX_IFNAME_BYTES:
        raise _bad("interface name", text, CniCode.BAD_ENVIRONMENT, _IFNAME_LENGTH)
    return text


def is_dns_label(text: str) -> bool:
    """Report whether a name is a DNS-1123 label (namespaces, planes): at most 63 characters."""
    return _DNS_LABEL.fullmatch(text) is not None


def is_dns_subdomain(text: str) -> bool:
    """Report whether a name is a DNS-1123 subdomain (NADs, pods): at most 253 characters."""
    return len(text) <= 253 and _DNS_SUBDOMAIN.fullmatch(text) is not None


def shown(text: str, limit: int = 64) -> str:
    """Return a foreign name in quotes for an error text: one line, shortened."""
    cut = text if len(text) <= limit else f"{text[:limit]}…"
    return '"' + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut) + '"'


_CNI_NAME_RULE = "use letters, digits, _, . and -, a letter or digit first"
_IFNAME_RULE = "use a printable name without /, :, % and white space that is not . or .."
_IFNAME_LENGTH = f"use at most {_MAX_IFNAME_BYTES} bytes"


def _bad(kind: str, text: str, code: CniCode, rule: str) -> BadInput:
    return BadInput(f"cannot use {kind} {shown(text)}", remedy=rule, code=code)
