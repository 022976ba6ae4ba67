"""One more network for a running sandbox: Multus' `/delegate`, for controllers that hot-plug.

Invariant: journaled like any call, under its own interface, so DEL, CHECK, GC and recovery know
it; one that we did not attach goes by the request's own configuration. Neither network-status nor
events are touched, as with Multus: the caller keeps those. A configuration that is a plane's is
judged like any attachment to it, and the plane's own NAD is carried out, not what was sent.
"""

from __future__ import annotations

from dataclasses import replace

from cni.answer import answer
from cni.attach import Attacher
from cni.entry import Entry
from cni.gate import Gate
from cni.ground import Ground
from cni.journal import Journal
from cni.plan import Planner
from cni.pods import Pods, Subject
from cni.runtime import caller_of, wish_of
from cni.serving.multus_protocol import InterfaceAttributes
from cni.serving.protocol import Verbs
from cni.serving.request import CniRequest
from cni.verdict import refusal
from cni.wish import Wish
from planes.model.annotations.selection import Selection
from planes.model.decide.hotplug import (
    concerns_planes,
    decide_network,
    decide_one,
    plane_behind,
    read_wishes,
)
from planes.model.errors import Conflict, Denied
from planes.model.objects import NadRef
from planes.model.spec.plane_spec import Plane
from planes.model.state.nad_facts import network_facts
from planes.model.wire.cniversion import Verb
from planes.model.wire.netconf import ConfList, parse_conflist
from planes.model.wire.result import encode_result
from planes.store.protocol import Store


class Hotplug:
    """Attaches the request's own configuration; every other verb is the runtime's."""

    def __init__(
        self,
        *,
        store: Store,
        ground: Ground,
        runtime: Verbs,
        planner: Planner,
        attacher: Attacher,
        gate: Gate,
        journal: Journal,
        pods: Pods,
        cni_path: tuple[str, ...],
    ) -> None:
        self._store = store
        self._ground = ground
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
        asked = {
            "ips": list(attributes.ips),
            "mac": attributes.mac,
            "cni-args": attributes.cni_args,
        }
        wishes = read_wishes(request.ifname, asked)
        namespace = caller_of(request).namespace
        async with self._gate.call(request.container_id, namespace, attaches=True):
            if self._journal.find((request.container_id, request.ifname)) is not None:
                raise Conflict(
                    f"cannot attach {request.ifname} of {request.container_id}: it is attached "
                    "already",
                    remedy="DEL it first",
                )
            subject = await self._pods.find(caller_of(request), {})
            wish = wish_of(request, self._cni_path)
            plane = plane_behind(conflist, self._store.catalog)
            if plane is None:
                entry = await self._planned_strange(wish, subject, conflist, wishes)
            else:
                entry = await self._planned(plane, wish, subject, wishes)
            done = await self._attacher.attach(entry, _nothing_to_report)
        return encode_result(answer(done, None), request.cni_version)

    async def _planned_strange(
        self, wish: Wish, subject: Subject, conflist: ConfList, wishes: Selection
    ) -> Entry:
        """Plan a network that is no plane's; planes judge it where it is on their wires.

        Raises:
            PlanesError: policy refuses, with everything that is wrong; or it cannot be planned.
        """
        ref = NadRef("", conflist.name)
        given = {ref: network_facts(conflist)}
        catalog = await self._ground.seen(self._store.catalog, (), given)
        if not concerns_planes(ref, catalog):
            return await self._planner.plan_one(wish, subject, conflist, wishes)
        decision = decide_network(subject.pod, subject.namespace, catalog, ref, wishes)
        error = refusal(subject, decision)
        if error is not None:
            raise error
        (one,) = decision.attachments
        if one.governed:
            return await self._planner.plan_decided(wish, subject, one, conflist)
        return await self._planner.plan_one(wish, subject, conflist, wishes, one)

    async def _planned(
        self, plane: Plane, wish: Wish, subject: Subject, wishes: Selection
    ) -> Entry:
        """Plan what policy permits of a plane.

        Raises:
            Denied: nobody knows the pod, so nobody knows what it may have.
            PlanesError: policy refuses, with everything that is wrong; or it cannot be planned.
        """
        if not subject.is_known:
            raise Denied(
                f"cannot attach {subject.pod.key} to plane {plane.name}: there is no such pod",
                remedy="give K8S_POD_NAMESPACE and K8S_POD_NAME of a pod of this node",
            )
        decision = decide_one(subject.pod, subject.namespace, self._store.catalog, plane, wishes)
        error = refusal(subject, decision)
        if error is not None:
            raise error
        return await self._planner.plan_decided(wish, subject, decision.attachments[0])


async def _nothing_to_report(_: Entry) -> None:
    return
