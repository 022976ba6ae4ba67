"""Sandboxes that somebody attached before us: on a cluster their DEL comes to us.

Invariant: a sandbox that neither our journal nor Multus' files know is handed to the default
network's own plugin, exactly as the runtime would have without us; only what fails of it is
journaled, to be tried again. What the runtime holds a result of was attached: while there is no
default network its DEL is postponed, which neither loses an address nor lets a pod hang in
Terminating for a network that may never come back. A call about one network (`/delegate`) is that
network's own matter.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from cni.attachment import PlannedAttachment
from cni.entry import Entry, Stage
from cni.networks import Network, Networks, sound
from cni.serving.protocol import Postponed
from cni.serving.request import CniRequest
from planes.model.errors import PlanesError
from planes.model.wire.netconf import NetConf, parse_conflist
from planes.model.wire.result import Result

_log = logging.getLogger(__name__)


class Strangers:
    """Finds what a plugin has to tear down of a sandbox that we never attached.

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
            Postponed: something is, and there is no default network to do it.
            BadInput: what `/delegate` sends is no network configuration.
        """
        if request.is_delegated:
            # Plugins that know a sandbox by its container alone (Calico) would take its first
            # interface's address if the default network got the DEL of another one.
            return self._entry(request, cni_path, _own(request), is_default=False)
        if self._is_standalone:
            return None
        try:
            # Not the netconf: at DEL a prevResult is the cached result, no plugin before us.
            default = await self._networks.default({})
        except PlanesError as error:
            if _result(request) is not None:
                raise Postponed(
                    f"cannot detach sandbox {request.container_id} from before us: {error.message}",
                    remedy=error.remedy or "it is tried again",
                ) from error
            _log.warning("a sandbox from before us is left alone", extra={"reason": str(error)})
            return None
        return None if default is None else self._entry(request, cni_path, default)

    async def attached(self, request: CniRequest, cni_path: tuple[str, ...]) -> Entry | None:
        """Give what CHECK looks at; None where the runtime holds no result of an ADD.

        Raises:
            PlanesError: there is no default network.
        """
        if _result(request) is None:
            return None
        if request.is_delegated:
            found = self._entry(request, cni_path, _own(request), is_default=False)
            return replace(found, stage=Stage.ATTACHED)
        default = None if self._is_standalone else await self._networks.default({})
        if default is None:
            return None
        return replace(self._entry(request, cni_path, default), stage=Stage.ATTACHED)

    def _entry(
        self,
        request: CniRequest,
        cni_path: tuple[str, ...],
        network: Network,
        *,
        is_default: bool = True,
    ) -> Entry:
        args = dict(request.cni_args)
        attachment = PlannedAttachment(
            network=network.name,
            conflist=network.conflist,
            ifname=request.ifname,
            cni_args=request.cni_args,
            capability_args=NetConf(request.conf).runtime_config,
            is_default=is_default,
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


def _own(request: CniRequest) -> Network:
    conflist = sound(parse_conflist(request.conf, what="the delegate's configuration"))
    return Network(conflist.name, conflist)


def _result(request: CniRequest) -> Result | None:
    """Give the result the runtime cached of the ADD: our file goes by the network's own name."""
    try:
        return NetConf(request.conf).prev_result()
    except PlanesError:
        return None
