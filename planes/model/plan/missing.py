"""Facts that a plan lacks: a plane needs them, or would hand out what others have without them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from planes.model.errors import Finding, JsonObject
from planes.model.plan.plan_text import joined
from planes.model.plan.words import SUBNET_WORDS
from planes.model.spec.plane_parts import NETWORK_TYPES
from planes.model.spec.plane_spec import IpamMode

_ON_INTERFACE: Final = ("macvlan", "ipvlan", "vlan")
ANSWERED_BY_NULL: Final = ("interface", "ranges")
"""Words that a plan may answer with null: there is none, on purpose."""


def missing_facts(path: str, words: JsonObject, spec: JsonObject) -> list[Finding]:
    """List the facts that a network lacks, each with the option that gives it.

    Args:
        path: of the network.
        words: what the plan says.
        spec: of the plane that becomes of it.
    """
    name = path.removeprefix("networks.")
    return [
        Finding(joined(path, word), why, _option(name, word, example))
        for word, why, example in _lacking(words, spec)
    ]


def _option(name: str, word: str, example: str) -> str:
    if word == "interface":
        return f"give --master {name}={example}"
    return f"give --set {name}.{word}={example}"


def _lacking(words: JsonObject, spec: JsonObject) -> Iterator[tuple[str, str, str]]:
    """Yield word, reason and example."""
    network = _object(spec.get("network"))
    if network.get("nadRef") is None:
        yield from _of_network(words, network)
    mode = _object(spec.get("ipam")).get("mode")
    if network.get("nadRef") is not None or mode == IpamMode.NONE:
        return
    subnets = spec.get("subnets")
    if not subnets or (isinstance(subnets, list) and subnets == [{}]):
        yield "cidr", "nothing says which addresses it has", "192.168.0.0/16"
    elif "subnets" not in words and "cidr" in words and not _tells_addresses(words):
        why = f"nothing says which addresses of {str(words['cidr'])[:64]} pods may have"
        yield "ranges", why, "FIRST-LAST, or null for all of them"


def _of_network(words: JsonObject, network: JsonObject) -> Iterator[tuple[str, str, str]]:
    type_ = network.get("type")
    if type_ is None:
        yield "cni", f"nothing says its type: {', '.join(NETWORK_TYPES)}", "macvlan"
    lacks_master = not network.get("master") and "interface" not in words
    if type_ in _ON_INTERFACE and lacks_master:
        yield "interface", f"nothing says on which interface of the nodes {type_} stands", "eth1"
    if type_ == "host-device" and lacks_master and not network.get("resourceName"):
        yield "interface", "nothing says which interface of the node moves into the pod", "eth9"
    if type_ == "sriov" and not network.get("resourceName"):
        why = "nothing says which device plugin's resource has the virtual functions"
        yield "resourceName", why, "example.com/pool"
    if type_ == "vlan" and network.get("vlan") is None:
        yield "vlan", "nothing says which VLAN it is", "100"


def _tells_addresses(words: JsonObject) -> bool:
    return any(word in words for word in SUBNET_WORDS if word not in {"cidr", "exclude"})


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}
