"""Scenarios of the chained types that make packet filter rules: portmap and firewall."""

from __future__ import annotations

from typing import Any

from tests.interop.inventory.trial import V4, V6, JsonObject, Trial, host_local

_BRIDGE: JsonObject = {
    "type": "bridge",
    "bridge": "br-test",
    "isDefaultGateway": True,
    "ipam": host_local(V4, V6),
}


def _portmap(*ports: str, **more: Any) -> tuple[tuple[JsonObject, ...], JsonObject]:
    mappings = []
    for port in ports:
        on_host, inside, protocol, *address = port.split("/")
        mapping = {"hostPort": int(on_host), "containerPort": int(inside), "protocol": protocol}
        mappings.append({**mapping, **({"hostIP": address[0]} if address else {})})
    extra = {"runtimeConfig": {"portMappings": mappings}} if mappings else {}
    return (_BRIDGE, {"type": "portmap", **more}), extra


def _ports(
    name: str,
    *ports: str,
    refused: str = "",
    since: str = "",
    deliberate: str = "",
    **more: Any,
) -> Trial:
    chain, extra = _portmap(*ports, **more)
    return Trial(
        name,
        chain,
        extra=extra,
        refused=refused,
        since=since,
        deliberate=deliberate,
        has_rules=True,
        oldest="0.3.0",
    )


_WEB = ("8080/80/tcp", "8081/81/tcp", "5353/53/udp")
_MANY = tuple(f"{8000 + number}/{number + 1}/tcp" for number in range(20))
_ON_BOTH = tuple(
    trial
    for backend, since in (("iptables", ""), ("nftables", "1.6.0"))
    for trial in (
        _ports(f"{backend}-three", *_WEB, backend=backend, since=since),
        _ports(f"{backend}-twenty", *_MANY, backend=backend, since=since),
        _ports(f"{backend}-no-snat", *_WEB, backend=backend, since=since, snat=False),
        _ports(f"{backend}-masq-all", *_WEB, backend=backend, since=since, masqAll=True),
        _ports(
            f"{backend}-address",
            "8080/80/tcp/192.0.2.1",
            "8081/80/tcp/2001:db8::1",
            "8082/80/tcp/0.0.0.0",
            "8083/80/tcp/::",
            backend=backend,
            since=since,
        ),
    )
)
PORTMAP = (
    *_ON_BOTH,
    _ports("none"),
    _ports("default-backend", *_WEB),
    _ports("mark-bit", *_WEB, markMasqBit=5, backend="iptables"),
    _ports(
        "external-chain",
        *_WEB,
        externalSetMarkChain="KUBE-MARK-MASQ",
        backend="iptables",
        refused="KUBE-MARK-MASQ|iptables",
    ),
    _ports(
        "conditions",
        *_WEB,
        conditionsV4=["!", "-d", "192.0.2.0/24"],
        conditionsV6=["!", "-d", "2001:db8::/32"],
        backend="iptables",
    ),
    _ports(
        "nft-conditions",
        *_WEB,
        conditionsV4=["ip daddr != 192.0.2.0/24"],
        backend="nftables",
        since="1.6.0",
        deliberate="conditions stand in the rules of their own attachment",
    ),
    _ports(
        "iptables-syntax-for-nft",
        *_WEB,
        conditionsV4=["-d", "192.0.2.0/24"],
        backend="nftables",
        since="1.6.0",
        refused="(?i)condition|nft|iptables",
    ),
    _ports(
        "mark-bit-and-chain",
        *_WEB,
        markMasqBit=5,
        externalSetMarkChain="X",
        refused="markMasqBit|Mark",
    ),
    _ports("port-zero", "0/80/tcp", refused="(?i)port"),
    _ports("mark-bit-32", *_WEB, markMasqBit=32, refused="(?i)mark"),
)


def _firewall(**more: Any) -> tuple[JsonObject, ...]:
    return (_BRIDGE, {"type": "firewall", "backend": "iptables", **more})


FIREWALL = (
    Trial("open", _firewall(), oldest="0.4.0", has_rules=True),
    Trial(
        "admin-chain", _firewall(iptablesAdminChainName="MY-ADMIN"), oldest="0.4.0", has_rules=True
    ),
    Trial("same-bridge", _firewall(ingressPolicy="same-bridge"), oldest="0.4.0", has_rules=True),
    Trial(
        "isolated",
        _firewall(ingressPolicy="isolated"),
        oldest="0.4.0",
        has_rules=True,
        since="1.8.0",
    ),
    Trial(
        "unknown-policy",
        _firewall(ingressPolicy="maybe"),
        oldest="0.4.0",
        has_rules=True,
        refused="maybe|olicy",
    ),
    Trial("unknown-backend", _firewall(backend="ipfw"), oldest="0.4.0", has_rules=True),
)
