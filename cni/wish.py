"""One planned attachment, from what was decided and what the call passed.

Where a plane governs it, its plugins are told what the decision permits and what the runtime says
of the sandbox, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cni.attachment import PlannedAttachment
from cni.networks import Network
from cni.pods import Subject
from planes.model.decide.decision import Attachment
from planes.model.decide.wishes import RUNTIME_FACTS
from planes.model.errors import JsonObject

_OURS_IN_ARGS: Final = frozenset(
    {
        "IgnoreUnknown",
        "K8S_POD_NAMESPACE",
        "K8S_POD_NAME",
        "K8S_POD_INFRA_CONTAINER_ID",
        "K8S_POD_UID",
    }
)
_ONE_INTERFACE_ARGS: Final = frozenset({"IP", "MAC", "GATEWAY"})
_ONE_INTERFACE_CAPABILITIES: Final = frozenset({"ips", "mac", "infinibandGUID", "deviceID"})


@dataclass(frozen=True, slots=True)
class Wish:
    """What an ADD call asks for.

    Attributes:
        cni_args: as the runtime gave them.
        cni_path: where plugins are looked up, ours included.
        conf: the netconf, prevResult and runtimeConfig included.
    """

    container_id: str
    netns: str
    ifname: str
    cni_args: tuple[tuple[str, str], ...]
    cni_path: tuple[str, ...]
    conf: JsonObject
    network: str

    @property
    def runtime_config(self) -> Mapping[str, Any]:
        """The capability arguments the runtime passed."""
        given = self.conf.get("runtimeConfig")
        return given if isinstance(given, dict) else {}


def plan_default(wish: Wish, subject: Subject, network: Network) -> PlannedAttachment:
    """Plan the default network: it gets everything the runtime passed."""
    return PlannedAttachment(
        network=network.name,
        conflist=network.conflist,
        ifname=wish.ifname,
        cni_args=(*_identity(wish, subject), *_others(wish, without=frozenset())),
        capability_args=dict(wish.runtime_config),
        is_default=True,
    )


def plan_secondary(
    wish: Wish, subject: Subject, attachment: Attachment, network: Network
) -> PlannedAttachment:
    """Plan one of the others: what the runtime passed for every interface, and its own wishes."""
    passed, others = _for_every_interface(wish, attachment)
    asked = [("MAC", attachment.mac), ("IP", ",".join(attachment.ips))]
    return PlannedAttachment(
        network=network.name,
        conflist=network.conflist,
        ifname=attachment.interface,
        cni_args=(
            *_identity(wish, subject),
            *others,
            *((key, value) for key, value in asked if value),
        ),
        capability_args={**passed, **attachment.capabilities},
        args=attachment.cni_args,
        candidates=tuple(str(one) for one in attachment.candidates),
        ips=attachment.ips,
        default_route=attachment.default_route,
        plane=attachment.plane or "",
        **wire_facts(attachment),
    )


def plan_in_place_of_default(
    wish: Wish, subject: Subject, attachment: Attachment, network: Network
) -> PlannedAttachment:
    """Plan what a pod has in place of the default network; a plane's policy governs it or none."""
    if not attachment.governed:
        return replace(plan_default(wish, subject, network), **wire_facts(attachment))
    one = plan_secondary(wish, subject, attachment, network)
    return replace(one, ifname=wish.ifname, default_route=(), is_default=True)


def wire_facts(attachment: Attachment) -> dict[str, Any]:
    """Give what an attachment has, and may not have, of planes on its wires."""
    holds = {name: tuple(map(str, held)) for name, held in attachment.holds.items()}
    return {"holds": holds, "guards": attachment.guards}


def _for_every_interface(
    wish: Wish, attachment: Attachment
) -> tuple[Mapping[str, Any], tuple[tuple[str, str], ...]]:
    """Give capability arguments and CNI_ARGS of the runtime that are not for one interface."""
    given = wish.runtime_config.items()
    if attachment.governed:
        return {name: value for name, value in given if name in RUNTIME_FACTS}, ()
    passed = {key: value for key, value in given if key not in _ONE_INTERFACE_CAPABILITIES}
    return passed, _others(wish, without=_ONE_INTERFACE_ARGS)


def _identity(wish: Wish, subject: Subject) -> tuple[tuple[str, str], ...]:
    """Give the pod's identity in CNI_ARGS, in the order that Multus fixed."""
    return (
        ("IgnoreUnknown", "true"),
        ("K8S_POD_NAMESPACE", subject.pod.namespace),
        ("K8S_POD_NAME", subject.pod.name),
        ("K8S_POD_INFRA_CONTAINER_ID", wish.container_id),
        ("K8S_POD_UID", subject.pod.uid),
    )


def _others(wish: Wish, without: frozenset[str]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (key, value)
        for key, value in wish.cni_args
        if key not in _OURS_IN_ARGS and key not in without
    )
