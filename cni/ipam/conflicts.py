"""Addresses of a plane that somebody on its wire has already: what is reported, and the errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from planes.model.addresses import IPAddress
from planes.model.errors import CniCode, Conflict
from planes.store.protocol import AddressOwner

_FIND: Final = "find the host with that MAC on the segment"
_KEEP_OUT: Final = "take its address out of the plane (subnets.exclude)"


@dataclass(frozen=True, slots=True)
class AddressConflict:
    """Addresses that answered to probes.

    Attributes:
        plane: by name.
        owner: the attachment that was to get them.
        found: each with the MAC of who answered.
        is_asked_for: they are the static ones that the pod asks for.
    """

    plane: str
    owner: AddressOwner
    found: Mapping[IPAddress, str]
    is_asked_for: bool

    @property
    def text(self) -> str:
        """Return the addresses and MACs, `10.0.0.5 (02:00:00:00:00:01)`."""
        return in_words(self.found)


Conflicts = Callable[[AddressConflict], None]
"""Reports conflicts; must not wait or fail."""


def ignore_conflicts(_conflict: AddressConflict) -> None:
    """Report nothing."""


def in_words(answered: Mapping[IPAddress, str]) -> str:
    """Return addresses, each with its MAC."""
    return ", ".join(f"{address} ({mac})" for address, mac in answered.items())


def static_in_use(plane: str, found: Mapping[IPAddress, str]) -> Conflict:
    """Return the error for a pod that asks for an address which is in use."""
    return Conflict(
        f"cannot use {in_words(found)} of plane {plane}: somebody on the wire answers for it",
        remedy=f"{_FIND}; the address is probed again at each attempt, and used once it is silent",
    )


def all_in_use(plane: str, answered: Mapping[IPAddress, str]) -> Conflict:
    """Return the error after so many addresses as an ADD may try."""
    return Conflict(
        f"cannot find an address of plane {plane} that is not in use: somebody on the wire answers "
        f"for {in_words(answered)}",
        remedy=f"{_FIND} and {_KEEP_OUT}; it is tried again with others",
        code=CniCode.TRY_AGAIN,
    )


def anew(plane: str, answered: Mapping[IPAddress, str]) -> Conflict:
    """Return the error where the interface as it is cannot get another address."""
    return Conflict(
        f"cannot use {in_words(answered)} of plane {plane}: somebody on the wire answers for it",
        remedy=f"it is tried again with another address; {_FIND} and {_KEEP_OUT}",
        code=CniCode.TRY_AGAIN,
    )
