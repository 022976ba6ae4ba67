"""The daemon's metrics port in the hands of a local user: sandboxes, sockets and log lines."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.attacks.figures.figure import Figure
from tests.attacks.local import PORT, attackers, sockets
from tests.attacks.peers.attacks import ON_METRICS
from tests.cni.scene import set_up
from tests.support.node.daemon import place
from tests.support.node.netns import node, why_no_link_kind

_ROUNDS = 15
_DESCRIPTORS = 256
_SOCKETS = 80.0
_LINES = 100.0
_SECONDS = 2.0


def measure() -> Iterable[Figure]:
    """Attach and detach a sandbox while a local user does his worst."""
    if why_no_link_kind("macvlan"):
        return
    count = sum(attack.count for attack in ON_METRICS.values())
    what = f"{count} connections of a local user to the daemon's metrics port"
    with (
        tempfile.TemporaryDirectory(prefix="np-t-") as folder,
        node() as here,
        place(Path(folder), here.host) as made,
    ):
        set_up(made)
        made.start("--metrics", f"127.0.0.1:{PORT}")
        if made.process is None:
            return
        pid = made.process.pid
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))
        slowest, most = {"ADD": 0.0, "DEL": 0.0}, 0
        with attackers(made, list(ON_METRICS)):
            for _ in range(_ROUNDS):
                for verb, seconds in slowest.items():
                    begun = time.monotonic()
                    made.call(verb, here.sandbox.path, pod="shop/web")
                    slowest[verb] = max(seconds, time.monotonic() - begun)
                most = max(most, len(sockets(pid)))
        lines = len(made.log.splitlines()) - 2 * _ROUNDS
    for verb, seconds in slowest.items():
        yield Figure(what, f"slowest {verb}", seconds, _SECONDS, "s")
    yield Figure(what, "sockets of the daemon", float(most), _SOCKETS, "")
    yield Figure(what, "log lines besides those of ADD and DEL", float(lines), _LINES, "")
