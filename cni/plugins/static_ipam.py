"""Rewrite a netconf with plane IPAM for a plugin binary: `ipam.type` plane becomes static.

A binary does not know our IPAM, but can run the static IPAM plugin with the addresses that the
plane allocated: `{"type":"plane"}` becomes `{"type":"static","addresses":[{"address":
"10.0.0.5/24"}]}`. Invariant: the interface gets the addresses of the plane and no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cni.plugins.plugin import Call
from planes.model.errors import JsonObject
from planes.model.state.supplies import PLANE_IPAM
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result

_ADDRESS_ARGS: Final = frozenset({"IP", "GATEWAY"})


def executable_conf(conf: NetConf, result: Result | None) -> NetConf:
    """Return the netconf for a binary: static IPAM instead of a plane's, any other unchanged.

    Args:
        conf: the netconf.
        result: has the addresses of the plane; None means none.
    """
    if conf.ipam_type != PLANE_IPAM:
        return conf
    return static_conf(conf, result if result is not None else Result())


def executable_call(call: Call, conf: NetConf) -> Call:
    """Return the call that goes with `executable_conf`.

    The static IPAM would add CNI_ARGS IP to the addresses of a plane, and take GATEWAY for theirs.
    """
    if conf.ipam_type != PLANE_IPAM:
        return call
    kept = tuple(pair for pair in call.cni_args if pair[0] not in _ADDRESS_ARGS)
    return replace(call, cni_args=kept)


def static_conf(conf: NetConf, allocated: Result) -> NetConf:
    """Return the netconf with the static IPAM and the addresses, routes and DNS of a result.

    `ips` of `runtimeConfig` and of `args.cni`, which the static IPAM prefers, are left out.
    """
    addresses = [
        {"address": ip.address, **({"gateway": ip.gateway} if ip.gateway else {})}
        for ip in allocated.ips
    ]
    routes = [{"dst": r.dst, **({"gw": r.gw} if r.gw else {})} for r in allocated.routes]
    ipam: JsonObject = {"type": "static", "addresses": addresses, "routes": routes}
    dns = allocated.dns
    if dns.nameservers or dns.domain or dns.search or dns.options:
        ipam["dns"] = {
            "nameservers": list(dns.nameservers),
            "domain": dns.domain,
            "search": list(dns.search),
            "options": list(dns.options),
        }
    raw = {**conf.raw, "ipam": ipam}
    _remove_key(raw, ("runtimeConfig",), "ips")
    _remove_key(raw, ("args", "cni"), "ips")
    return NetConf(raw)


def _remove_key(obj: JsonObject, path: Sequence[str], key: str) -> None:
    """Remove a member of an object inside `obj`, in any spelling that Go accepts for it.

    Objects along the path are copied, since other netconfs may share them.
    """
    for name in [name for name in obj if name.casefold() == (path[0] if path else key).casefold()]:
        if not path:
            del obj[name]
        elif isinstance(obj[name], dict):
            obj[name] = dict(obj[name])
            _remove_key(obj[name], path[1:], key)
