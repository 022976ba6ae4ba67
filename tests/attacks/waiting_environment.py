"""A process of an ordinary user whose environment cannot be read: whoever tries waits for ever.

Run as root with a directory and a user; prints the process's ID. A file system of the user's own
(FUSE, which many distributions let every user mount) has one file, whose content it never gives.
The process reads that through /proc/self/mem, which keeps its address space locked meanwhile.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import threading
import time
from typing import Final

_READ, _FORGET = 15, 2  # of fuse.h, as all of these numbers
_SIZE: Final = 1 << 20
_PAGE: Final = 4096
_NOT_KNOWN: Final = -38


def _attributes(node: int) -> bytes:
    mode = 0o40755 if node == 1 else 0o100644
    times = (0, 0, 0)
    return struct.pack("6Q10I", node, _SIZE, 0, *times, *times, mode, 1, 0, 0, 0, _PAGE, 0)


def _answer(kind: int, node: int) -> bytes | None:
    """Return what the kernel is told; None for what is not known."""
    match kind:
        case 26:  # INIT
            return struct.pack("4I2H2I2H8I", 7, 31, _PAGE, 0, 9, 9, _PAGE, 1, 1, 0, *[0] * 8)
        case 1:  # LOOKUP
            return struct.pack("4Q2I", 2, 0, 60, 60, 0, 0) + _attributes(2)
        case 3:  # GETATTR
            return struct.pack("Q2I", 60, 0, 0) + _attributes(node)
        case 14:  # OPEN
            return struct.pack("Q2I", 1, 0, 0)
    return None


def _serve(device: int) -> None:
    while True:
        request = os.read(device, 1 << 17)
        _, kind, unique, node = struct.unpack_from("2I2Q", request)
        if kind in {_READ, _FORGET}:
            continue
        answer = _answer(kind, node)
        error = 0 if answer is not None else _NOT_KNOWN
        body = answer or b""
        os.write(device, struct.pack("IiQ", 16 + len(body), error, unique) + body)


def _wait(libc: ctypes.CDLL, path: str, user: int) -> None:
    """Be the process: one thread reads with the lock held, one wants it for itself."""
    file = os.open(path, os.O_RDONLY)
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    libc.prctl(1, 9)  # PR_SET_PDEATHSIG
    libc.prctl(4, 1)  # PR_SET_DUMPABLE
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    where = libc.mmap(None, _PAGE, 1, 2, file, 0)  # PROT_READ, MAP_PRIVATE
    memory = os.open("/proc/self/mem", os.O_RDONLY)
    threading.Thread(target=os.pread, args=(memory, 1, where), daemon=True).start()
    time.sleep(0.3)
    os.write(1, b"%d\n" % os.getpid())
    libc.mmap(None, _PAGE, 1, 0x22, -1, 0)  # MAP_PRIVATE | MAP_ANONYMOUS


def main(directory: str, user: int) -> None:
    """Serve the file system, and start the process."""
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id={user},group_id={user},allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"np-t-waits", directory.encode(), b"fuse", 0, options.encode()):
        raise OSError(ctypes.get_errno(), "cannot mount")
    if os.fork():
        _serve(device)
    os.close(device)
    _wait(libc, f"{directory}/file", user)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
