"""The API server: slow, rights that are missing, and its clock beside that of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from planes.cli.doctor.diagnosis import CannotCheck, Diagnosis, error, hint, warning
from planes.cli.doctor.facts.api_server import ApiServerFacts
from planes.model.lines import first_few

_SLOW_SECONDS: Final = 1.0
_MOST_NAMED: Final = 6
_SKEW_SECONDS: Final = 5.0
_WRONG_SECONDS: Final = 120.0
"""Reports of nodes, leases and certificates allow for less."""


def judge_away(reason: str) -> Diagnosis:
    """Return what is wrong where the API server cannot be asked, for that reason."""
    return error(
        f"the API server cannot be asked: {reason}",
        "a node attaches pods that it knows, by blocks of addresses that it has; nothing new is "
        "learnt until it is back",
        "kubectl version; kubectl get --raw /readyz; look at its address in the kubeconfig",
    )


def judge_api_server(found: ApiServerFacts) -> Iterator[Diagnosis]:
    """Yield what is wrong with the API server, as seen from here.

    Raises:
        CannotCheck: it is not known which rights are missing.
    """
    if found.seconds >= _SLOW_SECONDS:
        yield warning(
            f"the API server took {found.seconds:.1f} s to answer a small request",
            "what a node has to ask for (a pod it does not know yet, a block of addresses) makes "
            "ADD as slow",
            "kubectl get --raw '/readyz?verbose'; kubectl top pods -n kube-system",
        )
    if found.missing:
        named = first_few(found.missing, _MOST_NAMED)
        if found.is_daemon:
            yield error(
                f"the daemon's account lacks rights: {named}",
                "it decides without what it may not read, or cannot attach pods at all",
                "apply the manifests of this version again: kubectl apply -k",
            )
        else:
            yield hint(
                f"your account lacks rights: {named}",
                "the doctor does not see what it may not read",
                f"kubectl auth can-i {found.missing[0]}; ask for the role planes-viewer",
            )
    if found.unknown:
        raise CannotCheck(f"which rights are missing: {found.unknown}")


def judge_clock(found: ApiServerFacts) -> Iterator[Diagnosis]:
    """Yield how far this machine's clock is off.

    Raises:
        CannotCheck: the API server did not say what time it is.
    """
    if found.skew is None:
        raise CannotCheck("the API server's answers have no Date")
    seconds = abs(found.skew)
    if seconds < _SKEW_SECONDS:
        return
    make = error if seconds >= _WRONG_SECONDS else warning
    side = "ahead of" if found.skew > 0 else "behind"
    yield make(
        f"the clock of this machine is {seconds:.0f} s {side} the API server's",
        "certificates and tokens are refused too early or too late; reports of this node count as "
        "old, or as of the future",
        "chronyc makestep (or timedatectl set-ntp true); chronyc tracking",
    )
