"""One planned attachment, from the decision and the call.

Invariant: where a plane governs it, its plugins get what the decision permits and the runtime's
facts about the sandbox, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from cni.call import POD_ARGS, CniRequest
from cni.planning.networks import Network
from cni.planning.pods import Subject
from cni.plugins.attached_device import AttachedDevice
from cni.plugins.attachment import PlannedAttachment
from planes.model.decide.decision import Attachment
from planes.model.decide.wishes import RUNTIME_FACTS
from planes.model.wire.device_keys import INFO_FILE

_ONE_INTERFACE_ARGS: Final = frozenset({"IP", "MAC", "GATEWAY"})
_ONE_INTERFACE_CAPABILITIES: Final = frozenset(
    {"ips", "mac", "infinibandGUID", "deviceID", "CNIDeviceInfoFile"}
)


def plan_default(request: CniRequest, subject: Subject, network: Network) -> PlannedAttachment:
    """Plan the default network: it gets everything the runtime passed."""
    return PlannedAttachment(
        network=network.name,
        conflist=network.conflist,
        ifname=request.ifname,
        cni_args=(
            *subject.identity.to_args(request.container_id),
            *_others(request, without=frozenset()),
        ),
        capability_args=dict(request.runtime_config),
        is_default=True,
    )


def plan_secondary(
    request: CniRequest, subject: Subject, attachment: Attachment, network: Network
) -> PlannedAttachment:
    """Plan one of the others: with what is for every interface, and what its element requests."""
    passed, others = _for_every_interface(request, attachment)
    asked = [("MAC", attachment.mac), ("IP", ",".join(attachment.ips))]
    return PlannedAttachment(
        network=network.name,
        conflist=network.conflist,
        ifname=attachment.interface,
        cni_args=(
            *subject.identity.to_args(request.container_id),
            *others,
            *((key, value) for key, value in asked if value),
        ),
        capability_args={**passed, **attachment.capabilities},
        args=attachment.cni_args,
        candidates=tuple(str(one) for one in attachment.candidates),
        ips=attachment.ips,
        claim=attachment.claim,
        default_route=attachment.default_route,
        plane=attachment.plane or "",
        needs_carrier=attachment.needs_carrier,
        is_chosen=attachment.plane is None,
        device=device_of(network),
        **wire_facts(attachment),
    )


def plan_further(
    request: CniRequest, subject: Subject, network: Network, ifname: str
) -> PlannedAttachment:
    """Plan a network that every pod gets after the default one.

    It gets what the runtime passed for every interface, but no address or MAC: those are for the
    default network's.
    """
    given = request.runtime_config.items()
    return PlannedAttachment(
        network=network.name,
        conflist=network.conflist,
        ifname=ifname,
        cni_args=(
            *subject.identity.to_args(request.container_id),
            *_others(request, without=_ONE_INTERFACE_ARGS),
        ),
        capability_args={k: v for k, v in given if k not in _ONE_INTERFACE_CAPABILITIES},
        device=device_of(network),
    )


def plan_in_place_of_default(
    request: CniRequest, subject: Subject, attachment: Attachment, network: Network
) -> PlannedAttachment:
    """Plan the NAD that a pod names in place of the default network."""
    if not attachment.governed:
        one = plan_default(request, subject, network)
        return replace(one, is_chosen=True, device=device_of(network), **wire_facts(attachment))
    one = plan_secondary(request, subject, attachment, network)
    return replace(one, ifname=request.ifname, default_route=(), is_default=True)


def device_of(network: Network) -> AttachedDevice | None:
    """Return the device of a NAD's network before it is looked up; None where it has none."""
    if network.resource or INFO_FILE in network.conflist.capabilities():
        return AttachedDevice(network.resource)
    return None


def wire_facts(attachment: Attachment) -> dict[str, Any]:
    """Return the addresses of planes on its wires that it may have, and those planes."""
    holds = {name: tuple(map(str, held)) for name, held in attachment.holds.items()}
    return {"holds": holds, "guards": attachment.guards}


def _for_every_interface(
    request: CniRequest, attachment: Attachment
) -> tuple[Mapping[str, Any], tuple[tuple[str, str], ...]]:
    """Return capability arguments and CNI_ARGS of the runtime that are for every interface."""
    given = request.runtime_config.items()
    if attachment.governed:
        return {name: value for name, value in given if name in RUNTIME_FACTS}, ()
    passed = {key: value for key, value in given if key not in _ONE_INTERFACE_CAPABILITIES}
    return passed, _others(request, without=_ONE_INTERFACE_ARGS)


def _others(request: CniRequest, without: frozenset[str]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (key, value)
        for key, value in request.cni_args
        if key not in POD_ARGS and key not in without
    )
