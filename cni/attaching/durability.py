"""Whether the journal entry of a call has to survive a power cut.

A power cut ends every sandbox, link, rule and route of the machine, so an entry that names only
these is worth nothing afterwards. It has to be found again for what outlives them: whatever a
binary keeps, such as addresses, and addresses that the next sandbox of the same pod asks for. Other
addresses of ours are found without it: `cni.reconcile.orphans`, `left_by_power_cut`.

Invariant: safe where unknown: a type that is not known is taken to keep something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from cni.plugins.attachment import PlannedAttachment
from cni.plugins.chain import BoundChains, BoundPlugin
from planes.model.errors import PlanesError

# Binaries of the reference plugins that change only links, rules, qdiscs and sysctls.
_VOID: Final = frozenset({"portmap", "bandwidth", "tuning", "sbr", "firewall", "vrf"})


class Durability:
    """Judges planned attachments.

    Args:
        handles: reports whether an IPAM type is carried out here.
    """

    def __init__(self, handles: Callable[[str], bool]) -> None:
        self._handles = handles

    def outlives_power_cut(
        self, attachments: Iterable[PlannedAttachment], bound: BoundChains
    ) -> bool:
        """Report whether something of the attachments may outlive a power cut.

        Args:
            attachments: as planned.
            bound: their plugins; one that is not there is taken to keep something.
        """
        return any(_asks(one) or self._keeps(bound.get(one.ifname)) for one in attachments)

    def _keeps(self, plugins: Sequence[BoundPlugin] | None) -> bool:
        try:
            return plugins is None or any(map(self._keeps_something, plugins))
        except PlanesError:  # its ADD raises the same
            return True

    def _keeps_something(self, bound: BoundPlugin) -> bool:
        conf = bound.conf
        if bound.native is None:
            return conf.type not in _VOID or bool(conf.ipam_type)
        delegate = conf.fields().child("delegate")
        kind = delegate.string("type") if delegate is not None else ""
        if kind not in {"", "bridge"}:  # flannel's, which may be a binary
            return True
        return bool(conf.ipam_type) and not self._handles(conf.ipam_type)


def _asks(attachment: PlannedAttachment) -> bool:
    """Report whether it asks for addresses: its pod's next sandbox will ask for the same."""
    is_given = attachment.ips or attachment.candidates or attachment.holds or attachment.claim
    asks = "ips" in attachment.capability_args or "ips" in attachment.args
    return (
        bool(is_given)
        or asks
        or "IP" in [key for key, _ in attachment.cni_args]
        or any("ips" in one.args_cni for one in attachment.conflist.plugins)
    )
