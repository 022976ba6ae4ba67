"""CHECK and STATUS: honest answers about what is attached and what could be.

Invariant: CHECK looks at every attachment, and tells all differences at once; STATUS promises an
ADD only where its default network exists, its plugins are there and say so themselves.
"""

from __future__ import annotations

from cni.attachment import PlannedAttachment
from cni.chain import Chains
from cni.entry import Entry, Stage
from cni.networks import Networks
from cni.plugin import Call
from cni.sandbox import Sandboxes
from planes.model.errors import CniCode, Internal, JsonObject, NotFound, PlanesError, Unavailable
from planes.store.protocol import Store


class Checker:
    """Compares what is with what was promised."""

    def __init__(
        self, chains: Chains, networks: Networks, sandboxes: Sandboxes, store: Store
    ) -> None:
        self._chains = chains
        self._networks = networks
        self._sandboxes = sandboxes
        self._store = store

    async def check(self, found: Entry | None, container_id: str, netns: str) -> None:
        """Check every attachment of a call.

        Raises:
            NotFound: the call is not known (code 3).
            Internal: there are differences; all of them are told.
        """
        if found is None or found.stage is not Stage.ATTACHED:
            raise NotFound(
                f"cannot check sandbox {container_id}: nothing is attached to it",
                remedy="DEL it and ADD it again",
                code=CniCode.UNKNOWN_CONTAINER,
            )
        names = (await self._sandboxes.survey(netns)).names
        differences: list[str] = []
        codes: set[int] = set()
        for one in found.attachments:
            if one.ifname not in names and _brought_interface(one):
                differences.append(f"{one.network}: interface {one.ifname} is missing")
                continue
            try:
                await self._chains.check(found.call(one, netns), one)
            except PlanesError as error:
                differences.append(f"{one.network} ({one.ifname}): {error}")
                codes.add(int(error.cni_code))
        if differences:
            raise Internal(
                f"cannot confirm sandbox {container_id}: {' | '.join(differences)}",
                remedy="recreate the pod",
                code=codes.pop() if len(codes) == len(differences) == 1 else None,
            )

    async def status(self, conf: JsonObject, cni_path: tuple[str, ...]) -> None:
        """Tell whether an ADD could succeed.

        Raises:
            Unavailable: code 50; no default network, its plugin missing, or nothing read yet.
            PlanesError: what a plugin of the default network says itself.
        """
        if not self._store.is_synced:
            raise Unavailable(
                "cannot attach pods yet: planes and pods are not read",
                remedy="wait, and see the daemon's log if it lasts",
                code=CniCode.NOT_AVAILABLE,
            )
        network = await self._networks.default(conf)
        if network is None:
            return
        default = PlannedAttachment(network.name, network.conflist, "eth0", is_default=True)
        try:
            await self._chains.status(Call("", "", "", cni_path=cni_path), default)
        except NotFound as error:
            raise Unavailable(
                error.message, remedy=error.remedy, code=CniCode.NOT_AVAILABLE
            ) from error


def _brought_interface(attachment: PlannedAttachment) -> bool:
    """Tell whether ADD said it made the interface (a plugin may make none)."""
    result = attachment.result
    return result is not None and any(
        link.sandbox and link.name == attachment.ifname for link in result.interfaces
    )
