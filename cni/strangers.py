"""Sandboxes that the default network attached before us: on a cluster their DEL comes to us.

Invariant: a sandbox that neither our journal nor Multus' files know is handed to the default
network's own plugin, exactly as the runtime would have without us; only what fails of it is
journaled, to be tried again.
"""

from __future__ import annotations

import logging

from cni.attachment import PlannedAttachment
from cni.entry import Entry, Stage
from cni.networks import Networks
from cni.serving.request import CniRequest
from planes.model.errors import PlanesError
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result

_log = logging.getLogger(__name__)


class Strangers:
    """Finds what the default network has to tear down of a sandbox that we never saw.

    Args:
        networks: knows the default network.
        node: the name of this node.
        is_standalone: there each network is called by its own name, and nobody's DEL is ours.
    """

    def __init__(self, networks: Networks, node: str, *, is_standalone: bool) -> None:
        self._networks = networks
        self._node = node
        self._is_standalone = is_standalone

    async def take(self, request: CniRequest, cni_path: tuple[str, ...]) -> Entry | None:
        """Give what is to be torn down; None where there is no default network to do it."""
        if self._is_standalone:
            return None
        try:
            # Not the netconf: at DEL a prevResult is the cached result, no plugin before us.
            default = await self._networks.default({})
        except PlanesError as error:
            _log.warning("a sandbox from before us is left alone", extra={"reason": str(error)})
            return None
        if default is None:
            return None
        args = dict(request.cni_args)
        attachment = PlannedAttachment(
            network=default.name,
            conflist=default.conflist,
            ifname=request.ifname,
            cni_args=request.cni_args,
            capability_args=NetConf(request.conf).runtime_config,
            is_default=True,
            result=_result(request),
        )
        return Entry(
            container_id=request.container_id,
            ifname=request.ifname,
            netns=request.netns,
            netns_inode=0,
            network=request.network,
            cni_path=cni_path,
            namespace=args.get("K8S_POD_NAMESPACE", ""),
            pod=args.get("K8S_POD_NAME", ""),
            uid=args.get("K8S_POD_UID", ""),
            node=self._node,
            attachments=(attachment,),
            stage=Stage.LEAVING,
        )


def _result(request: CniRequest) -> Result | None:
    """Give the result the runtime cached of the ADD: our file goes by the network's own name."""
    try:
        return NetConf(request.conf).prev_result()
    except PlanesError:
        return None
