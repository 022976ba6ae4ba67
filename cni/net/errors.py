"""Errors of the kernel, said as whose fault they are, with the object named.

Everything above this package sees `PlanesError` only; errno numbers end here.
"""

from __future__ import annotations

import errno
import os

from planes.model.errors import (
    BadInput,
    CniCode,
    Conflict,
    Internal,
    NotFound,
    PlanesError,
    Unavailable,
)

_FAULTS: dict[int, type[PlanesError]] = {
    errno.EEXIST: Conflict,
    errno.EBUSY: Conflict,
    errno.EADDRINUSE: Conflict,
    errno.ENODEV: NotFound,
    errno.ENXIO: NotFound,
    errno.ENOENT: NotFound,
    errno.ESRCH: NotFound,
    errno.EADDRNOTAVAIL: NotFound,
    errno.EINVAL: BadInput,
    errno.ERANGE: BadInput,
    errno.ENETUNREACH: BadInput,
    errno.EHOSTUNREACH: BadInput,
    errno.EOPNOTSUPP: BadInput,
    errno.EAFNOSUPPORT: BadInput,
    errno.ENOMEM: Unavailable,
    errno.ENOBUFS: Unavailable,
    errno.EAGAIN: Unavailable,
    errno.EMFILE: Unavailable,
    errno.ENFILE: Unavailable,
    errno.EINTR: Unavailable,
}

_REMEDIES: dict[int, str] = {
    errno.EPERM: "run as root, or with CAP_NET_ADMIN and CAP_SYS_ADMIN",
    errno.EACCES: "run as root, or with CAP_NET_ADMIN and CAP_SYS_ADMIN",
    errno.EOPNOTSUPP: "this kernel cannot do it: load the module or choose another type",
    errno.ENETUNREACH: "the gateway must be reachable through an address of the interface",
    errno.EHOSTUNREACH: "the gateway must be reachable through an address of the interface",
}


class MissingNetns(BadInput):
    """The path of a network namespace leads nowhere; what was inside is gone with it."""

    cni_code = CniCode.BAD_NETNS


def kernel_error(number: int, action: str, detail: str = "") -> PlanesError:
    """Give the error for an errno; `action` is "create macvlan net1 on eth1", for example."""
    cause = os.strerror(number)
    if detail:
        cause = f"{cause} ({detail})"
    fault = _FAULTS.get(number, Internal)
    return fault(f"cannot {action}: {cause}", remedy=_REMEDIES.get(number, ""))
