"""ADD: attach a sandbox to the default network, to its planes and to what its pod names.

Invariant: it leaves either everything that its result promises, or nothing.
"""

from __future__ import annotations

from cni.attaching.attacher import Attacher
from cni.attaching.status_reports import StatusReporter
from cni.attaching.teardown import Teardown
from cni.call import CniRequest, check_netns
from cni.journal.entry import Entry, Stage, facts_of
from cni.journal.journal import Journal
from cni.planning.carrier_faults import dead_events
from cni.planning.node_wires import NodeWires, attachments_of_no_plane
from cni.planning.planner import Planner
from cni.planning.pods import Pods, Subject
from cni.planning.policy import (
    decide_for,
    denied_event,
    missing_nad_events,
    missing_plane_event,
    refusal,
    repaired_event,
    warning_event,
)
from cni.plugins.probe import Probe
from cni.takeover.followed_settings import FollowedSettings
from cni.verbs.plugin_path import PluginPath
from cni.verbs.result import result_of
from planes.model.decide.decision import Decision
from planes.model.errors import Conflict
from planes.model.state.catalog import Catalog
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import encode_result
from planes.run.logs import note
from planes.store.protocol import Store


class AddHandler:
    """Handles ADD."""

    def __init__(
        self,
        *,
        store: Store,
        node_wires: NodeWires,
        pods: Pods,
        planner: Planner,
        attacher: Attacher,
        teardown: Teardown,
        journal: Journal,
        reporter: StatusReporter,
        followed: FollowedSettings,
        path: PluginPath,
        probe: Probe,
    ) -> None:
        self._store = store
        self._node_wires = node_wires
        self._pods = pods
        self._planner = planner
        self._attacher = attacher
        self._teardown = teardown
        self._journal = journal
        self._reporter = reporter
        self._followed = followed
        self._path = path
        self._probe = probe

    async def handle(self, request: CniRequest) -> bytes:
        """Attach; return the CNI result.

        Raises:
            PlanesError: why the sandbox is not attached; nothing is left of the call.
        """
        self._probe.reached("called")
        await self._followed.wait_until_ready()
        await self._clean_up(request)
        subject = await self._pods.find(request)
        note(pod=subject.pod.key, uid=subject.pod.uid)
        decision, catalog = await self._decide(subject)
        error = refusal(subject, decision)
        if error is not None:
            refused = denied_event(subject, decision, error)
            self._reporter.queue([refused, *missing_nad_events(subject, catalog)])
            raise error
        check_netns(request)
        complete = await self._path.complete(request)
        further = await self._followed.further_networks(subject)
        entry = await self._planner.plan(complete, subject, decision, catalog, further)
        self._probe.reached("planned")
        stdout, done = await self._attach(request, subject, entry)
        note(**facts_of(done))
        self._reporter.queue_added(done)
        self._reporter.queue(
            [
                repaired_event(subject, decision, catalog),
                missing_plane_event(subject, decision),
                warning_event(subject, decision),
                *dead_events(done),
            ]
        )
        return stdout

    async def _decide(self, subject: Subject) -> tuple[Decision, Catalog]:
        """Return the decision and the catalog it was made on.

        The host's links are read only where a network belongs to no plane.
        """
        catalog = await self._followed.catalog(self._store.catalog)
        decision = decide_for(subject, catalog)
        others = () if decision.errors else attachments_of_no_plane(decision)
        if others:
            resolved = await self._node_wires.resolve(catalog, others)
            if resolved is not catalog:  # without planes it is the same
                return decide_for(subject, resolved), resolved
        return decision, catalog

    async def _attach(
        self, request: CniRequest, subject: Subject, entry: Entry
    ) -> tuple[bytes, Entry]:
        """Attach; a result that cannot be encoded rolls everything back."""
        before = NetConf(request.conf).prev_result()
        stdout = b""

        async def report(done: Entry) -> None:
            nonlocal stdout
            stdout = encode_result(result_of(done, before), request.cni_version)
            await self._reporter.publish(subject.pod, *self._journal.siblings(done), done)

        done = await self._attacher.attach(entry, report)
        return stdout, done

    async def _clean_up(self, request: CniRequest) -> None:
        """Tear down what an earlier ADD of the same interface left, or one that was cut off.

        Raises:
            Conflict: it is attached already (CNI spec: no second ADD without a DEL).
        """
        for entry in self._journal.unfinished(request.container_id):
            if entry.key != request.key:  # on failure it stays in the journal, and is retried
                await self._teardown.tear_down_in_call(entry)
        found = self._journal.find(request.key)
        if found is None:
            return
        is_same = await self._teardown.is_alive(request.netns, found.netns_inode)
        if found.stage is Stage.ATTACHED and is_same:
            raise Conflict(
                f"cannot attach {request.ifname} of {request.container_id} on node {found.node}: "
                "it is attached already",
                remedy="DEL it first",
            )
        outcome = await self._teardown.tear_down_in_call(found)
        outcome.raise_for_add()
