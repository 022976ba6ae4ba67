"""What every ADD of a sandbox interface does: make it, get addresses, configure it; undone whole.

Where addresses come from this host's files all of it is one job of one thread: several would each
pay for a change of threads, and under load wait anew behind the jobs of other sandboxes.
Invariant: a link goes before its addresses are given back, so nobody gets an address in use.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from cni.ipam.ipams import Ipams, LocalIpam
from cni.native.interface import require_addresses
from cni.native.rollback import Undo
from cni.net.errors import MissingNetns
from cni.net.kernel import Kernel
from cni.net.removal import remove_links
from cni.net.workers import Sandbox, Worker
from cni.plugin import Call
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Result

_log = logging.getLogger(__name__)

Made = TypeVar("Made")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Steps(Generic[Made, Done]):
    """What differs between types; both run in a kernel thread.

    Attributes:
        create: makes the interface; leaves nothing where it fails.
        finish: gives it its addresses and whatever else it needs.
    """

    create: Callable[[Worker, Sandbox], Made]
    finish: Callable[[Worker, Sandbox, Made, Result], Done]


class Attaching:
    """Carries the steps out."""

    def __init__(self, kernel: Kernel, ipams: Ipams) -> None:
        self._kernel = kernel
        self._ipams = ipams

    async def carry_out(
        self, call: Call, conf: NetConf, steps: Steps[Made, Done], undo: Undo
    ) -> Done:
        """Attach; what `finish` gave.

        Args:
            call: whose interface.
            conf: its netconf, with or without IPAM.
            steps: those of the type.
            undo: is pushed what takes all of it back.

        Raises:
            PlanesError: a step failed, or the IPAM gave no address; nothing is left.
        """
        local = self._ipams.local(conf)
        if conf.ipam_type and local is None:
            return await self._in_two_jobs(call, conf, steps, undo)
        done = await self._kernel.run(
            lambda worker: _attach(worker, call, conf, steps, local),
            undo=lambda worker, _done: _take_back(worker, call, conf, local),
        )
        undo.push(
            lambda: self._kernel.run(
                lambda worker: _take_back(worker, call, conf, local), waits=True
            )
        )
        return done

    async def _in_two_jobs(
        self, call: Call, conf: NetConf, steps: Steps[Made, Done], undo: Undo
    ) -> Done:
        """Attach with addresses that have to be awaited in between."""

        def create(worker: Worker) -> Made:
            with worker.sandbox(call.netns) as sandbox:
                return steps.create(worker, sandbox)

        def finish(worker: Worker) -> Done:
            with worker.sandbox(call.netns) as sandbox:
                return steps.finish(worker, sandbox, made, given)

        made = await self._kernel.run(create, undo=lambda worker, _made: _remove(worker, call))
        undo.push(lambda: self._kernel.remove_links(call.netns, (call.ifname,)))
        given = await self._ipams.add(call, conf)
        undo.push(lambda: self._ipams.release(call, conf))
        require_addresses(call, given)
        return await self._kernel.run(finish)


def _attach(
    worker: Worker, call: Call, conf: NetConf, steps: Steps[Made, Done], local: LocalIpam | None
) -> Done:
    """Do all in one job, or leave nothing."""
    with worker.sandbox(call.netns) as sandbox:
        made = steps.create(worker, sandbox)
        held: LocalIpam | None = None
        try:
            given = Result()
            if local is not None:
                given = local.take(call, conf)
                held = local
                require_addresses(call, given)
            return steps.finish(worker, sandbox, made, given)
        except BaseException:
            try:
                _take_back(worker, call, conf, held)
            except Exception:
                _log.exception("undo of a failed ADD left something behind")
            raise


def _take_back(worker: Worker, call: Call, conf: NetConf, held: LocalIpam | None) -> None:
    try:
        _remove(worker, call)
    finally:
        if held is not None:
            held.give_back(call, conf)


def _remove(worker: Worker, call: Call) -> None:
    with suppress(MissingNetns):  # the link went with it
        remove_links(worker, call.netns, (call.ifname,))
