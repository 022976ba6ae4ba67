"""The planner: from a decision to a journal entry, without side effects.

Invariant: the configurations of a plan were parsed, its plugins were found, and its interface names
are valid, unique and free in a sandbox that exists. All errors are reported at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from cni.call import CniRequest
from cni.journal.entry import Entry, entry_of
from cni.journal.error_subject import ErrorSubject, cannot_attach
from cni.net.sandboxes import Sandboxes
from cni.planning.carrier_faults import dead_faults, uplinks_of, warned
from cni.planning.devices import DevicePlanner
from cni.planning.host_ports import unmapped
from cni.planning.interface_names import number
from cni.planning.networks import Network, Networks, usable
from cni.planning.plan_faults import Fault, name_faults, raise_all
from cni.planning.plane_health import PlaneHealth
from cni.planning.planned import (
    plan_default,
    plan_further,
    plan_in_place_of_default,
    plan_secondary,
    wire_facts,
)
from cni.planning.pods import Subject
from cni.planning.requested_interface import renumbered
from cni.plugins.attachment import PlannedAttachment
from cni.plugins.chain import Plugins
from planes.model.annotations.selection import Selection
from planes.model.decide.decision import Attachment, Decision
from planes.model.errors import PlanesError
from planes.model.state.catalog import Catalog
from planes.model.state.supplies import PLANE_IPAM
from planes.model.wire.netconf import ConfList

_SUBSTITUTE: Final = "static"


class Planner:
    """Plans the attachments of a call.

    Args:
        networks: looks configurations up.
        plugins: finds native plugins and binaries.
        handles_ipam: reports whether an IPAM type is native.
        sandboxes: reads the links of the sandbox.
        node: this node's name.
        devices: looks up the devices of NADs with a resource.
        health: counts planes that cannot be attached.
    """

    def __init__(
        self,
        networks: Networks,
        plugins: Plugins,
        handles_ipam: Callable[[str], bool],
        sandboxes: Sandboxes,
        node: str,
        *,
        devices: DevicePlanner,
        health: PlaneHealth,
    ) -> None:
        self._devices = devices
        self._networks = networks
        self._plugins = plugins
        self._handles_ipam = handles_ipam
        self._sandboxes = sandboxes
        self._node = node
        self._health = health

    async def plan(
        self,
        request: CniRequest,
        subject: Subject,
        decision: Decision,
        catalog: Catalog,
        further: Sequence[Network] = (),
    ) -> Entry:
        """Plan an ADD.

        Args:
            request: the call.
            subject: the pod that the sandbox is for.
            decision: the attachments it gets.
            catalog: what the decision was made on: its NADs are attached, not newer ones.
            further: networks that every pod gets after the default network.

        Raises:
            PlanesError: all that is wrong with it, at once where there is more than one thing.
        """
        named = decision.default_network
        default = await self._default(request, decision, catalog)
        faults: list[Fault] = []
        attachments: list[PlannedAttachment] = []
        if default is not None and named is not None:
            attachments.append(plan_in_place_of_default(request, subject, named, default))
        elif default is not None:
            attachments.append(plan_default(request, subject, default))
        count = 0 if default is None else len(further)
        numbered = number(count, decision.attachments, request.ifname)
        for name, network in zip(numbered.further, further, strict=False):
            attachments.append(plan_further(request, subject, network, name))
        if named is None:  # a NAD in place of the default network has mappings of its own
            ports = unmapped(request.runtime_config.get("portMappings"), attachments)
            faults += [(None, error) for error in ports]
        for attachment in numbered.attachments:
            try:
                network = await self._networks.named(attachment.network, catalog)
            except PlanesError as error:
                faults.append((_named(attachment), error))
                continue
            attachments.append(plan_secondary(request, subject, attachment, network))
        movable = _renumberable(subject, decision, catalog)
        if subject.is_alone and default is None and attachments:
            movable -= {attachments[0].ifname}
            attachments[0] = replace(attachments[0], ifname=request.ifname)
        return await self._checked(request, subject, attachments, faults, movable)

    async def _default(
        self, request: CniRequest, decision: Decision, catalog: Catalog
    ) -> Network | None:
        named = decision.default_network
        if named is None:
            return await self._networks.default(request.conf, None, catalog)
        try:
            return await self._networks.default(request.conf, named.network, catalog)
        except PlanesError as error:
            what = ErrorSubject(
                request.ifname, str(named.network), named.plane or "", is_default=True
            )
            raise cannot_attach(what, error, self._node) from error

    async def plan_decided(
        self,
        request: CniRequest,
        subject: Subject,
        attachment: Attachment,
        conflist: ConfList | None = None,
    ) -> Entry:
        """Plan one more attachment of a running sandbox, governed by a plane.

        Args:
            request: the call; its interface is the one to make.
            subject: the pod that the sandbox is for.
            attachment: as decided.
            conflist: its configuration; None for its NAD's.

        Raises:
            PlanesError: all that is wrong with it.
        """
        if conflist is None:
            try:
                network = await self._networks.named(attachment.network)
            except PlanesError as error:
                raise cannot_attach(_named(attachment), error, self._node) from error
        else:
            network = Network(conflist.name, usable(conflist))
        one = replace(plan_secondary(request, subject, attachment, network), ifname=request.ifname)
        return await self._checked(request, subject, [one], [])

    async def plan_one(
        self,
        request: CniRequest,
        subject: Subject,
        conflist: ConfList,
        requested: Selection,
        attachment: Attachment | None = None,
    ) -> Entry:
        """Plan one more attachment of a running sandbox, governed by no plane.

        Args:
            request: the call; its interface is the one to make.
            subject: the pod that the sandbox is for.
            conflist: the network.
            requested: `ips`, `mac` and `cni-args` of a network selection element.
            attachment: as decided, where planes share its wire.

        Raises:
            PlanesError: all that is wrong with it.
        """
        asked = [("MAC", requested.mac), ("IP", ",".join(requested.ips))]
        own = {"ips": list(requested.ips), "mac": requested.mac}
        one = plan_default(request, subject, Network(conflist.name, usable(conflist)))
        one = replace(
            one,
            cni_args=(*one.cni_args, *((key, value) for key, value in asked if value)),
            capability_args={**one.capability_args, **{k: v for k, v in own.items() if v}},
            args=requested.cni_args or {},
            ips=requested.ips,
            is_chosen=True,
            is_default=False,
            **({} if attachment is None else wire_facts(attachment)),
        )
        return await self._checked(request, subject, [one], [])

    async def _checked(
        self,
        request: CniRequest,
        subject: Subject,
        attachments: list[PlannedAttachment],
        faults: list[Fault],
        movable: frozenset[str] = frozenset(),
    ) -> Entry:
        attachments = await self._devices.plan(request, subject, attachments, faults)
        uplinks = tuple(dict.fromkeys(link for one in attachments for link in uplinks_of(one)))
        survey = await self._sandboxes.survey(request.netns, uplinks)
        attachments = renumbered(attachments, movable, survey.names)
        faults += name_faults([ErrorSubject.of(one) for one in attachments], survey.names)
        for one in attachments:
            found = self._plugin_faults(one, request.cni_path)
            found += dead_faults([one], survey.dead, self._node)
            faults += [(ErrorSubject.of(one), error) for error in self._count(one, found)]
        raise_all(f"attach {subject.pod.key}", self._node, faults)
        return entry_of(
            request,
            subject.identity,
            self._node,
            tuple(warned(attachments, survey.dead, self._node)),
            netns_inode=survey.inode,
        )

    def _count(self, attachment: PlannedAttachment, faults: list[PlanesError]) -> list[PlanesError]:
        if faults:
            self._health.failed(attachment, faults[0])
        return faults

    def _plugin_faults(
        self, attachment: PlannedAttachment, cni_path: tuple[str, ...]
    ) -> list[PlanesError]:
        """List errors about plugins of a chain that are neither native nor found as binaries."""
        faults: list[PlanesError] = []
        for position in range(len(attachment.conflist.plugins)):
            try:
                conf = attachment.netconf(position)
                if self._plugins.native(conf) is None:
                    self._plugins.require(conf.type, cni_path)
                    if conf.ipam_type == PLANE_IPAM:
                        self._plugins.require(_SUBSTITUTE, cni_path)
                elif conf.ipam_type and not self._handles_ipam(conf.ipam_type):
                    self._plugins.require(conf.ipam_type, cni_path)
            except PlanesError as error:
                faults.append(error)
        return faults


def _renumberable(subject: Subject, decision: Decision, catalog: Catalog) -> frozenset[str]:
    """Return interface names that may be renumbered, of a container that is no pod.

    Each of its networks is a call of its own, and each call numbers its interfaces from 1.
    """
    if subject.is_known:
        return frozenset()
    planes = ((one.interface, catalog.plane(one.plane or "")) for one in decision.attachments)
    return frozenset(
        name for name, plane in planes if plane is not None and plane.interface != name
    )


def _named(attachment: Attachment) -> ErrorSubject:
    """Return the name in error messages of an attachment without a configuration."""
    return ErrorSubject(attachment.interface, str(attachment.network), attachment.plane or "")
