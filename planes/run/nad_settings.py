"""The settings of what tenants' NADs may be: one table for webhook and daemon, which must agree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from planes.model.names import is_dns_label
from planes.model.spec.nad_policy import ADMINISTRATORS, INTERFACES, NadPolicy
from planes.run.settings import Option
from planes.run.values import texts

MODES: Final = ("guarded", "open")
_PATTERN: Final = re.compile(r"(?:[a-z0-9*?-]{1,63}:)?[A-Za-z0-9_.@*?\[\]!-]{1,32}")
_TYPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_SPAN: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_LAST_PORT: Final = 65535


def _mode(text: str) -> str:
    if text not in MODES:
        raise ValueError(f"{text!r} is none of {', '.join(MODES)}")
    return text


def _namespaces(text: str) -> frozenset[str]:
    for name in (found := texts(text)):
        if not is_dns_label(name):
            raise ValueError(f"{name!r} is no name of a namespace")
    return frozenset(found)


def _interfaces(text: str) -> tuple[str, ...]:
    for pattern in (found := texts(text)):
        if not _PATTERN.fullmatch(pattern):
            raise ValueError(f"{pattern!r} is no pattern of interface names")
    return tuple(dict.fromkeys(found))


def _types(text: str) -> frozenset[str]:
    for name in (found := texts(text)):
        if not _TYPE.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a plugin")
    return frozenset(found)


def _ports(text: str) -> tuple[tuple[int, int], ...]:
    spans = []
    for each in texts(text):
        found = _SPAN.fullmatch(each)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 0 < first <= last <= _LAST_PORT:
            raise ValueError(f"{each!r} is no span of ports, such as 30000-30999")
        spans.append((first, last))
    return tuple(spans)


NAD_OPTIONS: Final = (
    Option(
        "--nads",
        None,
        "guarded: NADs outside the administrators' namespaces reach nothing of the node's but what "
        "is listed; open: what reaches further is warned about; default: guarded on a cluster",
        _mode,
        metavar="MODE",
    ),
    Option(
        "--nad-namespaces",
        ",".join(ADMINISTRATORS),
        "whose NADs are the administrators' own, unrestricted",
        _namespaces,
    ),
    Option(
        "--nad-interfaces",
        ",".join(INTERFACES),
        "interfaces of nodes, bridges too, that tenants' NADs may stand on: br-*,eth1,shop:eth2.5",
        _interfaces,
    ),
    Option("--nad-types", "", "more plugin types that tenants' NADs may name, a,b,c", _types),
    Option(
        "--nad-host-ports",
        "",
        "ports of nodes that tenants' networks may map: 30000-30999,31080; default: none",
        _ports,
    ),
)
"""The options; `nad_policy` makes the policy of their values."""


def nad_policy(values: Mapping[str, Any], *, is_standalone: bool) -> NadPolicy:
    """Return the policy of loaded settings.

    In standalone mode the manifests are the administrator's: NADs are not guarded there unless a
    setting says so.
    """
    mode = values["nads"] or ("open" if is_standalone else "guarded")
    return NadPolicy(
        is_guarded=mode == "guarded",
        administrators=values["nad_namespaces"],
        interfaces=values["nad_interfaces"],
        types=values["nad_types"],
        host_ports=values["nad_host_ports"],
    )
