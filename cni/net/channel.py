"""A netlink socket in one namespace: sends batches of requests, returns their answers.

The kernel carries out all messages of a batch during `send`, in order, and goes on after a failed
one. The first failure is raised when all were answered.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from collections.abc import Sequence

from cni.net.errors import TooManyListed, kernel_error
from cni.net.netlink import (
    NLM_F_ACK_TLVS,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    RTM_GET,
    Message,
    NetlinkRequest,
    as_text,
    attributes,
    messages,
)
from planes.model.errors import Internal, PlanesError, Unavailable

_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11
_NETLINK_GET_STRICT_CHK = 12
_NLMSGERR_ATTR_MSG = 1
_ERRNO = struct.Struct("=i")
_ERROR_BYTES = 20  # errno and the header of the refused message
_BUFFER_BYTES = 1 << 16  # the kernel fills dumps with at most 32 KiB a datagram
_TIMEOUT = struct.pack("@ll", 30, 0)  # rtnl is one lock; a busy node can hold it for seconds
# A table that is torn is read again at once, then after pauses: other pods change it meanwhile.
_DUMP_PAUSES = (0.0, 0.0, 0.0, 0.001, 0.002, 0.004, *(0.008,) * 24)


class Channel:
    """A socket of the namespace that it was opened in; used by one thread.

    Args:
        protocol: of the netlink family: links, addresses and routes, or another NETLINK_….
        most: the longest listing that is read; 0 for any.
    """

    def __init__(self, protocol: int = socket.NETLINK_ROUTE, *, most: int = 0) -> None:
        self._most = most
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol
            )
        except OSError as error:
            raise kernel_error(error.errno or errno.EIO, "open a netlink socket") from error
        self._sequence = 1
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

    @property
    def is_closed(self) -> bool:
        """Report whether the socket is closed, as it is after a listing that was too long."""
        return self._socket.fileno() < 0

    def batch(self, requests: Sequence[NetlinkRequest]) -> list[list[Message]]:
        """Carry out requests in order; return the messages that answer each.

        Only the last one asks for an acknowledgement, unless it is a question, which has an answer:
        by then the kernel has done all of them and reported those that failed. Each acknowledgement
        would be one more recv: 60 in an ADD and DEL of three networks.

        Raises:
            PlanesError: the first refusal that its request does not tolerate.
        """
        if not requests:
            return []
        first = self._sequence
        self._sequence += len(requests)
        last = len(requests) - 1
        is_question = requests[last].kind & 3 == RTM_GET
        encoded: list[bytes] = []
        answers: list[list[Message]] = []
        for place, request in enumerate(requests):
            is_acknowledged = place == last and not is_question
            encoded.append(request.encode(first + place, is_acknowledged=is_acknowledged))
            answers.append([])
        refusals: dict[int, tuple[int, str]] = {}
        self._send(b"".join(encoded))
        is_over = False
        while not is_over:
            for message in self._receive():
                place = message.sequence - first
                if not 0 <= place <= last:
                    continue
                is_error = message.kind == NLMSG_ERROR
                if place == last and (is_error or is_question):
                    is_over = True
                if not is_error:
                    answers[place].append(message)
                    continue
                number, detail = _refusal(message)
                if number and number not in requests[place].tolerate:
                    refusals[place] = number, detail
        if refusals:
            place = min(refusals)
            raise _error_of(requests[place], *refusals[place])
        return answers

    def dump(self, request: NetlinkRequest, *, may_be_torn: bool = False) -> list[Message]:
        """Read a whole table, anew where it changed meanwhile.

        Args:
            request: names the table.
            may_be_torn: where the table keeps changing, return what two readings have together:
                some entries twice, and perhaps without one that came or went meanwhile.

        Raises:
            TooManyListed: it is longer than this channel reads, which is closed then.
            Unavailable: it kept changing.
        """
        asked = NetlinkRequest(
            request.kind, request.flags | NLM_F_DUMP, request.body, request.action
        )
        torn: list[Message] = []
        for attempt, pause in enumerate(_DUMP_PAUSES):
            if pause:
                time.sleep(pause)
            found, is_torn = self._dump_once(asked)
            if not is_torn:
                return found
            if may_be_torn and attempt:
                return torn + found
            torn = found
        raise Unavailable(
            f"cannot {request.action}: it changes faster than it can be read",
            remedy="it is tried again",
        )

    def _dump_once(self, request: NetlinkRequest) -> tuple[list[Message], bool]:
        """Read a table; return its messages, and whether it changed meanwhile."""
        sequence = self._sequence
        self._sequence += 1
        self._send(request.encode(sequence))
        found: list[Message] = []
        is_torn = False
        while True:
            for message in self._receive():
                if message.sequence != sequence:
                    continue
                is_torn = is_torn or bool(message.flags & NLM_F_DUMP_INTR)
                if message.kind == NLMSG_DONE:
                    return found, is_torn
                if message.kind == NLMSG_ERROR:
                    number, detail = _refusal(message)
                    raise kernel_error(number or errno.EIO, request.action, detail)
                found.append(message)
                if len(found) > self._most > 0:
                    self.close()  # the rest would be in the way of every later answer
                    raise TooManyListed(request.action, self._most)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except OSError as error:
            raise kernel_error(error.errno or errno.EIO, "send to netlink") from error

    def _receive(self) -> list[Message]:
        try:
            return messages(self._socket.recv(_BUFFER_BYTES))
        except BlockingIOError as error:
            raise Internal("cannot read from netlink: the kernel does not answer") from error
        except OSError as error:
            raise kernel_error(error.errno or errno.EIO, "read from netlink") from error


def _error_of(refused: NetlinkRequest, number: int, detail: str) -> PlanesError:
    known = refused.explain(number) if refused.explain is not None else None
    return known or kernel_error(number, refused.action, detail)


def _refusal(message: Message) -> tuple[int, str]:
    """Return the errno (0: acknowledged) and the kernel's own text, "" without."""
    number = -_ERRNO.unpack_from(message.payload)[0]
    if not number:
        return 0, ""
    detail = ""
    if message.flags & NLM_F_ACK_TLVS and len(message.payload) > _ERROR_BYTES:
        said = attributes(message.payload[_ERROR_BYTES:]).get(_NLMSGERR_ATTR_MSG)
        detail = as_text(said) if said is not None else ""
    return number, "" if detail == os.strerror(number) else detail
