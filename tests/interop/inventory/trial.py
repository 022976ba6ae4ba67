"""One scenario of the inventory: a netconf, or a chain of them, and what goes with the call.

Shapes: a netconf is as in a conflist, without name, version and data directory. Commands of
`prepare` begin with the place they are run in: `host`, `pod` or `far`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from planes.model.wire.cniversion import SUPPORTED

JsonObject = dict[str, Any]

V4 = {"subnet": "10.9.0.0/24"}
V6 = {"subnet": "fd00:9::/64"}
NETWORK = "testnet"
CONTAINER = "c0ffee"
IFNAME = "eth0"


@dataclass(frozen=True)
class Trial:
    """One scenario.

    Attributes:
        name: what is special about it.
        chain: the netconfs, first to last; the last one is compared, the others prepare it.
        cni_args: CNI_ARGS.
        extra: keys of every netconf, such as `args` and `runtimeConfig`.
        prepare: commands that make what the scenario needs.
        kinds: what the kernel must have, see `kinds.py`.
        oldest: the first version it has.
        refused: a part of the error that ADD ends with; "" where it succeeds.
        is_checked: False where the reference's CHECK fails right after its own ADD.
        is_repeatable: False where the reference's second DEL fails.
        has_rules: True where packet filter rules are compared.
        since: the release of the reference that has it, where Debian's 1.1.1 does not.
        deliberate: how ours differs, as docs/compatibility.md says; "" where it does not.
        detached_otherwise: the same, where only what DEL leaves differs.
    """

    name: str
    chain: tuple[JsonObject, ...]
    cni_args: tuple[tuple[str, str], ...] = ()
    extra: JsonObject = field(default_factory=dict)
    prepare: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    oldest: str = "0.1.0"
    refused: str = ""
    is_checked: bool = True
    is_repeatable: bool = True
    has_rules: bool = False
    since: str = ""
    deliberate: str = ""
    detached_otherwise: str = ""

    @property
    def type(self) -> str:
        """The plugin type that is compared."""
        return str(self.chain[-1]["type"])

    @property
    def id(self) -> str:
        """The scenario in a test's name."""
        return f"{self.type}-{self.name}"

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions it is played in."""
        return SUPPORTED[SUPPORTED.index(self.oldest) :]

    def netconfs(self, version: str, directory: str) -> list[JsonObject]:
        """Return the netconfs, with the files of plugins and IPAM below a directory."""
        return [self._netconf(one, version, directory) for one in self.chain]

    def _netconf(self, conf: JsonObject, version: str, directory: str) -> JsonObject:
        made = {"cniVersion": version, "name": NETWORK, **conf, **self.extra}
        ipam = made.get("ipam") or {}
        if ipam.get("type") == "host-local":
            made["ipam"] = {**ipam, "dataDir": f"{directory}/networks"}
        if made["type"] == "tuning":
            made["dataDir"] = f"{directory}/tuning"
        return made


def host_local(*ranges: JsonObject, **more: Any) -> JsonObject:
    """Return IPAM by host-local, one address of each range."""
    return {"type": "host-local", "ranges": [[one] for one in ranges], **more}


def static(*addresses: str, **more: Any) -> JsonObject:
    """Return IPAM by static; an address may be followed by its gateway: `10.9.0.7/24 10.9.0.1`."""
    listed = [dict(zip(("address", "gateway"), one.split(), strict=False)) for one in addresses]
    return {"type": "static", "addresses": listed, **more}
