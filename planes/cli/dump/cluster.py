"""The dump of a cluster: objects, what `netplane ip check` finds, and logs of Netplane's pods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Final, NamedTuple

from planes.cli.addresses.cluster_check import check
from planes.cli.dump.collector import Collector
from planes.cli.dump.objects import ReadObjects, counted, shaped, versions
from planes.cli.dump.shapes import listed, members, metadata, of_node, of_own_pod, part, whole
from planes.cli.dump.webhook_shape import of_webhooks
from planes.kube.api import LogApi, LogQuery, Query
from planes.kube.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    IPAM_CLAIMS,
    IPBLOCKS,
    LEASES,
    MUTATING_HOOKS,
    NODES,
    PODS,
    VALIDATING_HOOKS,
)
from planes.model.errors import JsonObject, NotFound, PlanesError, Unavailable
from planes.model.lines import first_few
from planes.model.names import NETPLANE_NAMESPACE, is_dns_label, is_dns_subdomain, shown
from planes.run.clock import Clock

CONFIGURATION: Final = "netplane"
"""The name of both webhook configurations."""
MOST_LOGGED: Final = 64
"""Pods whose logs are read; those that are in trouble, and the webhook's, come first."""


_NAMED: Final = 5


class _Logged(NamedTuple):
    order: tuple[bool, bool, str]
    pod: str
    containers: tuple[tuple[str, int], ...]


class ClusterDump:
    """Reads a cluster into an archive.

    Args:
        api: with the credentials of the user.
        clock: says when it was made.
        collector: fills the archive.
        seconds: that one answer may take.
    """

    def __init__(self, api: LogApi, clock: Clock, collector: Collector, seconds: float) -> None:
        self._api = api
        self._clock = clock
        self._collector = collector
        self._seconds = seconds
        self._logged: list[_Logged] = []

    async def run(self) -> None:
        """Read everything.

        Raises:
            Unavailable: the API server does not answer.
        """
        add, api = self._collector.add, self._api
        read = ReadObjects(api, self._collector.counts)
        failed = await add("planes.jsonl", read.planes())
        if isinstance(failed, Unavailable):
            raise failed
        own = Query(PODS, NETPLANE_NAMESPACE)
        await add("versions.json", versions(self._clock.now()))
        await add("nads.jsonl", read.nads())
        await add("ipblocks.jsonl", shaped(api, Query(IPBLOCKS), whole))
        await add("ipamclaims.jsonl", shaped(api, Query(IPAM_CLAIMS), whole))
        await add("namespaces.jsonl", read.namespaces())
        await add("pods.jsonl", read.pods())
        await add("nodes.jsonl", shaped(api, Query(NODES), self._node))
        await add("netplane/workloads.jsonl", self._workloads())
        await add("netplane/pods.jsonl", shaped(api, own, self._own_pod))
        await add("netplane/leases.jsonl", shaped(api, Query(LEASES, NETPLANE_NAMESPACE), whole))
        await add("netplane/webhooks.jsonl", self._webhooks())
        await add("events.jsonl", read.events())
        await add("ip-check.jsonl", self._misfits(), is_timed=False)
        await add("counts.json", counted(self._collector.counts))
        await self._logs()

    def _node(self, obj: JsonObject) -> JsonObject:
        found = of_node(obj)
        ready = [c.get("status") for c in found["conditions"] if c.get("type") == "Ready"]
        self._collector.counts["nodes"] += 1
        self._collector.counts["nodes ready"] += ready == ["True"]
        return found

    async def _workloads(self) -> AsyncGenerator[JsonObject, None]:
        for resource in (DEPLOYMENTS, DAEMON_SETS):
            async for page in self._api.pages(Query(resource, NETPLANE_NAMESPACE)):
                for obj in page.items:
                    yield {
                        "kind": resource.kind,
                        "metadata": metadata(obj, labels=True),
                        "replicas": part(obj, "spec", "replicas"),
                        "images": [
                            members(each, "name", "image")
                            for each in listed(part(obj, "spec", "template", "spec", "containers"))
                        ],
                        "status": part(obj, "status"),
                    }

    async def _webhooks(self) -> AsyncGenerator[JsonObject, None]:
        for resource in (MUTATING_HOOKS, VALIDATING_HOOKS):
            try:
                found = await self._api.get(resource, CONFIGURATION)
            except NotFound as error:
                self._collector.note("netplane/webhooks.jsonl", error.message)
                continue
            yield of_webhooks({"kind": resource.kind, **found})

    async def _misfits(self) -> AsyncGenerator[JsonObject, None]:
        found = await check(self._api, self._clock)
        self._collector.counts["findings of `netplane ip check`"] = len(found)
        for entry in found:
            yield entry.as_json()

    def _own_pod(self, obj: JsonObject) -> JsonObject:
        found = of_own_pod(obj)
        restarts = {
            str(part(state, "name")): int(part(state, "restartCount") or 0)
            for state in found["containers"]
        }
        name = str(part(obj, "metadata", "name"))
        is_ready = all(part(state, "ready") for state in found["containers"])
        is_webhook = name.startswith("netplane-webhook")
        order = (is_ready and not any(restarts.values()), not is_webhook, name)
        self._logged.append(_Logged(order, name, tuple(restarts.items())))
        return found

    async def _logs(self) -> None:
        """Read the logs of our pods; what is not a plain name is left out."""
        self._logged.sort()
        for number, (pod, container, is_previous) in enumerate(self._containers()):
            name = f"logs/{pod}/{container}{'.previous' if is_previous else ''}.log"
            if not (is_dns_subdomain(pod) and is_dns_label(container)):
                self._collector.note(f"logs/({number})", f"{shown(pod)} is no name of a pod")
                continue
            if self._collector.is_full:
                self._collector.note(name, "the dump has no room left")
                continue
            query = LogQuery(NETPLANE_NAMESPACE, pod, container, is_previous)
            try:
                async with asyncio.timeout(self._seconds):
                    data = await self._api.log(query)
            except TimeoutError:
                self._collector.note(name, f"no answer within {self._seconds:g} s")
            except PlanesError as error:
                self._collector.note(name, f"{error.message}; {error.remedy}")
            else:
                self._collector.add_log(name, data)
        if left := [one.pod for one in self._logged[MOST_LOGGED:]]:
            why = f"logs of {MOST_LOGGED} pods are the most; {len(left):,} more have some: "
            self._collector.note("logs/", why + first_few(left, _NAMED))

    def _containers(self) -> Iterator[tuple[str, str, bool]]:
        for one in self._logged[:MOST_LOGGED]:
            for container, restarts in one.containers:
                yield one.pod, container, False
                if restarts:
                    yield one.pod, container, True
