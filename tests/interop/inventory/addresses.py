"""Scenarios of the IPAM plugins static and host-local, below a macvlan."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.interop.inventory.trial import V4, V6, JsonObject, Trial, static

_ARGS = (("IgnoreUnknown", "1"), ("IP", "10.9.0.40/24,fd00:9::40/64"), ("GATEWAY", "10.9.0.1"))


def _on_macvlan(ipam: JsonObject) -> tuple[JsonObject, ...]:
    return ({"type": "macvlan", "master": "eth1", "ipam": ipam},)


def _ranges(*sets: list[JsonObject], **more: Any) -> tuple[JsonObject, ...]:
    return _on_macvlan({"type": "host-local", "ranges": list(sets), **more})


def _static(name: str, *addresses: str, refused: str = "", **more: Any) -> Trial:
    args = more.pop("cni_args", ())
    extra = more.pop("extra", {})
    is_checked, oldest = more.pop("is_checked", True), more.pop("oldest", "0.1.0")
    chain = _on_macvlan(static(*addresses, **more))
    name = f"static-{name}"
    trial = Trial(name, chain, args, extra, refused=refused, is_checked=is_checked)
    return replace(trial, oldest=oldest)


_EQUAL_COST = [{"dst": "10.1.0.0/16", "gw": "10.9.0.1"}, {"dst": "10.1.0.0/16", "gw": "10.9.0.2"}]
_ASKED: JsonObject = {"args": {"cni": {"ips": ["10.9.0.50/24"]}}}
_RUNTIME: JsonObject = {"runtimeConfig": {"ips": ["10.9.0.60/24"]}}
_SCOPES = "0.3.0"
"""Before it, IPAM by a binary loses scope, table and priority of a route; ours keeps them."""

STATIC = (
    _static("one", "10.9.0.7/24 10.9.0.1"),
    _static("dual", "10.9.0.7/24 10.9.0.1", "fd00:9::7/64 fd00:9::1"),
    _static("two-of-a-family", "10.9.0.7/24", "10.8.0.7/24"),
    _static("equal-cost", "10.9.0.7/24", routes=_EQUAL_COST),
    _static("by-arguments", cni_args=_ARGS),
    _static(
        "more-by-arguments",
        "10.7.0.7/24",
        cni_args=(("IgnoreUnknown", "1"), ("IP", "10.9.0.40/24")),
    ),
    _static("by-args", "10.9.0.7/24", extra=_ASKED),
    _static("by-runtime", "10.9.0.7/24", extra=_RUNTIME),
    _static("by-all", "10.9.0.7/24", cni_args=_ARGS, extra={**_ASKED, **_RUNTIME}),
    _static(
        "route-with-scope",
        "10.9.0.7/24",
        routes=[{"dst": "10.1.0.0/16", "scope": 253}],
        oldest=_SCOPES,
    ),
    _static(
        "route-in-table",
        "10.9.0.7/24",
        routes=[{"dst": "10.1.0.0/16", "gw": "10.9.0.1", "table": 100, "priority": 50}],
        is_checked=False,
        oldest=_SCOPES,
    ),
    _static("without-prefix", "10.9.0.7", refused="10.9.0.7|CIDR"),
    _static(
        "broken-argument",
        cni_args=(("IgnoreUnknown", "1"), ("IP", "10.9.0/33")),
        refused="10.9.0|CIDR",
    ),
    _static("broken-args", extra={"args": {"cni": {"ips": ["10.9.0/33"]}}}, refused="10.9.0|CIDR"),
    _static(
        "broken-runtime", extra={"runtimeConfig": {"ips": ["10.9.0/33"]}}, refused="10.9.0|CIDR"
    ),
)


_OUTSIDE = "a gateway outside its subnet is accepted, as by every release before 1.10"


def _local(name: str, *sets: list[JsonObject], refused: str = "", **more: Any) -> Trial:
    args = more.pop("cni_args", ())
    extra = more.pop("extra", {})
    deliberate = more.pop("deliberate", "")
    chain = _ranges(*sets, **more)
    name = f"host-local-{name}"
    return Trial(name, chain, args, extra, refused=refused, deliberate=deliberate)


HOST_LOCAL = (
    _local("dual", [V4], [V6]),
    Trial(
        "host-local-old-style", _on_macvlan({"type": "host-local", **V4, "rangeStart": "10.9.0.9"})
    ),
    Trial(
        "host-local-mixed-style",
        _on_macvlan({"type": "host-local", **V4, "ranges": [[V6]]}),
    ),
    _local("range", [{**V4, "rangeStart": "10.9.0.20", "rangeEnd": "10.9.0.21"}]),
    _local("gateway", [{**V4, "gateway": "10.9.0.254"}]),
    _local("two-ranges", [V4, {"subnet": "10.8.0.0/24"}]),
    _local("routes", [V4], routes=[{"dst": "10.1.0.0/16", "gw": "10.9.0.9"}]),
    _local("asked-by-arguments", [V4], cni_args=(("IgnoreUnknown", "1"), ("IP", "10.9.0.88"))),
    _local("asked-by-args", [V4], [V6], extra={"args": {"cni": {"ips": ["fd00:9::88/64"]}}}),
    _local("asked-by-runtime", [V4], extra={"runtimeConfig": {"ips": ["10.9.0.99/24"]}}),
    _local("runtime-ranges", extra={"runtimeConfig": {"ipRanges": [[{"subnet": "10.6.0.0/24"}]]}}),
    _local(
        "asked-elsewhere", [V4], extra={"args": {"cni": {"ips": ["10.1.1.1"]}}}, refused="10.1.1.1"
    ),
    _local(
        "asked-gateway", [V4], extra={"args": {"cni": {"ips": ["10.9.0.1"]}}}, refused="10.9.0.1"
    ),
    _local("host-bits", [{"subnet": "10.9.0.3/24"}], refused="host bits"),
    _local("too-small", [{"subnet": "10.9.0.0/31"}], refused="too small"),
    _local("start-outside", [{**V4, "rangeStart": "10.8.0.1"}], refused="10.8.0.1"),
    _local("end-outside", [{**V4, "rangeEnd": "10.8.0.1"}], refused="10.8.0.1"),
    _local(
        "reversed", [{**V4, "rangeStart": "10.9.0.9", "rangeEnd": "10.9.0.8"}], refused="10.9.0"
    ),
    _local("mixed-families", [V4, V6], refused="mixed"),
    _local("overlap-in-set", [V4, {"subnet": "10.9.0.0/25"}], refused="overlap"),
    _local("overlap-of-sets", [V4], [{"subnet": "10.9.0.0/16"}], refused="overlap"),
    _local("no-ranges", refused="(?i)range"),
    _local(
        "gateway-outside", [{**V4, "gateway": "10.8.0.1"}], refused="10.8.0.1", deliberate=_OUTSIDE
    ),
)
