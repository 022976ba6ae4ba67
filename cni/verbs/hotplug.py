"""Hot-plug: Multus' `/delegate` attaches one more network to a running sandbox.

Invariant: it is journaled like any call, under its own interface, so DEL, CHECK, GC and the
reconciler know it. A DEL or CHECK of one that is not journaled uses the request's configuration.
Neither network-status nor events are written, as with Multus: that is up to the client. Where the
configuration is a plane's, the plane's policy applies, and its own NAD is attached, not what was
sent.
"""

from __future__ import annotations

from dataclasses import replace

from cni.attaching.attacher import Attacher
from cni.call import CniRequest, check_netns
from cni.journal.entry import Entry
from cni.journal.journal import Journal
from cni.planning.node_wires import NodeWires
from cni.planning.planner import Planner
from cni.planning.pods import Pods, Subject
from cni.planning.policy import refusal
from cni.serving.call_locks import CallLocks
from cni.serving.multus_protocol import InterfaceAttributes
from cni.serving.protocol import Verbs
from cni.verbs.plugin_path import PluginPath
from cni.verbs.result import result_of
from planes.model.annotations.selection import Selection
from planes.model.decide.hotplug import (
    decide_network,
    decide_one,
    needs_decision,
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
    """Handles ADD by the request's own configuration; every other verb is the runtime's."""

    def __init__(
        self,
        *,
        store: Store,
        node_wires: NodeWires,
        runtime: Verbs,
        planner: Planner,
        attacher: Attacher,
        call_locks: CallLocks,
        journal: Journal,
        pods: Pods,
        path: PluginPath,
    ) -> None:
        self._store = store
        self._node_wires = node_wires
        self._runtime = runtime
        self._planner = planner
        self._attacher = attacher
        self._call_locks = call_locks
        self._journal = journal
        self._pods = pods
        self._path = path

    async def delegate(self, request: CniRequest, attributes: InterfaceAttributes) -> bytes:
        """Carry out a call about one network.

        Raises:
            PlanesError: why the call failed.
        """
        request = replace(request, is_delegated=True)
        if request.verb is not Verb.ADD:
            return await self._runtime.handle(request)
        conflist = parse_conflist(request.conf, what="the delegate's configuration")
        asked = {
            "ips": list(attributes.ips),
            "mac": attributes.mac,
            "cni-args": attributes.cni_args,
        }
        requested = read_wishes(request.ifname, asked)
        namespace = request.pod.namespace
        async with self._call_locks.call(request.container_id, namespace, attaches=True):
            if self._journal.find(request.key) is not None:
                raise Conflict(
                    f"cannot attach {request.ifname} of {request.container_id}: it is attached "
                    "already",
                    remedy="DEL it first",
                )
            subject = await self._pods.find(request)
            check_netns(request)
            request = await self._path.complete(request)
            plane = plane_behind(conflist, self._store.catalog)
            if plane is None:
                entry = await self._plan_without_plane(request, subject, conflist, requested)
            else:
                entry = await self._plan_for_plane(plane, request, subject, requested)
            done = await self._attacher.attach(entry, _nothing_to_report)
        return encode_result(result_of(done, None), request.cni_version)

    async def _plan_without_plane(
        self, request: CniRequest, subject: Subject, conflist: ConfList, requested: Selection
    ) -> Entry:
        """Plan a network of no plane; a plane's policy applies where it is on the plane's wire.

        Raises:
            PlanesError: policy refuses it, with everything that is wrong; or it cannot be planned.
        """
        ref = NadRef("", conflist.name)
        given = {ref: network_facts(conflist)}
        catalog = await self._node_wires.resolve(self._store.catalog, (), given)
        if not needs_decision(ref, catalog):
            return await self._planner.plan_one(request, subject, conflist, requested)
        decision = decide_network(subject.pod, subject.namespace, catalog, ref, requested)
        error = refusal(subject, decision)
        if error is not None:
            raise error
        (one,) = decision.attachments
        if one.governed:
            return await self._planner.plan_decided(request, subject, one, conflist)
        return await self._planner.plan_one(request, subject, conflist, requested, one)

    async def _plan_for_plane(
        self, plane: Plane, request: CniRequest, subject: Subject, requested: Selection
    ) -> Entry:
        """Plan an attachment to a plane.

        Raises:
            Denied: the store has no such pod, so its planes are not known.
            PlanesError: policy refuses it, with everything that is wrong; or it cannot be planned.
        """
        if not subject.is_known:
            raise Denied(
                f"cannot attach {subject.pod.key} to plane {plane.name}: there is no such pod",
                remedy="give K8S_POD_NAMESPACE and K8S_POD_NAME of a pod of this node",
            )
        decision = decide_one(subject.pod, subject.namespace, self._store.catalog, plane, requested)
        error = refusal(subject, decision)
        if error is not None:
            raise error
        return await self._planner.plan_decided(request, subject, decision.attachments[0])


async def _nothing_to_report(_: Entry) -> None:
    return
