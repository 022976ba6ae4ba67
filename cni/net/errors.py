"""Errors of the kernel as the `PlanesError` that says what is at fault, with the object named.

Invariant: no errno leaves this package.
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
    errno.EINVAL: "the kernel does not take a value of the network's configuration: correct it",
    errno.ERANGE: "the kernel does not take a value of the network's configuration: correct it",
    **dict.fromkeys(
        (errno.ENOMEM, errno.ENOBUFS, errno.EMFILE, errno.ENFILE),
        "the node is short of memory or descriptors: it is tried again",
    ),
}


class MissingNetns(BadInput):
    """Nothing is at the path of a network namespace: it is gone with all that was in it."""

    cni_code = CniCode.BAD_NETNS


class TooManyListed(Unavailable):
    """A sandbox has more links, addresses, routes or rules than are read from it.

    Args:
        action: such as "list routes".
        most: how many are read.
    """

    def __init__(self, action: str, most: int) -> None:
        super().__init__(
            f"cannot {action}: the sandbox has more than {most} of them",
            remedy="remove those that the pod itself has added, or restart the pod",
        )


class MacInUse(Conflict):
    """Another interface on the same master, or the master itself, has an interface's MAC.

    Args:
        ifname: the interface that cannot be brought up.
        mac: the MAC, as the kernel writes it.
        wire: the master's name, "" where it is not known yet.
    """

    def __init__(self, ifname: str, mac: str, wire: str = "") -> None:
        super().__init__(
            f"cannot bring up {ifname}: its MAC {mac} is in use{f' on {wire}' if wire else ''}",
            remedy="give each pod a MAC of its own, or leave it to be chosen",
        )
        self.ifname = ifname
        self.mac = mac

    def on(self, wire: str) -> MacInUse:
        """Return the error with the master's name."""
        return MacInUse(self.ifname, self.mac, wire)


class MissingMaster(NotFound):
    """The host has no device of the name that a netconf gives as the master.

    Args:
        name: of the device.
        devices: those of the host, in words. Not in the text, which a tenant reads: they show
            other networks too.
    """

    def __init__(self, name: str, devices: str) -> None:
        super().__init__(
            f"cannot find master device {name} on this node",
            remedy="name a device of the node, or make this one there",
        )
        self.devices = devices


class MissingDevice(MissingMaster):
    """The host has no device of the name that is to be moved into a sandbox.

    Args:
        name: of the device, as the netconf says it.
        devices: those of the host, in words; see `MissingMaster`.
    """

    def __init__(self, name: str, devices: str) -> None:
        NotFound.__init__(
            self,
            f"cannot find device {name} on this node",
            remedy="name a device of the node that no other pod has",
        )
        self.devices = devices


def kernel_error(number: int, action: str, detail: str = "") -> PlanesError:
    """Return the error for an errno; `action` is "create macvlan net1 on eth1", for example."""
    cause = os.strerror(number)
    if detail:
        cause = f"{cause} ({detail})"
    fault = _FAULTS.get(number, Internal)
    return fault(f"cannot {action}: {cause}", remedy=_REMEDIES.get(number, ""))
