"""The checks of a node from outside: what the API server tells of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from planes.cli.doctor.api_access import ApiSource
from planes.cli.doctor.checkup import Check, Gathered
from planes.cli.doctor.diagnosis import CannotCheck, Diagnosis
from planes.cli.doctor.facts.api_server import ApiServerFacts, read_api_server, server_time
from planes.cli.doctor.facts.certificates import authorities, read_authorities
from planes.cli.doctor.facts.cluster_node import ClusterNode, read_cluster_node
from planes.cli.doctor.judging.api_server import judge_api_server, judge_away, judge_clock
from planes.cli.doctor.judging.certificates import judge_certificates
from planes.cli.doctor.judging.cluster_node import (
    judge_daemon,
    judge_events,
    judge_node,
    judge_plane_health,
)

_API: Final = "the API server"


def outside_checks(
    source: ApiSource, name: str, now: Callable[[], float] = time.time
) -> tuple[Check, ...]:
    """Return the checks of a node by its name; a valid one is the caller's part."""
    node: Gathered[ClusterNode] = Gathered(
        f"node {name}",
        lambda: source.ask(
            lambda api, date: read_cluster_node(api, name, lambda: server_time(date()))
        ),
    )
    return (
        *api_checks(source),
        Check("certificates", "certificates that API servers trust", lambda: _trusted(source)),
        Check("node", "Node, conditions and Lease", lambda: judge_node(node.value())),
        Check("daemon", "netplane-cni on the node", lambda: judge_daemon(node.value())),
        Check(
            "planes",
            "planes, as the node reports them",
            lambda: judge_plane_health(node.value(), now()),
        ),
        Check("events", "warnings of the last hour", lambda: judge_events(node.value())),
    )


def api_checks(source: ApiSource) -> tuple[Check, ...]:
    """Return the checks of the API server itself."""
    server: Gathered[ApiServerFacts] = Gathered(
        _API,
        lambda: source.ask(
            lambda api, date: read_api_server(api, date, is_daemon=source.is_daemon)
        ),
    )
    return (
        Check("api", "API server and rights", lambda: _api(server)),
        Check("clock", "clock of this machine", lambda: judge_clock(server.value())),
    )


def _api(server: Gathered[ApiServerFacts]) -> Iterator[Diagnosis]:
    try:
        found = server.value()
    except CannotCheck as away:
        yield judge_away(away.message.removeprefix(f"{_API}: "))
        return
    yield from judge_api_server(found)


def _trusted(source: ApiSource) -> Iterator[Diagnosis]:
    for pem in source.ask(lambda api, _: read_authorities(api)):
        yield from judge_certificates(authorities(pem), datetime.now(UTC))
