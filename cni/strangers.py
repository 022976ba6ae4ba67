"""Sandboxes that the default network attached before us: on a cluster their DEL comes to us.

Invariant: a sandbox that neither our journal nor Multus' files know is handed to the default
network's own plugin, exactly as the runtime would have without us; only what fails of it is
journaled, to be tried again. What the runtime holds a result of was attached: while there is no
default network its DEL is never told done.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from cni.attachment import PlannedAttachment
from cni.conf_files import is_ours
from cni.entry import Entry, Stage
from cni.networks import Network, Networks
from cni.serving.request import CniRequest
from planes.model.errors import PlanesError, Unavailable
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
        """Give what is to be torn down; None where nothing is known to be.

        Raises:
            Unavailable: something is, and there is no default network to do it (code 11).
        """
        # One network of several (`/delegate`) is not the default network's matter: plugins that
        # know a sandbox by its container alone (Calico) would take its first interface's address.
        if self._is_standalone or not is_ours(str(request.conf.get("type", ""))):
            return None
        result = _result(request)
        try:
            # Not the netconf: at DEL a prevResult is the cached result, no plugin before us.
            default = await self._networks.default({})
        except PlanesError as error:
            if result is not None:
                raise Unavailable(
                    f"cannot detach sandbox {request.container_id} from before us: {error.message}",
                    remedy=error.remedy or "it is tried again",
                ) from error
            _log.warning("a sandbox from before us is left alone", extra={"reason": str(error)})
            return None
        if default is None:
            return None
        return self._entry(request, cni_path, default, result)

    async def attached(self, request: CniRequest, cni_path: tuple[str, ...]) -> Entry | None:
        """Give what CHECK looks at; None where the runtime holds no result of an ADD.

        Raises:
            PlanesError: there is no default network.
        """
        result = _result(request)
        if self._is_standalone or result is None:
            return None
        default = await self._networks.default({})
        if default is None:
            return None
        entry = self._entry(request, cni_path, default, result)
        return replace(entry, stage=Stage.ATTACHED)

    def _entry(
        self,
        request: CniRequest,
        cni_path: tuple[str, ...],
        default: Network,
        result: Result | None,
    ) -> Entry:
        args = dict(request.cni_args)
        attachment = PlannedAttachment(
            network=default.name,
            conflist=default.conflist,
            ifname=request.ifname,
            cni_args=request.cni_args,
            capability_args=NetConf(request.conf).runtime_config,
            is_default=True,
            result=result,
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
