"""Explain known errors of plugins: their cause, and what to do.

Plugins pass on the kernel's error, which names no cause. For example, `failed to create vlan:
operation not supported` means that the kernel lacks a module. Where plugin type and text have only
one possible cause, it is added to the text, which itself stays: people search for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from planes.model.names import shown
from planes.model.wire.netconf import NetConf

_MODULES: Final = {
    "bond": "bonding",
    "bridge": "bridge",
    "dummy": "dummy",
    "ipvlan": "ipvlan",
    "macvlan": "macvlan",
    "macvtap": "macvtap",
    "ptp": "veth",
    "tap": "tun",
    "vlan": "8021q",
    "vrf": "vrf",
    "vxlan": "vxlan",
}
"""The kernel module that makes the interfaces of a type."""
_ON_A_MASTER: Final = frozenset({"bond", "ipvlan", "macvlan", "macvtap", "vlan", "vxlan"})
_MADE: Final = r"\b(create|creating|add|adding|make|making)\b"
_LACKING: Final = re.compile(rf"{_MADE}.{{0,200}}operation not supported", re.I | re.S)
_MISSING: Final = re.compile(r"\blink not found|no such network interface|no such device", re.I)
_IN_USE: Final = re.compile(r"address already in use", re.I)
_BUSY: Final = re.compile(r"device or resource busy", re.I)
_EXISTS: Final = re.compile(rf"{_MADE}.{{0,200}}file exists", re.I | re.S)
_INVALID: Final = re.compile(rf"{_MADE}.{{0,200}}invalid argument", re.I | re.S)
_NOT_FREE: Final = re.compile(r"requested IP address \S+ is not available in range set", re.I)
_NONE_FREE: Final = re.compile(r"no IP addresses available in range set", re.I)


@dataclass(frozen=True, slots=True)
class Cause:
    """The cause of an error, and the remedy."""

    text: str
    remedy: str


def cause_of(kind: str, conf: NetConf, said: str) -> Cause | None:
    """Return the cause of a plugin's error; None where type and text have several or none.

    Args:
        kind: the plugin's type.
        conf: its configuration; values of a wrong type count as absent.
        said: the plugin's error text.
    """
    if _NOT_FREE.search(said) or _NONE_FREE.search(said):
        return _host_local(conf)
    module = _MODULES.get(kind)
    if module is None:
        return None
    if _LACKING.search(said):
        return Cause(
            f"the kernel of this node has no {module}",
            f"load it on the node (modprobe {module}), or use another type",
        )
    if kind in _ON_A_MASTER:
        return _on_a_master(kind, conf, said)
    return None


def _on_a_master(kind: str, conf: NetConf, said: str) -> Cause | None:
    master = _text(conf, "master")
    on = f"master {shown(master)}" if master else "the master"
    if _MISSING.search(said):
        place = "the pod" if _in_container(conf) else "this node"
        return Cause(
            f"{place} has no such interface: {on}" if master else f"{place} lacks an interface",
            "name one that is there when the network is attached",
        )
    if kind == "macvlan" and _IN_USE.search(said):
        return Cause(
            f"another interface on {on}, or the master itself, has the same MAC",
            "give each pod a MAC of its own",
        )
    if kind in {"ipvlan", "macvlan", "macvtap"} and _BUSY.search(said):
        return Cause(
            f"{on} is used otherwise: one device carries either macvlans or ipvlans, and neither "
            "where it is a port of a bridge or bond",
            "use one type on it, or another master",
        )
    if kind == "macvlan" and _text(conf, "mode") == "passthru" and _INVALID.search(said):
        return Cause(
            f"a macvlan in mode passthru must be alone on its master, and {on} has others",
            "use another master, or mode bridge",
        )
    if kind == "vlan" and _EXISTS.search(said):
        return Cause(
            f"this node has an interface for that VLAN of {on} already, perhaps in another pod, "
            "and a device has each VLAN once",
            "make the VLAN's interface on the node, and put a macvlan or bridge on it",
        )
    return None


def _host_local(conf: NetConf) -> Cause | None:
    """Return the cause for host-local: the directory with its allocations."""
    if conf.ipam_type != "host-local":
        return None
    ipam = conf.fields().child("ipam")
    data_dir = ipam.raw("dataDir") if ipam is not None else None
    place = data_dir if isinstance(data_dir, str) and data_dir else "/var/lib/cni/networks"
    return Cause(
        f"each file in {shown(f'{place}/{conf.name}', 200)} on this node names the container that "
        "has an address",
        "delete pods of this network on this node, widen its range, or remove the files of "
        "containers that are gone for good",
    )


def _in_container(conf: NetConf) -> bool:
    fields = conf.fields()
    return bool(fields.raw("linkInContainer") or fields.raw("linksInContainer"))


def _text(conf: NetConf, key: str) -> str:
    value = conf.fields().raw(key)
    return value if isinstance(value, str) else ""
