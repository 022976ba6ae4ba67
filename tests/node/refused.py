"""Pods that policy forbids, each with what its refusal must name and advise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from planes.model.names import NETWORKS_ANNOTATION, STATIC_IPS_ANNOTATION


@dataclass(frozen=True, slots=True)
class Case:
    """An annotation, and what its refusal must name and advise."""

    annotations: Mapping[str, str]
    named: str
    remedy: str

    def __str__(self) -> str:
        return self.named


def _networks(text: str, named: str, remedy: str) -> Case:
    return Case({NETWORKS_ANNOTATION: text}, named, remedy)


def _business(keys: Mapping[str, object], named: str, remedy: str) -> Case:
    element = {"name": "business", "namespace": "netplane-system", **keys}
    return _networks(json.dumps([element]), named, remedy)


REFUSED = {
    "JSON cut off": _networks('[{"name": "hunter2"', "line 1, column 20", "close every bracket"),
    "JSON of another type": _networks(
        '[{"name": 5}]', "[0].name: cannot read it: it must be a string", ""
    ),
    "an object for a list": _networks('{"name": "lab"}', "it must be a list", "put it in [ ]"),
    "comma syntax garbled": _networks("lab,a//b@@c", '[1]: cannot read "a//b@@c"', "[namespace/]"),
    "unknown NAD": _networks("labb", "cannot find a NAD labb in namespace shop", "shop/lab"),
    "wrong namespace": _networks(
        "plain/lab", "cannot find a NAD lab in namespace plain", "exists as shop/lab"
    ),
    "outside the plane": _business(
        {"ips": ["10.1.1.1"]},
        "10.1.1.1: it is outside plane business",
        "192.168.100.0-192.168.100.255",
    ),
    "network address": _business(
        {"ips": ["192.168.0.0"]}, "192.168.0.0: it is the network address", "192.168.100.0"
    ),
    "broadcast address": _business(
        {"ips": ["192.168.255.255"]}, "192.168.255.255: it is the broadcast address", "ask for"
    ),
    "gateway address": _business(
        {"ips": ["192.168.0.1"]}, "192.168.0.1: it is the gateway", "ask for"
    ),
    "wrong prefix length": _business(
        {"ips": ["192.168.100.10/24"]}, "prefix length /24", "write 192.168.100.10/16"
    ),
    "no address": _business({"ips": ["192.168.100.300"]}, '"192.168.100.300"', "write an address"),
    "static outside the plane": Case(
        {STATIC_IPS_ANNOTATION: '{"business": ["10.1.1.1"]}'}, "10.1.1.1", "ask for one of"
    ),
    "static garbled": Case(
        {STATIC_IPS_ANNOTATION: '{"business": "hunter2'}, "static-ips]: cannot read", "close every"
    ),
    "static of an unknown plane": Case(
        {STATIC_IPS_ANNOTATION: '{"nope": ["10.1.1.1"]}'}, "static-ips].nope", "name a plane"
    ),
    "interface name too long": _business(
        {"interface": "much-too-long-name"}, '"much-too-long-name"', "at most 15 bytes"
    ),
    "interface name too long, comma": _networks(
        "lab@much-too-long-name", '"much-too-long-name"', "at most 15 bytes"
    ),
    "interface name with a slash": _business({"interface": "a/b"}, '"a/b"', "without /"),
    "interface eth0": _business({"interface": "eth0"}, "eth0", "a name of its own"),
    "interface named twice": _networks("lab@x0,lab@x0", "[1].interface", "a name of its own"),
    "no hardware address": _business({"mac": "zz"}, '"zz"', "write it like"),
}
