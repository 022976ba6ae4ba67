"""PCI functions and auxiliary devices of this machine, as /sys shows them.

Names are from netconfs that tenants write: a name of another form is never part of a path, and
every directory is read up to a bound. Invariant: nothing is written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

USERSPACE_DRIVERS: Final = frozenset({"vfio-pci", "uio_pci_generic", "igb_uio"})
"""Drivers that leave a function to a program (DPDK): it has no link."""
_PCI: Final = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_AUXILIARY: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_VF_LINK: Final = re.compile(r"virtfn(\d{1,5})")
_MOST_NAMES: Final = 4096
_LONGEST_NUMBER: Final = 16
_DEVICES: Final = "/sys/devices/"


def is_pci_address(name: str) -> bool:
    """Report whether a name has the form of a PCI address, `0000:3b:02.1`."""
    return _PCI.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class VirtualFunction:
    """A virtual function of an SR-IOV device.

    Attributes:
        address: its PCI address.
        physical: link of its physical function.
        number: of the virtual function among those of the physical one, from 0.
        driver: "" for none.
        link: its own link on the host, "" where it has none here.
    """

    address: str
    physical: str
    number: int
    driver: str
    link: str

    @property
    def is_userspace(self) -> bool:
        """Report whether its driver leaves it to a program."""
        return not self.link and self.driver in USERSPACE_DRIVERS


class PciFunctions:
    """Reads /sys below a root directory.

    Args:
        root: path of the host's root directory, "" where it is ours.
    """

    def __init__(self, root: str = "") -> None:
        self._root = root

    def has(self, address: str) -> bool:
        """Report whether there is a PCI function of that address."""
        return is_pci_address(address) and os.path.isdir(self._pci(address))

    def driver(self, address: str) -> str:
        """Return the name of a function's driver, "" without one."""
        if not is_pci_address(address):
            return ""
        try:
            return os.path.basename(os.readlink(f"{self._pci(address)}/driver"))
        except OSError:
            return ""

    def links(self, address: str) -> tuple[str, ...]:
        """Return the links of a function on the host, those of its virtio devices too."""
        if not is_pci_address(address):
            return ()
        device = self._pci(address)
        children = (one for one in _names(device) if one.startswith("virtio"))
        places = [f"{device}/net", *(f"{device}/{child}/net" for child in children)]
        return tuple(name for place in places for name in _names(place))

    def auxiliary_links(self, name: str) -> tuple[str, ...] | None:
        """Return the links of an auxiliary device (a subfunction); None where it does not exist."""
        device = f"{self._root}/sys/bus/auxiliary/devices/{name}"
        if not _AUXILIARY.fullmatch(name) or not os.path.isdir(device):
            return None
        return tuple(_names(f"{device}/net"))

    def path_links(self, path: str) -> tuple[str, ...]:
        """Return the links of a device by its directory below /sys/devices; () without."""
        if "\0" in path or not path.startswith(_DEVICES):
            return ()
        real = os.path.realpath(f"{self._root}{path}/net")
        above = os.path.realpath(self._root + _DEVICES)
        return tuple(_names(real)) if real.startswith(f"{above}/") else ()

    def hardware_of(self, link: str, index: int) -> str:
        """Return the name of the device that a link of the host is of; "" for none.

        Args:
            link: its name.
            index: of it; a link of that name in another namespace is not taken for it.
        """
        place = f"{self._root}/sys/class/net/{link}"
        try:
            with open(f"{place}/ifindex", encoding="ascii") as file:
                is_same = file.read(_LONGEST_NUMBER).strip() == str(index)
            return os.path.basename(os.readlink(f"{place}/device")) if is_same else ""
        except (OSError, ValueError):
            return ""

    def virtual_function(self, address: str) -> VirtualFunction | None:
        """Return a virtual function; None where no virtual function has that address."""
        if not is_pci_address(address):
            return None
        physical = next(iter(_names(f"{self._pci(address)}/physfn/net")), "")
        number = self._number(address)
        if not physical or number is None:
            return None
        link = next(iter(self.links(address)), "")
        return VirtualFunction(address, physical, number, self.driver(address), link)

    def _number(self, address: str) -> int | None:
        above = f"{self._pci(address)}/physfn"
        for name in _names(above):
            found = _VF_LINK.fullmatch(name)
            if found is not None and _target(f"{above}/{name}") == address:
                return int(found.group(1))
        return None

    def _pci(self, address: str) -> str:
        return f"{self._root}/sys/bus/pci/devices/{address}"


def _target(path: str) -> str:
    try:
        return os.path.basename(os.readlink(path))
    except OSError:
        return ""


def _names(directory: str) -> list[str]:
    try:
        return sorted(islice(_each(directory), _MOST_NAMES))
    except (OSError, ValueError):
        return []


def _each(directory: str) -> Iterator[str]:
    with os.scandir(directory) as entries:
        for entry in entries:
            yield entry.name
