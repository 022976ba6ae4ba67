"""The HTTP proxy that the environment names for a server, as kubectl reads it.

`HTTPS_PROXY` and `NO_PROXY`, in capitals or not; for a server without TLS `HTTP_PROXY`. A server on
this machine has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from planes.kube.client.server_url import url_fault
from planes.model.errors import BadInput


def environment_proxy(server: str, env: Mapping[str, str]) -> str:
    """Return the URL of a proxy, "" where there is none.

    Raises:
        BadInput: it cannot be used.
    """
    parts = urlsplit(server)
    name = f"{parts.scheme}_proxy"
    proxy = env.get(name.upper()) or env.get(name) or ""
    host, port = (parts.hostname or "").rstrip("."), str(parts.port or "")
    exempt = env.get("NO_PROXY") or env.get("no_proxy") or ""
    if not proxy or _is_here(host) or any(_names(e, host, port) for e in exempt.split(",")):
        return ""
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if fault := url_fault(proxy, allows_login=True):
        raise BadInput(
            f"cannot use the proxy of {name.upper()}: it {fault}",
            remedy="set http://HOST:PORT, or name the server's host in NO_PROXY",
        )
    return proxy


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _names(entry: str, host: str, port: str) -> bool:
    """Report whether an entry of NO_PROXY names a host: by `*`, address, CIDR or domain."""
    entry = entry.strip().lower()
    if entry in {"", "*"}:
        return entry == "*"
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        pass
    name, colon, number = entry.rpartition(":")
    if colon and number.isdecimal():
        if number != port:
            return False
        entry = name.strip("[]")
    entry = entry.removeprefix("*")
    return host == entry or host.endswith(entry if entry.startswith(".") else f".{entry}")
