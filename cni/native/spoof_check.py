"""Check of the source MACs of a bridge port (`macspoofchk`): nftables rules that drop all others.

Table, chains, rules and comments are those of the reference plugin. Every change is one transaction
of `nft`, in its JSON form, in which no name can be taken for syntax (libnftables-json(5)). Removal
needs neither the port nor the MAC.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from cni.native.packet_filter import PacketFilter
from cni.native.steps import Awaited
from cni.net.execute import Tools
from cni.plugins.unable import lacks_means
from planes.model.decode import loads_object
from planes.model.errors import Internal, JsonObject, NotFound

_TABLE: Final = {"family": "bridge", "table": "nat"}
_BASE: Final = "PREROUTING"
_BASE_CHAIN: Final = {
    **_TABLE,
    "name": _BASE,
    "type": "filter",
    "hook": "prerouting",
    "prio": -300,
    "policy": "accept",
}


_MAC_CHAIN: Final = "-mac"


def has_own_chains(ifname: str) -> bool:
    """Report whether the chains of an interface can be no other interface's of the sandbox.

    The chain of `net1-mac` would be that which compares the MAC of `net1`, and who names interfaces
    would write the rules of another network.
    """
    return not ifname.endswith(_MAC_CHAIN)


@dataclass(frozen=True, slots=True)
class SpoofChecked:
    """A port of a bridge, by the attachment that it belongs to.

    Attributes:
        host_name: of the port; "" to remove its rules.
        mac: the one source MAC that passes; "" to remove the rules.
    """

    container_id: str
    ifname: str
    host_name: str = ""
    mac: str = ""

    @property
    def reference(self) -> str:
        """Return what chains and comments of the attachment have in common."""
        return f"{self.container_id}-{self.ifname}"

    @property
    def chain(self) -> str:
        """Return the chain for frames of the port."""
        return f"cni-br-iface-{self.reference}"

    @property
    def mac_chain(self) -> str:
        """Return the chain that compares the MAC."""
        return f"{self.chain}{_MAC_CHAIN}"

    @property
    def comment(self) -> str:
        """Return the comment of every rule of the attachment."""
        return f"macspoofchk-{self.reference}"


class SpoofCheck:
    """The rules on one host.

    Args:
        packet_filter: of the host.
    """

    def __init__(self, packet_filter: PacketFilter) -> None:
        self._filter = packet_filter
        self._tools = packet_filter.tools

    def adding(self, who: SpoofChecked) -> Awaited[None]:
        """Return the step that adds the rules; see `add`."""
        return Awaited(partial(self.add, who), lambda _done: self.remove(who))

    def removing(self, who: SpoofChecked, *, were_added: bool) -> Awaited[None]:
        """Return the step that removes the rules; see `remove`."""
        return Awaited(partial(self.remove, who, were_added=were_added))

    async def add(self, who: SpoofChecked) -> None:
        """Add the rules, in place of earlier ones of the attachment.

        Raises:
            NotFound: nft is not installed.
            PlanesError: it fails; nothing is changed.
        """
        await self._filter.run(
            who.container_id, partial(_add, self._tools, who), partial(_remove, self._tools, who)
        )

    async def remove(self, who: SpoofChecked, *, were_added: bool = True) -> None:
        """Remove the rules; none there is fine.

        Args:
            who: the attachment.
            were_added: whether its ADD has succeeded: only then does a missing nft matter.

        Raises:
            NotFound: nft is not installed any more.
            PlanesError: it fails.
        """
        try:
            await self._filter.run(who.container_id, partial(_remove, self._tools, who))
        except NotFound:
            if were_added:
                raise


def _add(tools: Tools, who: SpoofChecked) -> None:
    source = {"payload": {"protocol": "ether", "field": "saddr"}}
    port = {"meta": {"key": "iifname"}}
    _run(
        tools,
        [
            {"add": {"table": {"family": "bridge", "name": "nat"}}},
            {"add": {"chain": _BASE_CHAIN}},
            *_emptied(who),
            *_deletions(_listed(tools) or (), who),
            _rule(who, _BASE, _equal(port, who.host_name), {"jump": {"target": who.chain}}),
            _rule(who, who.chain, {"jump": {"target": who.mac_chain}}),
            _rule(who, who.mac_chain, _equal(source, who.mac), {"return": None}),
            _rule(who, who.mac_chain, {"drop": None}),
        ],
    )


def _remove(tools: Tools, who: SpoofChecked) -> None:
    listed = _listed(tools)
    if listed is None:  # without the base chain there is nothing of any attachment
        return
    # Added first, since deleting a missing chain would fail the transaction.
    gone = [{"delete": {"chain": _chain(name)}} for name in (who.chain, who.mac_chain)]
    _run(tools, [*_deletions(listed, who), *_emptied(who), *gone])


def _emptied(who: SpoofChecked) -> list[JsonObject]:
    chains = [{"chain": _chain(name)} for name in (who.chain, who.mac_chain)]
    return [{verb: chain} for verb in ("add", "flush") for chain in chains]


def _chain(name: str) -> JsonObject:
    return {**_TABLE, "name": name}


def _rule(who: SpoofChecked, chain: str, *statements: JsonObject) -> JsonObject:
    made = {**_TABLE, "chain": chain, "expr": list(statements), "comment": who.comment}
    return {"add": {"rule": made}}


def _equal(left: JsonObject, right: str) -> JsonObject:
    return {"match": {"op": "==", "left": left, "right": right}}


def _deletions(listed: Sequence[Any], who: SpoofChecked) -> list[JsonObject]:
    """Return the deletion of each listed rule that leads to the attachment's chains."""
    rules = [one["rule"] for one in listed if "rule" in one]
    return [
        {"delete": {"rule": {**_TABLE, "chain": _BASE, "handle": rule["handle"]}}}
        for rule in rules
        if rule.get("comment") == who.comment
    ]


def _listed(tools: Tools) -> list[Any] | None:
    """Return what is in the base chain; None where there is none.

    Raises:
        Internal: nft may not list it, or had no memory. A DEL that took that for "no rules" would
            leave them for ever.
    """
    found = tools.execute(["nft", "-j", "-a", "list", "chain", "bridge", "nat", _BASE])
    if found.status == 0:
        listed: list[Any] = loads_object(found.output, "the output of nft").get("nftables", [])
        return listed
    if lacks_means(found.complaint):
        raise Internal(f"cannot list the rules that check source MACs: {found.complaint}")
    return None


def _run(tools: Tools, commands: Sequence[JsonObject]) -> None:
    done = tools.execute(["nft", "-j", "-f", "-"], json.dumps({"nftables": list(commands)}))
    if done.status != 0:
        raise Internal(
            f"cannot change the rules that check source MACs: {done.complaint}",
            remedy="macspoofchk needs nftables with the bridge family in the node's kernel",
        )
