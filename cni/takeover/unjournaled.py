"""DEL and CHECK of sandboxes that were attached before Netplane was installed.

The DEL of a sandbox that is neither in our journal nor in Multus' files goes to the plugin of the
default network, as it would without us; it is journaled only if it fails. A call for one network
(`/delegate`) goes to the plugin of that network.

Invariant: a sandbox of which the container runtime has a result (prevResult) was attached. While
there is no default network its DEL is postponed: no address leaks, and no pod hangs in Terminating
for a network that may never come back.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from cni.call import CniRequest
from cni.journal.entry import Entry, Stage, entry_of
from cni.planning.networks import Network, Networks, sound
from cni.plugins.attachment import PlannedAttachment
from cni.serving.protocol import Postponed
from planes.model.errors import PlanesError
from planes.model.wire.netconf import NetConf, parse_conflist
from planes.model.wire.result import Result

_log = logging.getLogger(__name__)


class UnjournaledSandboxes:
    """Builds journal entries for sandboxes that we never attached.

    Args:
        networks: finds the default network.
        node: the name of this node.
        is_standalone: without a cluster, where each network is called by its own name: a DEL
            without a journal entry is not ours.
    """

    def __init__(self, networks: Networks, node: str, *, is_standalone: bool) -> None:
        self._networks = networks
        self._node = node
        self._is_standalone = is_standalone

    async def find_for_delete(self, request: CniRequest) -> Entry | None:
        """Return what is to be torn down; None where nothing is known to be.

        Raises:
            Postponed: the sandbox was attached, and there is no default network for its DEL.
            BadInput: the configuration of a `/delegate` call is invalid.
        """
        if request.is_delegated:
            # Plugins that know a sandbox by its container alone (Calico) would take its first
            # interface's address if the default network got the DEL of another one.
            return self._entry(request, _own(request), is_default=False)
        if self._is_standalone:
            return None
        try:
            # Without the netconf: at DEL its prevResult is the cached result of ADD, and does not
            # mean that a plugin ran before us.
            default = await self._networks.default({})
        except PlanesError as error:
            if _result(request) is not None:
                raise Postponed(
                    f"cannot detach sandbox {request.container_id} from before us: {error.message}",
                    remedy=error.remedy or "it is tried again",
                ) from error
            _log.warning("a sandbox from before us is left alone", extra={"reason": str(error)})
            return None
        return None if default is None else self._entry(request, default)

    async def find_for_check(self, request: CniRequest) -> Entry | None:
        """Return what CHECK looks at; None where the runtime holds no result of an ADD.

        Raises:
            PlanesError: there is no default network.
        """
        if _result(request) is None:
            return None
        if request.is_delegated:
            found = self._entry(request, _own(request), is_default=False)
            return replace(found, stage=Stage.ATTACHED)
        default = None if self._is_standalone else await self._networks.default({})
        if default is None:
            return None
        return replace(self._entry(request, default), stage=Stage.ATTACHED)

    def _entry(self, request: CniRequest, network: Network, *, is_default: bool = True) -> Entry:
        attachment = PlannedAttachment(
            network=network.name,
            conflist=network.conflist,
            ifname=request.ifname,
            cni_args=request.cni_args,
            capability_args=NetConf(request.conf).runtime_config,
            is_default=is_default,
            result=_result(request),
        )
        return entry_of(request, request.pod, self._node, (attachment,), stage=Stage.LEAVING)


def _own(request: CniRequest) -> Network:
    conflist = sound(parse_conflist(request.conf, what="the delegate's configuration"))
    return Network(conflist.name, conflist)


def _result(request: CniRequest) -> Result | None:
    """Return the result of ADD that the container runtime cached; None where there is none."""
    try:
        return NetConf(request.conf).prev_result()
    except PlanesError:
        return None
