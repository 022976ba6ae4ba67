"""From a decision to an entry: everything is checked before anything is done.

Invariant: pure of side effects. What a plan contains was parsed, its plugins were found, its
interface names are valid, unique and free in a sandbox that exists; all that is wrong is told at
once. Where a plane governs an attachment its plugins are told what the decision permits and what
the runtime says of the sandbox, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from cni.attachment import PlannedAttachment
from cni.chain import PLANE_IPAM, Plugins, netconf
from cni.entry import Entry
from cni.faults import name_faults, raise_all
from cni.networks import Network, Networks, usable
from cni.pods import Subject
from cni.sandbox import Sandboxes, Survey
from cni.wish import (
    Wish,
    plan_default,
    plan_in_place_of_default,
    plan_secondary,
    wire_facts,
)
from planes.model.annotations.selection import Selection
from planes.model.decide.decision import Attachment, Decision
from planes.model.errors import PlanesError
from planes.model.state.catalog import Catalog
from planes.model.wire.netconf import ConfList

_SUBSTITUTE: Final = "static"


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

    async def plan(
        self, wish: Wish, subject: Subject, decision: Decision, catalog: Catalog
    ) -> Entry:
        """Plan an ADD.

        Args:
            wish: the call.
            subject: whose sandbox it is.
            decision: what it gets.
            catalog: what was decided on; its NADs are carried out, not newer ones.

        Raises:
            PlanesError: all that is wrong with it, at once where there is more than one thing.
        """
        survey = await self._sandboxes.survey(wish.netns)
        named = decision.default_network
        default = await self._networks.default(wish.conf, named.network if named else None, catalog)
        faults: list[PlanesError] = []
        attachments = []
        if default is not None and named is not None:
            attachments.append(plan_in_place_of_default(wish, subject, named, default))
        elif default is not None:
            attachments.append(plan_default(wish, subject, default))
        for attachment in decision.attachments:
            try:
                conflist = await self._networks.nad(attachment.network, catalog)
            except PlanesError as error:
                faults.append(error)
                continue
            network = Network(str(attachment.network), conflist)
            attachments.append(plan_secondary(wish, subject, attachment, network))
        return self._checked(wish, subject, attachments, survey, faults)

    async def plan_decided(
        self,
        wish: Wish,
        subject: Subject,
        attachment: Attachment,
        conflist: ConfList | None = None,
    ) -> Entry:
        """Plan one more attachment of a running sandbox, that a plane governs.

        Args:
            wish: the call; its interface is the one to make.
            subject: whose sandbox it is.
            attachment: as decided.
            conflist: its configuration; None for that of its NAD.

        Raises:
            PlanesError: all that is wrong with it.
        """
        survey = await self._sandboxes.survey(wish.netns)
        if conflist is None:
            conflist = await self._networks.nad(attachment.network)
            network = Network(str(attachment.network), conflist)
        else:
            network = Network(conflist.name, usable(conflist))
        one = replace(plan_secondary(wish, subject, attachment, network), ifname=wish.ifname)
        return self._checked(wish, subject, [one], survey, [])

    async def plan_one(
        self,
        wish: Wish,
        subject: Subject,
        conflist: ConfList,
        wishes: Selection,
        attachment: Attachment | None = None,
    ) -> Entry:
        """Plan one more attachment of a running sandbox, that no plane governs.

        Args:
            wish: the call; its interface is the one to make.
            subject: whose sandbox it is.
            conflist: the network.
            wishes: `ips`, `mac` and `cni-args` of a network selection element.
            attachment: as decided, where planes share its wire.

        Raises:
            PlanesError: all that is wrong with it.
        """
        survey = await self._sandboxes.survey(wish.netns)
        asked = [("MAC", wishes.mac), ("IP", ",".join(wishes.ips))]
        own = {"ips": list(wishes.ips), "mac": wishes.mac}
        one = plan_default(wish, subject, Network(conflist.name, usable(conflist)))
        one = replace(
            one,
            cni_args=(*one.cni_args, *((key, value) for key, value in asked if value)),
            capability_args={**one.capability_args, **{k: v for k, v in own.items() if v}},
            args=wishes.cni_args or {},
            ips=wishes.ips,
            is_default=False,
            **({} if attachment is None else wire_facts(attachment)),
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
