"""A netlink socket inside one namespace: batches of requests out, replies and errors back.

The kernel carries out every message of a batch during `send`, one after another, and goes on
after a failed one; the first failure is raised when all have been answered.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Sequence
from itertools import count

from cni.net.errors import kernel_error
from cni.net.netlink import (
    NLM_F_ACK_TLVS,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    Message,
    Request,
    as_text,
    attributes,
    messages,
)
from planes.model.errors import Internal, Unavailable

_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11
_NETLINK_GET_STRICT_CHK = 12
_NLMSGERR_ATTR_MSG = 1
_ERRNO = struct.Struct("=i")
_ERROR_BYTES = 20  # errno and the header of the refused message
_BUFFER_BYTES = 1 << 16  # the kernel fills dumps with at most 32 KiB a datagram
_TIMEOUT = struct.pack("@ll", 30, 0)  # rtnl is one lock; a busy node can hold it for seconds
_DUMP_ATTEMPTS = 10


class Channel:
    """A socket bound to the namespace it was opened in, for its life; used by one thread."""

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
            )
        except OSError as error:
            raise kernel_error(error.errno or errno.EIO, "open a netlink socket") from error
        self._sequence = count(1)
        try:
            for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK, _NETLINK_GET_STRICT_CHK):
                self._option(option)
            # The kernel's own timeout: Python's would cost a poll(2) before each send and recv.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEOUT)
            self._socket.bind((0, 0))
        except OSError as error:
            self.close()
            raise kernel_error(error.errno or errno.EIO, "open a netlink socket") from error

    def _option(self, option: int) -> None:
        try:
            self._socket.setsockopt(_SOL_NETLINK, option, 1)
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT:  # an older kernel: replies are just terser
                raise

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def batch(self, requests: Sequence[Request]) -> list[list[Message]]:
        """Carry out requests in order; the messages each was answered with.

        Only the last one is acknowledged, where it is not a question, whose answer says the same:
        by then the kernel is through with all, and has told of those that failed. Each
        acknowledgement would be one more recv: 60 in an ADD and DEL of three networks.

        Raises:
            PlanesError: the first refusal that its request does not tolerate.
        """
        if not requests:
            return []
        pending = {next(self._sequence): request for request in requests}
        last = max(pending)
        is_question = pending[last].is_question
        encoded = [
            request.encode(number, is_acknowledged=number == last and not is_question)
            for number, request in pending.items()
        ]
        answers: dict[int, list[Message]] = {number: [] for number in pending}
        refusals: dict[int, tuple[int, str]] = {}
        self._send(b"".join(encoded))
        is_over = False
        while not is_over:
            for message in messages(self._receive()):
                if message.sequence not in pending:
                    continue
                is_error = message.kind == NLMSG_ERROR
                if message.sequence == last and (is_error or is_question):
                    is_over = True
                if is_error:
                    number, detail = _refusal(message)
                    if number and number not in pending[message.sequence].tolerate:
                        refusals[message.sequence] = number, detail
                else:
                    answers[message.sequence].append(message)
        if refusals:
            sequence = min(refusals)
            number, detail = refusals[sequence]
            raise kernel_error(number, pending[sequence].action, detail)
        return list(answers.values())

    def dump(self, request: Request) -> list[Message]:
        """Read a whole table; asked again where it changed meanwhile.

        Raises:
            Unavailable: it kept changing.
        """
        asked = Request(request.kind, request.flags | NLM_F_DUMP, request.body, request.action)
        for _attempt in range(_DUMP_ATTEMPTS):
            found = self._dump_once(asked)
            if found is not None:
                return found
        raise Unavailable(f"cannot {request.action}: it changes faster than it can be read")

    def _dump_once(self, request: Request) -> list[Message] | None:
        sequence = next(self._sequence)
        self._send(request.encode(sequence))
        found: list[Message] = []
        is_torn = False
        while True:
            for message in messages(self._receive()):
                if message.sequence != sequence:
                    continue
                is_torn = is_torn or bool(message.flags & NLM_F_DUMP_INTR)
                if message.kind == NLMSG_DONE:
                    return None if is_torn else found
                if message.kind == NLMSG_ERROR:
                    number, detail = _refusal(message)
                    raise kernel_error(number or errno.EIO, request.action, detail)
                found.append(message)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except OSError as error:
            raise kernel_error(error.errno or errno.EIO, "send to netlink") from error

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_BUFFER_BYTES)
        except BlockingIOError as error:
            raise Internal("cannot read from netlink: the kernel does not answer") from error
        except OSError as error:
            raise kernel_error(error.errno or errno.EIO, "read from netlink") from error


def _refusal(message: Message) -> tuple[int, str]:
    """The errno (0: acknowledged) and the kernel's own words, where it has any."""
    number = -_ERRNO.unpack_from(message.payload)[0]
    detail = ""
    if number and message.flags & NLM_F_ACK_TLVS and len(message.payload) > _ERROR_BYTES:
        said = attributes(message.payload[_ERROR_BYTES:]).get(_NLMSGERR_ATTR_MSG)
        detail = as_text(said) if said is not None else ""
    return number, "" if detail == os.strerror(number) else detail
