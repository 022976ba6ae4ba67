"""The steps of a native plugin: values that say what is to be done, carried out by the engine.

A native type is a generator of steps (`Steps`): it yields one, gets what came of it, and decides on
the next. It never touches the kernel itself, so the engine may carry out the steps of several
attachments together, undo them, and wait without a thread. Inside a type:

    link = yield from FindMaster("eth1")

Invariant: a step that raises has left nothing; one that was done is reversed by its `undo`, which
may be called with the sandbox gone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from cni.net import configure
from cni.net.channel import Channel
from cni.net.errors import MissingNetns
from cni.net.links import Link
from cni.net.workers import OpenSandbox, Worker
from cni.plugins.plugin import Call
from planes.model.addresses import IPAddress
from planes.model.errors import BadInput, PlanesError
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result

T = TypeVar("T")


class Step(ABC, Generic[T]):
    """Anything that a type may yield; `yield from` returns what came of it.

    Attributes:
        is_undone_last: addresses are released after every link of the attachment is removed.
        ends_making: from here on the type makes no link and takes no address, so that the next
            attachment may begin while this one waits.
    """

    is_undone_last: ClassVar[bool] = False
    ends_making: ClassVar[bool] = False

    def __iter__(self) -> Generator[Step[Any], Any, T]:
        answer: T = yield self
        return answer


Steps = Generator[Step[Any], Any, T]
"""The steps of a type, in order, and what they result in."""


@dataclass(slots=True)
class StepContext:
    """Where kernel steps run: a kernel thread in the host's namespace, with the open sandbox.

    Attributes:
        worker: the thread.
        netns: path of the sandbox's namespace, "" for none.
        settle_seconds: the longest that new IPv6 addresses may take to settle.
        is_in_turn: every attachment of the pod before this one is finished.
    """

    worker: Worker
    netns: str
    settle_seconds: float
    is_in_turn: bool = True
    _opened: OpenSandbox | PlanesError | None = field(default=None, init=False)

    @property
    def host(self) -> Channel:
        """Return the netlink socket in the host's namespace."""
        return self.worker.host

    @property
    def sandbox(self) -> OpenSandbox:
        """Return the sandbox, opened once for the whole job.

        Raises:
            MissingNetns: it is gone, or there is none.
            PlanesError: it cannot be opened.
        """
        if self._opened is None:
            self._opened = self._open()
        if isinstance(self._opened, PlanesError):
            raise self._opened
        return self._opened

    def _open(self) -> OpenSandbox | PlanesError:
        if not self.netns:
            return MissingNetns("cannot open the sandbox: it has no path")
        try:
            return self.worker.sandbox(self.netns)
        except BadInput as error:
            return error

    def close(self) -> None:
        """Close the sandbox at the end of the job."""
        if isinstance(self._opened, OpenSandbox):
            self._opened.close()
            self._opened = None


class KernelStep(Step[T]):
    """A step that is carried out in a kernel thread, which it may block for a moment only."""

    @abstractmethod
    def do(self, context: StepContext) -> T:
        """Do it, or raise `PlanesError` and leave nothing."""

    def undo(self, context: StepContext, done: T) -> None:
        """Reverse it; MissingNetns is no fault here."""


@dataclass(frozen=True, slots=True)
class Blocking(KernelStep[None]):
    """A short piece of blocking work that has no undo, such as a journal entry's file."""

    work: Callable[[], None]

    def do(self, context: StepContext) -> None:
        """Do it."""
        self.work()


@dataclass(frozen=True, slots=True)
class Awaited(Step[T]):
    """A step that is awaited in the event loop: a program, a request to the API server.

    Attributes:
        work: does it; where it raises, or is cancelled, it leaves nothing.
        reverse: reverses it; None where there is nothing to reverse.
    """

    work: Callable[[], Awaitable[T]]
    reverse: Callable[[T], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Wait(Step[None]):
    """Wait so many seconds, without a thread."""

    seconds: float


class Polled(Step[T]):
    """A step that is over when a look says so; it is looked at in a kernel thread, at intervals.

    The looks go on while attachments before this one are not finished.
    """

    @abstractmethod
    def look(self, context: StepContext) -> T | None:
        """Return what it results in, None where it is not over; must not wait."""


@dataclass(frozen=True, slots=True)
class InTurn(Step[None]):
    """Wait until every attachment of the pod before this one is finished."""

    ends_making: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Settle(Step[bool]):
    """Wait for duplicate address detection of an interface (RFC 4862 §5.4), then as `InTurn`.

    Meanwhile the engine goes on with later attachments. Results in whether the wait was given up.
    """

    ends_making: ClassVar[bool] = True

    link: Link

    def is_over(self, context: StepContext) -> bool:
        """Report whether the detection has ended.

        Raises:
            Conflict: another host on the link has one of the addresses.
        """
        return configure.is_settled(context.sandbox, self.link)


@dataclass(frozen=True, slots=True)
class Attached(Step[None]):
    """End the ADD of one plugin: from here on its DEL reverses it, not the undo of its steps."""


@dataclass(frozen=True, slots=True)
class TakeAddresses(Step[Result]):
    """Get addresses, routes and DNS from the IPAM type of a netconf, in the way it needs."""

    is_undone_last: ClassVar[bool] = True

    call: Call
    conf: NetConf


@dataclass(frozen=True, slots=True)
class ReplaceAddresses(Step[Result]):
    """Get other addresses from the IPAM type of a netconf: somebody on the wire has these.

    Undoing `TakeAddresses` releases the new ones, too.

    Attributes:
        found: addresses that it has and that are in use, with the MAC of who answered.
        answered: all that were found in use for this attachment.
        is_final: no others can be used in this ADD; the step raises.
    """

    call: Call
    conf: NetConf
    found: Mapping[IPAddress, str]
    answered: Mapping[IPAddress, str]
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseAddresses(Step[None]):
    """Release the addresses that the IPAM type of a netconf holds; none held is fine."""

    call: Call
    conf: NetConf


@dataclass(frozen=True, slots=True)
class CheckAddresses(Step[None]):
    """Have the IPAM type of a netconf confirm that the addresses are still held."""

    call: Call
    conf: NetConf


@dataclass(frozen=True, slots=True)
class AddressesReady(Step[None]):
    """Have the IPAM type of a netconf say whether an ADD can get addresses (CNI STATUS)."""

    call: Call
    conf: NetConf
