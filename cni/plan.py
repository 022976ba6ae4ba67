"""From a decision to an entry: everything is checked before anything is done.

Invariant: pure of side effects. What a plan contains was parsed, its plugins were found, its
interface names are valid, unique and free in a sandbox that exists; all that is wrong is told at
once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cni.attachment import PlannedAttachment
from cni.chain import PLANE_IPAM, Plugins, netconf
from cni.entry import Entry
from cni.networks import Network, Networks
from cni.pods import Subject
from cni.sandbox import Sandboxes
from planes.model.decision import Attachment, Decision
from planes.model.errors import BadInput, CniCode, Conflict, JsonObject, PlanesError
from planes.model.names import check_ifname

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
        default = await self._networks.default(wish.conf, named.ref if named else None)
        faults: list[PlanesError] = []
        attachments = [] if default is None else [_default(wish, subject, default)]
        for attachment in decision.attachments:
            try:
                conflist = await self._networks.nad(attachment.network)
            except PlanesError as error:
                faults.append(error)
                continue
            network = Network(str(attachment.network), conflist)
            attachments.append(_secondary(wish, subject, attachment, network))
        names = [one.ifname for one in attachments]
        faults += _name_faults(names, survey.names)
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
    selection = attachment.selection
    wishes = {
        "ips": list(attachment.ips),
        "mac": attachment.mac,
        "portMappings": list(selection.port_mappings),
        "bandwidth": selection.bandwidth,
        "infinibandGUID": selection.infiniband_guid,
        "deviceID": selection.device_id,
    }
    passed = {
        name: value
        for name, value in wish.runtime_config.items()
        if name not in _ONE_INTERFACE_CAPABILITIES
    }
    own = {name: value for name, value in wishes.items() if value}
    asked = [("MAC", attachment.mac), ("IP", ",".join(attachment.ips))]
    return PlannedAttachment(
        network=network.name,
        conflist=network.conflist,
        ifname=attachment.interface,
        cni_args=(
            *_identity(wish, subject),
            *_others(wish, without=_ONE_INTERFACE_ARGS),
            *((key, value) for key, value in asked if value),
        ),
        capability_args={**passed, **own},
        args=selection.cni_args or {},
        candidates=tuple(str(one) for one in attachment.candidates),
        ips=attachment.ips,
        default_route=selection.default_route or (),
        plane=attachment.plane or "",
    )


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


def _name_faults(names: Sequence[str], taken: frozenset[str]) -> list[PlanesError]:
    faults: list[PlanesError] = []
    for position, name in enumerate(names):
        try:
            check_ifname(name)
        except PlanesError as error:
            faults.append(error)
            continue
        if name in names[:position]:
            faults.append(
                BadInput(
                    f'cannot attach two networks as interface "{name}"',
                    remedy='give one of them another "interface" in the annotation',
                )
            )
        elif name in taken:
            faults.append(
                Conflict(
                    f'cannot attach interface "{name}": the sandbox has one of that name',
                    remedy="DEL the old attachment first, or choose another name",
                )
            )
    return faults


def raise_all(what: str, faults: Sequence[PlanesError]) -> None:
    """Raise what was found: one as it is, several as one error that lists them.

    Raises:
        PlanesError: there is any.
    """
    if not faults:
        return
    if len(faults) == 1:
        raise faults[0]
    codes = {int(fault.cni_code) for fault in faults}
    raise BadInput(
        f"cannot {what}: {' | '.join(fault.message for fault in faults)}",
        remedy=" | ".join(dict.fromkeys(fault.remedy for fault in faults if fault.remedy)),
        code=codes.pop() if len(codes) == 1 else CniCode.BAD_CONFIG,
    )
