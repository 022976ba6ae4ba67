"""The node daemon: away, not ready, or not answering."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from planes.cli.doctor.diagnosis import Diagnosis, error
from planes.cli.doctor.facts.daemon import DaemonState
from planes.model.lines import one_line

_LONGEST: Final = 160


def judge_daemon_state(state: DaemonState, socket: str, *, is_cluster: bool) -> Iterator[Diagnosis]:
    """Yield what is wrong with the daemon of this node."""
    look = (
        "kubectl -n netplane-system get pods -o wide -l app.kubernetes.io/name=netplane-cni"
        if is_cluster
        else "systemctl start netplane-cni; or name its socket with --socket"
    )
    if not state.listens:
        yield error(
            f"no daemon listens at {socket} ({state.text})",
            "ADD waits for it up to 60 s and then fails: no pod starts",
            look,
        )
    elif not state.is_ready:
        yield error(
            f"the daemon is not ready: {one_line(state.text, _LONGEST) or 'it says nothing'}",
            "no pod starts until it is",
            f"curl -s --unix-socket {socket} http://node/readyz; look at its log",
        )
