"""STATUS: report whether an ADD could succeed.

Invariant: success promises an ADD only where the default network exists, its plugins are there and
report success themselves.
"""

from __future__ import annotations

from cni.call import CniRequest
from cni.planning.networks import Networks
from cni.plugins.attachment import PlannedAttachment
from cni.plugins.chain import Chains
from cni.plugins.plugin import Call
from cni.takeover.followed_settings import FollowedSettings
from cni.verbs.plugin_path import PluginPath
from planes.model.errors import CniCode, NotFound, Unavailable
from planes.store.protocol import Store


class StatusHandler:
    """Handles STATUS."""

    def __init__(
        self,
        chains: Chains,
        networks: Networks,
        store: Store,
        followed: FollowedSettings,
        path: PluginPath,
    ) -> None:
        self._chains = chains
        self._networks = networks
        self._store = store
        self._followed = followed
        self._path = path

    async def handle(self, request: CniRequest) -> bytes:
        """Check the default network; a STATUS prints nothing.

        Raises:
            Unavailable: code 50; no default network, its plugin missing, or nothing read yet.
            PlanesError: what a plugin of the default network reports.
        """
        await self._followed.check_ready()
        cni_path = (await self._path.complete(request)).cni_path
        if not self._store.is_synced:
            raise Unavailable(
                "cannot attach pods yet: planes and pods are not read",
                remedy="wait, and see the daemon's log if it lasts",
                code=CniCode.NOT_AVAILABLE,
            )
        network = await self._networks.default(request.conf)
        if network is None:
            return b""
        default = PlannedAttachment(network.name, network.conflist, "eth0", is_default=True)
        try:
            await self._chains.status(Call("", "", "", cni_path=cni_path), default)
        except NotFound as error:
            raise Unavailable(
                error.message, remedy=error.remedy, code=CniCode.NOT_AVAILABLE
            ) from error
        return b""
