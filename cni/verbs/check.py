"""CHECK: compare what is attached with what the ADD promised.

Invariant: it looks at every attachment, and reports all differences at once.
"""

from __future__ import annotations

from cni.call import CniRequest
from cni.journal.entry import Stage
from cni.journal.error_subject import ErrorSubject
from cni.journal.journal import Journal
from cni.net.sandboxes import Sandboxes
from cni.plugins.attachment import PlannedAttachment
from cni.plugins.chain import Chains
from cni.takeover.unjournaled import UnjournaledSandboxes
from cni.verbs.plugin_path import PluginPath
from planes.model.errors import CniCode, Internal, NotFound, PlanesError


class CheckHandler:
    """Handles CHECK."""

    def __init__(
        self,
        journal: Journal,
        unjournaled: UnjournaledSandboxes,
        chains: Chains,
        sandboxes: Sandboxes,
        path: PluginPath,
    ) -> None:
        self._journal = journal
        self._unjournaled = unjournaled
        self._chains = chains
        self._sandboxes = sandboxes
        self._path = path

    async def handle(self, request: CniRequest) -> bytes:
        """Check every attachment; a CHECK prints nothing.

        Raises:
            NotFound: nothing is attached (code 3).
            Internal: there are differences; all of them are listed.
        """
        container_id, netns = request.container_id, request.netns
        found = self._journal.find(request.key)
        if found is None:
            found = await self._unjournaled.find_for_check(self._path.with_own(request))
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
            if one.ifname not in names and _made_interface(one):
                differences.append(f"{ErrorSubject.of(one)}: the interface is missing")
                continue
            try:
                await self._chains.check(found.call(one, netns), one)
            except PlanesError as error:
                differences.append(f"{ErrorSubject.of(one)}: {error}")
                codes.add(int(error.cni_code))
        if differences:
            raise Internal(
                f"cannot confirm sandbox {container_id} on node {found.node}: "
                f"{' | '.join(differences)}",
                remedy="recreate the pod",
                code=codes.pop() if len(codes) == len(differences) == 1 else None,
            )
        return b""


def _made_interface(attachment: PlannedAttachment) -> bool:
    """Report whether its ADD made the interface, by its result: a plugin may make none."""
    result = attachment.result
    return result is not None and any(
        link.sandbox and link.name == attachment.ifname for link in result.interfaces
    )
