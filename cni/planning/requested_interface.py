"""What a call without a pod requests for the interface it names: addresses and a MAC.

podman, nerdctl and cnitool name an interface, and may request addresses and a MAC. They are for the
default network. Without one they are for the first plane, as if a pod's annotation requested them,
so the plane's rules apply.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cni.ipam.requested import bare
from cni.plugins.attachment import PlannedAttachment
from planes.model.decode import Fields
from planes.model.errors import BadInput, CniCode, JsonObject, PlanesError


@dataclass(frozen=True, slots=True)
class RequestedInterface:
    """An address of each family, and a MAC; "" for any."""

    ips: tuple[str, ...] = ()
    mac: str = ""

    def __bool__(self) -> bool:
        """Report whether anything is requested."""
        return bool(self.ips or self.mac)

    def to_element(self) -> JsonObject:
        """Return the members of a network selection element."""
        return {
            **({"ips": list(self.ips)} if self.ips else {}),
            **({"mac": self.mac} if self.mac else {}),
        }


def stands_alone(fields: Fields) -> bool:
    """Report whether the first plane is the interface that a call names.

    It is where the netconf has an empty `delegate`, and no prevResult of a plugin before us.
    """
    return fields.object("delegate") == {} and not fields.has("prevResult")


def read_requested_interface(args: Iterable[tuple[str, str]], fields: Fields) -> RequestedInterface:
    """Read CNI_ARGS (IP, MAC) and the netconf's `runtimeConfig` (ips, mac).

    Args:
        args: CNI_ARGS, in order.
        fields: the netconf.

    Raises:
        BadInput: an address is invalid (code 4), or two MACs are requested.
    """
    given = dict(args)
    runtime = fields.child("runtimeConfig")
    texts = [part.strip() for part in given.get("IP", "").split(",") if part.strip()]
    macs = [given.get("MAC", "")]
    if runtime is not None:
        texts += runtime.strings("ips")
        macs.append(runtime.string("mac"))
    macs = list(dict.fromkeys(mac.lower() for mac in macs if mac))
    if len(macs) > 1:
        raise BadInput(
            f"cannot use MAC {macs[0]}: CNI_ARGS ask for it, and runtimeConfig for {macs[1]}",
            remedy="ask for one",
        )
    return RequestedInterface(_without_repetition(texts), macs[0] if macs else "")


def _without_repetition(texts: Sequence[str]) -> tuple[str, ...]:
    """Return each address once, with a prefix length where any of them has one."""
    found: dict[object, str] = {}
    for text in texts:
        try:
            address = bare(text)
        except PlanesError as error:
            raise BadInput(
                f"cannot use the address that the caller asks for: {error.message}",
                remedy=error.remedy or "ask with IP= of CNI_ARGS or runtimeConfig.ips",
                code=CniCode.BAD_ENVIRONMENT,
            ) from error
        if address not in found or "/" in text:
            found[address] = text
    return tuple(found.values())


def renumbered(
    attachments: Sequence[PlannedAttachment], movable: frozenset[str], taken: frozenset[str]
) -> list[PlannedAttachment]:
    """Return attachments renamed where a link of the sandbox has their name.

    Args:
        attachments: in their order.
        movable: names that may change: numbered ones, that no configuration sets.
        taken: names of links in the sandbox.
    """
    used = {*taken, *(one.ifname for one in attachments if one.ifname not in movable)}
    found = []
    for one in attachments:
        name = one.ifname
        number = 0
        while name in used and one.ifname in movable:
            number += 1
            name = f"net{number}"
        used.add(name)
        found.append(one if name == one.ifname else replace(one, ifname=name))
    return found
