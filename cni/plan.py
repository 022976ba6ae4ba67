"""From a decision to an entry: everything is checked before anything is done.

Invariant: pure of side effects. What a plan contains was parsed, its plugins were found, its
interface names are valid, unique and free in a sandbox that exists; all that is wrong is told at
once. Where a plane governs an attachment its plugins are told what the decision permits and what
the runtime says of the sandbox, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cni.attachment import PlannedAttachment
from cni.chain import PLANE_IPAM, Plugins, netconf
from cni.entry import Entry
from cni.faults import name_faults, raise_all
from cni.networks import Network, Networks, sound
from cni.pods import Subject
from cni.sandbox import Sandboxes, Survey
from planes.model.annotations.selection import Selection
from planes.model.decide.decision import Attachment, Decision
from planes.model.decide.wishes import RUNTIME_FACTS
from planes.model.errors import JsonObject, PlanesError
from planes.model.wire.netconf import ConfList

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
_SUBSTITUTE: Final = "static"


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


class Planner:
    """Makes plans.

    Args:
        networks: looks configurations up.
        plugins: finds who carries them out.
        handles_ipam: tells whether an IPAM type is carried out in this process.
        sandboxes: looks into the sandbox.
        node: this node's name.
    """

    def __init__(
        self,
        networks: Networks,
        plugins: Plugins,
        handles_ipam: Callable[[str], bool],
        sandboxes: Sandboxes,
        node: str,
    ) -> None:
        self._networks = networks
        self._plugins = plugins
        self._handles_ipam = handles_ipam
        self._sandboxes = sandboxes
        self._node = node

    async def plan(self, wish: Wish, subject: Subject, decision: Decision) -> Entry:
        """Plan an ADD.

        Raises:
            PlanesError: all that is wrong with it, at once where there is more than one thing.
        """
        survey = await self._sandboxes.survey(wish.netns)
        named = decision.default_network
        default = await self._networks.default(wish.conf, named.network if named else None)
        faults: list[PlanesError] = []
        attachments = []
        if default is not None and named is not None and named.governed:
            attachments.append(_in_place_of_default(wish, subject, named, default))
        elif default is not None:
            attachments.append(_default(wish, subject, default))
        for attachment in decision.attachments:
            try:
                conflist = await self._networks.nad(attachment.network)
            except PlanesError as error:
                faults.append(error)
                continue
            network = Network(str(attachment.network), conflist)
            attachments.append(_secondary(wish, subject, attachment, network))
        return self._checked(wish, subject, attachments, survey, faults)

    async def plan_decided(self, wish: Wish, subject: Subject, attachment: Attachment) -> Entry:
        """Plan one more attachment of a running sandbox, from a plane.

        Args:
            wish: the call; its interface is the one to make.
            subject: whose sandbox it is.
            attachment: as decided; its NAD's own configuration is carried out.

        Raises:
            PlanesError: all that is wrong with it.
        """
        survey = await self._sandboxes.survey(wish.netns)
        conflist = await self._networks.nad(attachment.network)
        network = Network(str(attachment.network), conflist)
        one = replace(_secondary(wish, subject, attachment, network), ifname=wish.ifname)
        return self._checked(wish, subject, [one], survey, [])

    async def plan_one(
        self, wish: Wish, subject: Subject, conflist: ConfList, wishes: Selection
    ) -> Entry:
        """Plan one more attachment of a running sandbox, from a network that is no plane's.

        Args:
            wish: the call; its interface is the one to make.
            subject: whose sandbox it is.
            conflist: the network.
            wishes: `ips`, `mac` and `cni-args` of a network selection element.

        Raises:
            PlanesError: all that is wrong with it.
        """
        survey = await self._sandboxes.survey(wish.netns)
        asked = [("MAC", wishes.mac), ("IP", ",".join(wishes.ips))]
        own = {"ips": list(wishes.ips), "mac": wishes.mac}
        one = _default(wish, subject, Network(conflist.name, sound(conflist)))
        one = replace(
            one,
            cni_args=(*one.cni_args, *((key, value) for key, value in asked if value)),
            capability_args={**one.capability_args, **{k: v for k, v in own.items() if v}},
            args=wishes.cni_args or {},
            ips=wishes.ips,
            is_default=False,
        )
        return self._checked(wish, subject, [one], survey, [])

    def _checked(
        self,
        wish: Wish,
        subject: Subject,
        attachments: list[PlannedAttachment],
        survey: Survey,
        faults: list[PlanesError],
    ) -> Entry:
        names = [one.ifname for one in attachments]
        faults += name_faults(names, survey.names)
        for one in attachments:
            faults += self._plugin_faults(one, wish.cni_path)
        raise_all(f"attach {subject.pod.key}", faults)
        return Entry(
            container_id=wish.container_id,
            ifname=wish.ifname,
            netns=wish.netns,
            netns_inode=survey.inode,
            network=wish.network,
            cni_path=wish.cni_path,
            namespace=subject.pod.namespace,
            pod=subject.pod.name,
            uid=subject.pod.uid,
            node=self._node,
            attachments=tuple(attachments),
        )

    def _plugin_faults(
        self, attachment: PlannedAttachment, cni_path: tuple[str, ...]
    ) -> list[PlanesError]:
        """List the plugins of a chain that nobody can carry out."""
        faults: list[PlanesError] = []
        for position in range(len(attachment.conflist.plugins)):
            try:
                conf = netconf(attachment, position, None)
                if self._plugins.native(conf) is None:
                    self._plugins.require(conf.type, cni_path)
                    if conf.ipam_type == PLANE_IPAM:
                        self._plugins.require(_SUBSTITUTE, cni_path)
                elif conf.ipam_type and not self._handles_ipam(conf.ipam_type):
                    self._plugins.require(conf.ipam_type, cni_path)
            except PlanesError as error:
                faults.append(error)
        return faults


def _default(wish: Wish, subject: Subject, network: Network) -> PlannedAttachment:
    """Plan the default network: it gets everything the runtime passed."""
    return PlannedAttachment(
        network=network.name,
        conflist=network.conflist,
        ifname=wish.ifname,
        cni_args=(*_identity(wish, subject), *_others(wish, without=frozenset())),
        capability_args=dict(wish.runtime_config),
        is_default=True,
    )


def _secondary(
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
    )


def _in_place_of_default(
    wish: Wish, subject: Subject, attachment: Attachment, network: Network
) -> PlannedAttachment:
    """Plan a plane that a pod has in place of the default network."""
    one = _secondary(wish, subject, attachment, network)
    return replace(one, ifname=wish.ifname, default_route=(), is_default=True)


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
