"""The links of a device of the host, as /sys shows them.

A virtual function is on the wire of its physical function, whose links count as its own. Names are
from netconfs that tenants write: they are searched below fixed directories only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final

_PCI: Final = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_AUXILIARY: Final = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,63}")
_DEVICES: Final = "/sys/devices/"
_OF_FUNCTION: Final = "physfn/net"
_NET: Final = ("net", _OF_FUNCTION)


def links_of_device(name: str, root: str = "") -> tuple[str, ...]:
    """Return the links of a device, by its PCI address or auxiliary device's name; () without."""
    if _PCI.fullmatch(name):
        return tuple(_links(f"{root}/sys/bus/pci/devices/{name}"))
    if _AUXILIARY.fullmatch(name):
        return tuple(_links(f"{root}/sys/bus/auxiliary/devices/{name}"))
    return ()


def links_of_physical(name: str, root: str = "") -> tuple[str, ...]:
    """Return the links of a virtual function's physical function, by PCI address; () without."""
    if not _PCI.fullmatch(name):
        return ()
    return tuple(_names(f"{root}/sys/bus/pci/devices/{name}/{_OF_FUNCTION}"))


def links_of_path(path: str, root: str = "") -> tuple[str, ...]:
    """Return the links of a device by its directory below /sys/devices; () without."""
    if "\0" in path or not path.startswith(_DEVICES):
        return ()
    real = os.path.realpath(root + path)
    return tuple(_links(real)) if real.startswith(os.path.realpath(root + _DEVICES) + "/") else ()


def _links(device: str) -> Iterator[str]:
    places = [f"{device}/{place}" for place in _NET]
    places += [f"{device}/{child}/net" for child in _names(device) if child.startswith("virtio")]
    for place in places:
        yield from _names(place)


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (OSError, ValueError):
        return []
