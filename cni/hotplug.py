"""One more network for a running sandbox: Multus' `/delegate`, for controllers that hot-plug.

Invariant: journaled like any call, under its own interface, so DEL, CHECK, GC and recovery know
it; one that we did not attach goes by the request's own configuration. Neither network-status nor
events are touched, as with Multus: the caller keeps those.
"""

from __future__ import annotations

from dataclasses import replace

from cni.answer import answer
from cni.attach import Attacher
from cni.entry import Entry
from cni.gate import Gate
from cni.journal import Journal
from cni.plan import Planner
from cni.pods import Pods
from cni.runtime import caller_of, wish_of
from cni.serving.multus_protocol import InterfaceAttributes
from cni.serving.protocol import Verbs
from cni.serving.request import CniRequest
from planes.model.errors import Conflict
from planes.model.wire.cniversion import Verb
from planes.model.wire.netconf import parse_conflist
from planes.model.wire.result import encode_result


class Hotplug:
    """Attaches the request's own configuration; every other verb is the runtime's."""

    def __init__(
        self,
        *,
        runtime: Verbs,
        planner: Planner,
        attacher: Attacher,
        gate: Gate,
        journal: Journal,
        pods: Pods,
        cni_path: tuple[str, ...],
    ) -> None:
        self._runtime = runtime
        self._planner = planner
        self._attacher = attacher
        self._gate = gate
        self._journal = journal
        self._pods = pods
        self._cni_path = cni_path

    async def delegate(self, request: CniRequest, attributes: InterfaceAttributes) -> bytes:
        """Carry out a call about one network.

        Raises:
            PlanesError: what the caller is told.
        """
        if request.verb is not Verb.ADD:
            return await self._runtime.handle(replace(request, is_delegated=True))
        conflist = parse_conflist(request.conf, what="the delegate's configuration")
        wishes = {
            "ips": attributes.ips,
            "mac": attributes.mac,
            "cni-args": attributes.cni_args,
        }
        async with self._gate.call(request.container_id):
            if self._journal.find((request.container_id, request.ifname)) is not None:
                raise Conflict(
                    f"cannot attach {request.ifname} of {request.container_id}: it is attached "
                    "already",
                    remedy="DEL it first",
                )
            subject = await self._pods.find(caller_of(request), {})
            wish = wish_of(request, self._cni_path)
            entry = await self._planner.plan_one(wish, subject, conflist, wishes)
            done = await self._attacher.attach(entry, _nothing_to_report)
        return encode_result(answer(done, None), request.cni_version)


async def _nothing_to_report(_: Entry) -> None:
    return
