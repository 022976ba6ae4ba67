"""Sysctls below /proc/sys/net, which shows the namespace of the thread that opens them.

As in the reference plugins, a failure to announce addresses is ignored, one to switch IPv6 on is
not.
"""

from __future__ import annotations

import errno
import os

from cni.net.errors import kernel_error

_ROOT = "/proc/sys/net"
_FORWARDING = {4: "ipv4/ip_forward", 6: "ipv6/conf/all/forwarding"}


def write(key: str, value: str) -> None:
    """Write a sysctl by its path below /proc/sys/net.

    Raises:
        PlanesError: the kernel refuses, or there is none of that name.
    """
    try:
        fd = os.open(f"{_ROOT}/{key}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, value.encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise kernel_error(error.errno or errno.EIO, f"set sysctl net/{key} to {value}") from error


def read(key: str) -> str:
    """Read a sysctl, without its line end."""
    try:
        fd = os.open(f"{_ROOT}/{key}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, 4096).decode().rstrip("\n")
        finally:
            os.close(fd)
    except OSError as error:
        raise kernel_error(error.errno or errno.EIO, f"read sysctl net/{key}") from error


def try_write(key: str, value: str) -> None:
    """Write a sysctl; ignore a refusal."""
    try:
        fd = os.open(f"{_ROOT}/{key}", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.write(fd, value.encode())
    except OSError:
        return
    finally:
        os.close(fd)


def ensure(key: str, value: str) -> None:
    """Write a sysctl only where it differs.

    Raises:
        PlanesError: the kernel refuses, or there is none of that name.
    """
    if read(key) != value:
        write(key, value)


def forward(version: int) -> None:
    """Switch forwarding of a family (4 or 6) on, where it is off.

    Raises:
        PlanesError: the kernel refuses.
    """
    ensure(_FORWARDING[version], "1")


def enable_ipv6(ifname: str) -> None:
    """Switch IPv6 on where it is off, and keep addresses when the link goes down.

    Raises:
        PlanesError: the kernel refuses.
    """
    for name in ("lo", ifname):
        key = f"ipv6/conf/{name}/disable_ipv6"
        if os.path.exists(f"{_ROOT}/{key}") and read(key) != "0":
            write(key, "0")
    write(f"ipv6/conf/{ifname}/keep_addr_on_down", "1")
