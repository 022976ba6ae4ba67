"""The verbs: one checked call in, stdout out.

Invariant: ADD leaves either everything it answered for or nothing; DEL needs only the journal;
no verb keeps other sandboxes waiting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Final

from cni.answer import answer
from cni.attach import Attacher
from cni.check import Checker
from cni.entry import Entry, Stage, facts_of
from cni.gate import Gate
from cni.gc import Collector
from cni.ground import Ground, strange_attachments
from cni.inherited import Inheritance
from cni.journal import Journal
from cni.leave import Leaver
from cni.orphans import Orphans
from cni.plan import Planner
from cni.pods import Caller, Pods, Subject
from cni.probe import Probe
from cni.report import Reporter
from cni.serving.request import CniRequest
from cni.strangers import Strangers
from cni.verdict import denied, missing_nads, refusal, repaired, verdict
from cni.wish import Wish
from planes.model.errors import BadInput, CniCode, Conflict
from planes.model.wire.cniversion import Verb
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import encode_result
from planes.run.logs import note
from planes.store.protocol import Store


class Runtime:
    """Carries out calls.

    Args:
        cni_path: where plugins are looked up after the directories the call names.
    """

    def __init__(
        self,
        *,
        store: Store,
        ground: Ground,
        gate: Gate,
        pods: Pods,
        planner: Planner,
        attacher: Attacher,
        leaver: Leaver,
        journal: Journal,
        inheritance: Inheritance,
        strangers: Strangers,
        checker: Checker,
        collector: Collector,
        orphans: Orphans,
        reporter: Reporter,
        cni_path: tuple[str, ...],
        probe: Probe,
    ) -> None:
        self._store = store
        self._ground = ground
        self._gate = gate
        self._pods = pods
        self._planner = planner
        self._attacher = attacher
        self._leaver = leaver
        self._journal = journal
        self._inheritance = inheritance
        self._strangers = strangers
        self._checker = checker
        self._collector = collector
        self._orphans = orphans
        self._reporter = reporter
        self._cni_path = cni_path
        self._probe = probe
        self._verbs: Final[Mapping[Verb, Callable[[CniRequest], Awaitable[bytes]]]] = {
            Verb.ADD: self._add,
            Verb.DEL: self._delete,
            Verb.CHECK: self._check,
            Verb.GC: self._collect,
            Verb.STATUS: self._status,
        }

    async def handle(self, request: CniRequest) -> bytes:
        """Carry out a call; stdout of the plugin.

        Raises:
            PlanesError: what the caller is told.
        """
        return await self._verbs[request.verb](request)

    async def _add(self, request: CniRequest) -> bytes:
        async with self._turn(request, attaches=True):
            self._probe.reached("called")
            await self._make_room(request)
            subject = await self._pods.find(caller_of(request), request.conf)
            note(pod=subject.pod.key, uid=subject.pod.uid)
            catalog = self._store.catalog
            decision = verdict(subject, catalog)
            strange = () if decision.errors else strange_attachments(decision)
            if strange:
                catalog = await self._ground.seen(catalog, strange)
                decision = verdict(subject, catalog)
            error = refusal(subject, decision)
            if error is not None:
                self._reporter.tell([denied(subject, error), *missing_nads(subject, catalog)])
                raise error
            wish = wish_of(request, self._cni_path)
            entry = await self._planner.plan(wish, subject, decision, catalog)
            self._probe.reached("planned")
            stdout, done = await self._attach(request, subject, entry)
        note(**facts_of(done))
        self._reporter.added(done)
        self._reporter.tell([repaired(subject, decision)])
        return stdout

    async def _attach(
        self, request: CniRequest, subject: Subject, entry: Entry
    ) -> tuple[bytes, Entry]:
        """Attach; the answer is made inside, so that one that cannot be made undoes everything."""
        before = NetConf(request.conf).prev_result()
        stdout = b""

        async def report(done: Entry) -> None:
            nonlocal stdout
            stdout = encode_result(answer(done, before), request.cni_version)
            await self._reporter.publish(subject.pod, *self._journal.siblings(done), done)

        done = await self._attacher.attach(entry, report)
        return stdout, done

    async def _make_room(self, request: CniRequest) -> None:
        """Tear down what an earlier ADD of the same interface left, or one that was cut off.

        Raises:
            Conflict: it is attached already (spec: no second ADD without DEL).
        """
        key = request.container_id, request.ifname
        for entry in self._journal.cut_off(request.container_id):
            if entry.key != key:  # a failure keeps it in the journal, for recovery
                await self._leaver.leave_in_call(entry)
        found = self._journal.find(key)
        if found is None:
            return
        is_same = await self._leaver.is_alive(request.netns, found.netns_inode)
        if found.stage is Stage.ATTACHED and is_same:
            raise Conflict(
                f"cannot attach {request.ifname} of {request.container_id}: it is attached already",
                remedy="DEL it first",
            )
        outcome = await self._leaver.leave_in_call(found)
        if outcome.failures:
            raise outcome.failures[0].error

    async def _delete(self, request: CniRequest) -> bytes:
        async with self._turn(request):
            key = request.container_id, request.ifname
            damaged = self._journal.find_damaged(key)
            if damaged is not None:
                is_alone = request.is_delegated
                await self._orphans.release(damaged, request.netns, is_alone=is_alone)
            found = self._journal.find(key) or await self._from_others(request)
            if found is not None:
                note(**facts_of(found))
                found = replace(found, cni_path=_merged(request.cni_path, found.cni_path))
                outcome = await self._leaver.leave_in_call(found, request.netns)
                await self._inheritance.forget(request.container_id)
                outcome.raise_for_runtime()
        return b""

    async def _from_others(self, request: CniRequest) -> Entry | None:
        """Give what somebody attached before us: Multus, or the default network alone."""
        path = self._path(request)
        if request.is_delegated:  # one interface: the rest of what Multus attached still runs
            return await self._strangers.take(request, path)
        taken = await self._inheritance.take(
            caller_of(request), request.ifname, request.netns, path
        )
        return taken or await self._strangers.take(request, path)

    async def _check(self, request: CniRequest) -> bytes:
        async with self._turn(request, attaches=True):
            found = self._journal.find((request.container_id, request.ifname))
            if found is None:
                found = await self._strangers.attached(request, self._path(request))
            await self._checker.check(found, request.container_id, request.netns)
        return b""

    async def _status(self, request: CniRequest) -> bytes:
        await self._checker.status(request.conf, self._path(request))
        return b""

    async def _collect(self, request: CniRequest) -> bytes:
        await self._collector.collect(request.conf, self._path(request))
        return b""

    def _turn(
        self, request: CniRequest, *, attaches: bool = False
    ) -> AbstractAsyncContextManager[None]:
        namespace = caller_of(request).namespace
        return self._gate.call(request.container_id, namespace, attaches=attaches)

    def _path(self, request: CniRequest) -> tuple[str, ...]:
        return _merged(request.cni_path, self._cni_path)


def wish_of(request: CniRequest, cni_path: tuple[str, ...]) -> Wish:
    """Give what a call asks for.

    Args:
        request: the call.
        cni_path: our own directories, after those of the call.

    Raises:
        BadInput: its namespace is no text.
    """
    try:
        request.netns.encode()
    except UnicodeEncodeError as error:
        raise BadInput(
            "cannot use CNI_NETNS: the path is not UTF-8", code=CniCode.BAD_ENVIRONMENT
        ) from error
    return Wish(
        container_id=request.container_id,
        netns=request.netns,
        ifname=request.ifname,
        cni_args=request.cni_args,
        cni_path=_merged(request.cni_path, cni_path),
        conf=request.conf,
        network=request.network,
    )


def caller_of(request: CniRequest) -> Caller:
    """Give what a call says about its sandbox."""
    args = dict(request.cni_args)
    return Caller(
        container_id=request.container_id,
        namespace=args.get("K8S_POD_NAMESPACE", ""),
        pod=args.get("K8S_POD_NAME", ""),
        uid=args.get("K8S_POD_UID", ""),
    )


def _merged(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
